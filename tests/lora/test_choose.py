"""Checkpoints compared on the bundled base: what they are told apart by is what they draw."""

from pathlib import Path

import pytest
import torch

from lora import adapters, bases
from lora.bases import Base
from lora.choose import Comparison, Settings, compare
from lora.dataset import read_folder
from lora.jobs import Kept
from lora.scorers import eye
from lora.scorers.classifier import DiffusionReader

DEMO = Path(__file__).parents[2] / "data" / "demo"


@pytest.fixture(scope="module")
def nano(cache_dir: Path) -> Base:
    return bases.load("sticker-nano", cache_dir, "cpu")


def checkpoint(base: Base, step: int, strength: float) -> Kept:
    """An adapter of random weights: with none it draws as the base does, with much no prompt comes through."""
    weights = adapters.add(base, "live", rank=4, alpha=4, seed=step)
    for weight in weights:
        weight.data.normal_(0, strength, generator=torch.Generator().manual_seed(step))
    about = adapters.About(
        keyword="bomux",
        base=base.name,
        base_hash=base.hash,
        rank=4,
        alpha=4,
        steps=step,
        seed=step,
        background="white",
    )
    data = adapters.save_adapter(base, "live", about)
    adapters.remove(base, "live")
    return Kept(step=step, adapter=data)


def test_a_checkpoint_whose_drawings_ignore_the_prompts_is_rejected(nano: Base) -> None:
    """Drawn, read and chosen as after a training: the broken one is out for its prompts, the base's equal is taken."""
    rows = [checkpoint(nano, 1, 0.01), checkpoint(nano, 2, 1.0)]
    prompts = ("a cat", "a tree", "a bicycle")
    samples = read_folder(DEMO)[:6]
    events = compare(nano, samples, rows, eye(), DiffusionReader(nano), Settings(prompts=prompts, steps=4))
    *_, found = events
    assert isinstance(found, Comparison)
    same, broken = found.scores
    assert found.base_prompt > 0.7
    assert same.prompt == pytest.approx(found.base_prompt, abs=0.2)
    assert broken.prompt < 0.3
    assert found.choice.step == 1
    assert found.choice.others == {2: "follows prompts less than 60% as well as the bare base"}
