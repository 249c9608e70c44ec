"""What the tests of the picture-making half share: one tiny base, and drawn samples."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from transformers import CLIPTokenizer

from lora.jobs import Sample
from lora.models import base_model
from tests import tiny_base
from tests.made_once import made_once
from tests.sample_folder import write_folder


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Networks so small only wait for a second thread, for seconds if the machine has other work."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def tokenizers_read_once() -> Iterator[None]:
    """A base's tokenizer is read once: its 3 MB of JSON take as long as the rest of the tiny base."""
    read: dict[object, CLIPTokenizer] = {}
    load = CLIPTokenizer.from_pretrained

    def from_pretrained(*folder: str | Path, **options: Any) -> CLIPTokenizer:
        if len(folder) != 1 or set(options) != {"local_files_only"}:  # not as lora.models.parts calls it
            return load(*folder, **options)
        key = tuple((str(file), file.stat().st_mtime_ns) for file in sorted(Path(folder[0]).glob("*")))
        if key not in read:
            read[key] = load(*folder, **options)
        return read[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CLIPTokenizer, "from_pretrained", from_pretrained)
        yield


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base as a diffusers folder."""
    return made_once(tmp_path_factory, "tiny", tiny_base.make)


@pytest.fixture(scope="session")
def other_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another one of the same shape with other weights."""
    return made_once(tmp_path_factory, "other", lambda folder: tiny_base.make(folder, seed=1, steps=0))


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where bases are unpacked: one folder for all processes."""
    return made_once(tmp_path_factory, "cache", Path.mkdir)


@pytest.fixture(scope="session")
def base(tiny_folder: Path, cache_dir: Path) -> base_model.Base:
    """The tiny base, loaded on the CPU."""
    return base_model.load(str(tiny_folder), cache_dir, "cpu")


@pytest.fixture(scope="session")
def nano(cache_dir: Path) -> base_model.Base:
    """The bundled base, loaded on the CPU."""
    return base_model.load("sticker-nano", cache_dir, "cpu")


@pytest.fixture(scope="session")
def samples() -> tuple[Sample, ...]:
    """Six discs of different colours with a black outline, on nothing."""
    return tuple(Sample(picture=disc(number), caption=f"ball number {number}") for number in range(6))


@pytest.fixture
def data(tmp_path: Path, samples: tuple[Sample, ...]) -> Path:
    """The samples as a folder with its table."""
    write_folder(tmp_path / "data", samples)
    return tmp_path / "data"


def disc(number: int) -> bytes:
    image = Image.new("RGBA", (150, 130))
    colour = tuple(int(value) for value in np.random.default_rng(number).integers(0, 255, 3))
    ImageDraw.Draw(image).ellipse((20, 15, 130, 110), fill=(*colour, 255), outline=(0, 0, 0, 255), width=4)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
