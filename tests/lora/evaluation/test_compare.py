"""Checkpoints compared on the bundled base: only their drawings tell them apart."""

from pathlib import Path

import pytest
import torch

from lora.adapters import adapter_file, lora_layers
from lora.data.dataset import read_folder
from lora.evaluation.compare import CompareSettings, Comparison, compare
from lora.evaluation.scorers import image_encoder
from lora.evaluation.scorers.classifier import DiffusionPromptScorer
from lora.jobs import SavedCheckpoint
from lora.models.base_model import Base

DEMO = Path(__file__).parents[3] / "data" / "demo"


def checkpoint(base: Base, step: int, strength: float) -> SavedCheckpoint:
    """An adapter of random weights: with none it draws as the base does, with much no prompt comes through."""
    weights = lora_layers.add(base, "live", rank=4, alpha=4, seed=step)
    for weight in weights:
        weight.data.normal_(0, strength, generator=torch.Generator().manual_seed(step))
    about = adapter_file.AdapterInfo(
        keyword="bomux",
        base=base.name,
        base_hash=base.hash,
        rank=4,
        alpha=4,
        steps=step,
        seed=step,
        background="white",
    )
    data = lora_layers.save_adapter(base, "live", about)
    lora_layers.remove(base, "live")
    return SavedCheckpoint(step=step, adapter=data)


@pytest.mark.slow  # the rule is tested in test_checkpoint_choice, a whole comparison in cli/test_compare
def test_a_checkpoint_whose_drawings_ignore_the_prompts_is_rejected(nano: Base) -> None:
    """As after a training: the broken one is out for its prompts, and the one that draws as the base does is chosen."""
    checkpoints = [checkpoint(nano, 1, 0.01), checkpoint(nano, 2, 1.0)]
    prompts = ("a cat", "a tree", "a bicycle")
    samples = read_folder(DEMO)[:6]
    events = compare(
        nano,
        samples,
        checkpoints,
        image_encoder(),
        DiffusionPromptScorer(nano),
        CompareSettings(prompts=prompts, steps=4),
    )
    *_, found = events
    assert isinstance(found, Comparison)
    same, broken = found.scores
    assert found.base_prompt > 0.7
    assert same.prompt == pytest.approx(found.base_prompt, abs=0.2)
    assert broken.prompt < 0.3
    assert found.choice.step == 1
    assert str(found.choice.others[2]) == "follows prompts less than 60% as well as the bare base"
    assert found.reasons == ("best", "ignores-prompts")
