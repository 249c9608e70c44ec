"""The filter stops unsafe samples and drawings; here a filter that takes red for unsafe stands for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lora.checks import unsafe
from lora.drawing.sticker import StickerMaker
from lora.jobs import DrawOptions, JobError
from lora.safety import FILTERS, Guard
from tests.lora.checks.drawings import codes, drawing


class Red:
    """Takes red for unsafe."""

    def score(self, image: Image.Image) -> float:
        """The share of red."""
        red, green, _ = np.asarray(image, dtype=float).reshape(-1, 3).mean(axis=0) / 255
        return float(red - green)


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch) -> Guard:
    monkeypatch.setitem(FILTERS, "red", lambda threads: Red())
    return Guard("red", threshold=0.5)


def test_unsafe_samples_are_named(guard: Guard) -> None:
    """One finding with the numbers; between two pictures the worker is free."""
    red = Image.new("RGBA", (64, 64), "red")
    events = list(unsafe.check([drawing(1), red, drawing(2), red], guard))
    assert events[:-1] == [None] * 4
    assert codes([event for event in events if event]) == {"unsafe": [(2, 4)]}
    assert events[-1] is not None
    assert events[-1].severity == "error"
    assert list(unsafe.check([red], Guard())) == []


def test_an_unsafe_drawing_is_no_sticker(guard: Guard, tmp_path: Path) -> None:
    """The error comes before the cut-out; another drawing is made into a sticker."""
    maker = StickerMaker(tmp_path, guard=guard)
    with pytest.raises(JobError) as caught:
        maker(Image.new("RGB", (64, 64), "red"), None, DrawOptions())
    assert caught.value.code == "unsafe-drawing"
    assert maker(Image.new("RGB", (64, 64), "blue"), None, DrawOptions(cutout="none"))


def test_the_bundled_network_scores_a_drawing() -> None:
    """Its weights are in the wheel: no network is needed. A plain drawing is far from the threshold."""
    image = Image.new("RGB", (256, 256), "white")
    image.paste(drawing(1).convert("RGB"))
    assert 0 <= Guard("open-nsfw").score(image) < 0.3
