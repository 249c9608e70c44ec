"""The bundled base as a base: found by name, the same when unpacked, and really trained and drawn with."""

import ast
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from diffusers import StableDiffusionPipeline
from safetensors import SafetensorError

from lora.__main__ import main
from lora.data.dataset import read_folder
from lora.drawing import sampling
from lora.errors import BaseError
from lora.jobs import Checkpoint, Train, TrainSettings
from lora.models import base_model, sticker_nano
from lora.models.base_model import Base
from lora.models.profiles import NANO
from lora.training import loop
from tests import waiting

DEMO = Path(__file__).parents[3] / "data" / "demo"


def test_the_unpacked_folder_is_the_same_base(nano: Base, cache_dir: Path, tmp_path: Path) -> None:
    """`unpack` writes a plain diffusers folder; given as --base it has the same hash, backgrounds and defaults."""
    folder = tmp_path / "nano"
    assert main(["unpack", "sticker-nano", str(folder)]) == 0
    assert main(["unpack", "sticker-nano", str(folder)]) == 0
    copy = base_model.load(str(folder), cache_dir, "cpu")
    assert copy.hash == nano.hash
    assert copy.profile is nano.profile is NANO
    assert nano.resolution == 256
    assert isinstance(
        StableDiffusionPipeline.from_pretrained(folder, safety_checker=None), StableDiffusionPipeline
    )


def full_disk(*_: object, **__: object) -> None:
    """What safetensors raises when its disk is full."""
    raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")


def test_a_full_disk_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """By every command that unpacks the base, and by a worker; nothing is left behind."""
    monkeypatch.setattr("safetensors.torch.serialize_file", full_disk)
    assert main(["unpack", "sticker-nano", str(tmp_path / "nano")]) == 2
    said = capsys.readouterr().err
    assert f"{tmp_path / 'nano'}: no space left on device" in said
    assert said.count("\n") == 1
    with pytest.raises(BaseError, match=rf"{tmp_path}/cache/sticker-nano-\w+: No space left on device"):
        base_model.load("sticker-nano", tmp_path / "cache", "cpu")
    assert list(tmp_path.rglob("*")) == [tmp_path / "cache"]


def test_its_name_is_written_once() -> None:
    """Code says ``sticker_nano.NAME``; the bot, which cannot import that, says it once, as a default."""
    root = Path(__file__).parents[3]
    found = []
    for package in ("lora", "bot", "benchmarks"):
        for file in sorted((root / package).rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            texts = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
            found += [str(file.relative_to(root)) for text in texts if text == sticker_nano.NAME]
    assert found == ["lora/models/sticker_nano.py", "bot/config.py"]


def test_its_name_is_known_without_torch() -> None:
    """A command line with the base as a default starts without the libraries that take seconds to import."""
    program = (
        "import sys, lora.__main__, lora.models.profiles; lora.__main__._parser(); "
        "print(*[name for name in ('torch', 'diffusers', 'transformers') if name in sys.modules])"
    )
    done = waiting.run([sys.executable, "-c", program])
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr


def test_it_draws_on_the_background_that_was_asked_for(nano: Base) -> None:
    """The corners of a drawing are the flat colour that the cut-out will look for."""
    adapterless = sampling.Item(prompt="noto red heart", seed=1, cfg=5.0)
    *_, picture = sampling.draw(nano, [adapterless], steps=6)
    assert isinstance(picture, sampling.Picture)
    pixels = np.asarray(picture.image, dtype=int)
    corners = pixels[[2, 2, -3, -3], [2, -3, 2, -3]]
    side = nano.drawn_px
    assert picture.image.size == (side, side)
    assert np.abs(corners - picture.background_colour).max() < 40
    inner = slice(side * 27 // 64, side * 37 // 64)
    middle = pixels[inner, inner].reshape(-1, 3).mean(axis=0)
    assert middle[0] > 180  # red, and not the white of the background
    assert middle[1] < 120


def test_it_trains_on_the_demo_set(nano: Base) -> None:
    """A few real steps on real samples: finite, saved, and another picture than before."""
    samples = tuple(read_folder(DEMO))[:2]
    settings = TrainSettings(steps=2, batch_size=2, checkpoint_steps=2)
    job = Train(id=1, attempt=1, keyword="bomux", samples=samples, settings=settings)
    (done,) = (event for event in loop.train(nano, job) if isinstance(event, Checkpoint))
    item = sampling.Item(prompt="bomux fox", seed=1, cfg=1.0)
    *_, before = sampling.draw(nano, [item], steps=2)
    *_, after = sampling.draw(nano, [replace(item, adapter=done.adapter)], steps=2)
    assert isinstance(before, sampling.Picture)
    assert isinstance(after, sampling.Picture)
    assert before.image.tobytes() != after.image.tobytes()
