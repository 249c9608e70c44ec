"""What the tests of the picture-making half share: one tiny base, and drawn samples."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from lora.jobs import Sample
from lora.models import base_model
from tests import tiny_base
from tests.made_once import made_once
from tests.sample_folder import write_folder


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Networks so small only wait for a second thread, for seconds if the machine has other work."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base as a diffusers folder."""
    return made_once(tmp_path_factory, "tiny", tiny_base.make)


@pytest.fixture(scope="session")
def other_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another one of the same shape with other weights."""
    return tiny_base.make(tmp_path_factory.mktemp("bases") / "other", seed=1, steps=0)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def base(tiny_folder: Path, cache_dir: Path) -> base_model.Base:
    """The tiny base, loaded on the CPU."""
    return base_model.load(str(tiny_folder), cache_dir, "cpu")


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
