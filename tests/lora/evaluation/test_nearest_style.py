"""The style that samples look most like, of a table's: measured with the real image network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from safetensors.numpy import save_file

from lora.evaluation.nearest_style import (
    DEVIATION,
    MEANS,
    NAMES,
    WHITE,
    features_of,
    nearest_style,
    read_table,
)
from lora.evaluation.scorers import FlatDrawing
from lora.models.sticker_nano import STYLES
from lora.pretrain.drawings import SETS

COLOURS = ("crimson", "seagreen", "royalblue", "orange", "purple", "teal")


def drawing(number: int, outlined: bool) -> Image.Image:
    """RGBA: shapes with thick outlines, or the same without them and blurred."""
    image = Image.new("RGBA", (200, 200))
    draw, colour = ImageDraw.Draw(image), COLOURS[number % len(COLOURS)]
    line: dict[str, Any] = {"outline": "black", "width": 12} if outlined else {}
    draw.ellipse((20, 30 + 5 * number, 150, 140 + 5 * number), colour, **line)
    draw.rectangle((90, 60, 180, 90 + 8 * number), COLOURS[(number + 2) % len(COLOURS)], **line)
    return image if outlined else image.filter(ImageFilter.GaussianBlur(6))


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of two styles, each measured on three drawings."""
    found = []
    for outlined in (True, False):
        shown = []
        for number in range(3):
            image = Image.new("RGBA", (200, 200), WHITE)
            image.alpha_composite(drawing(number, outlined))
            shown.append(FlatDrawing(image=image.convert("RGB"), background_colour=WHITE))
        found.append(features_of(shown))
    path = tmp_path_factory.mktemp("table") / "styles.safetensors"
    both = {
        MEANS: np.stack([one.mean(axis=0) for one in found]),
        DEVIATION: np.concatenate(found).std(axis=0) + 1e-6,
    }
    save_file(both, path, {NAMES: json.dumps(["thick lines", "airbrush"])})
    return path


@pytest.mark.parametrize(("outlined", "name"), [(True, "thick lines"), (False, "airbrush")])
def test_samples_are_nearest_to_their_own_style(table: Path, outlined: bool, name: str) -> None:
    """Samples of other shapes and colours than the style was measured on, some opaque ones among them."""
    samples = [drawing(number, outlined) for number in (3, 4)]
    opaque = Image.new("RGBA", (200, 200), WHITE)
    opaque.alpha_composite(drawing(5, outlined))
    assert nearest_style([*samples, opaque], table) == name


def test_the_bundled_table_is_of_the_sets_that_the_base_knows() -> None:
    """Each style is nearest to its own mean, and no two are alike."""
    known = read_table(STYLES)
    assert known.names == tuple(SETS)
    assert np.isfinite(known.means).all()
    assert (known.deviation > 0).all()
    distances = np.linalg.norm((known.means[:, None] - known.means[None]) / known.deviation, axis=2)
    assert (distances[~np.eye(len(SETS), dtype=bool)] > 1).all()
