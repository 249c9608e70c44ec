"""Stickers obey Telegram's rules, whatever comes in."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lora.drawing.fit import MAX_BYTES, SIDE, encode, fit


def shape(width: int, height: int) -> Image.Image:
    """A red ellipse of that size in a transparent picture."""
    ys, xs = np.mgrid[0:height, 0:width]
    inside = ((xs + 0.5) / width * 2 - 1) ** 2 + ((ys + 0.5) / height * 2 - 1) ** 2 <= 1
    rgba = np.zeros((height + 20, width + 20, 4), np.uint8)
    rgba[10:-10, 10:-10][inside] = (200, 30, 30, 255)
    rgba[0, 0] = (9, 9, 9, 0)
    return Image.fromarray(rgba, "RGBA")


@pytest.mark.parametrize("size", [(100, 100), (256, 90), (3, 500), (500, 3), (5, 5), (900, 700)])
@pytest.mark.parametrize("outline", [0, 8])
def test_one_side_is_512_and_nothing_hidden_is_left(size: tuple[int, int], outline: int) -> None:
    """The longer side is exactly 512 px, the other at most, and transparent pixels have no colour."""
    sticker = fit(shape(*size), outline_px=outline)
    assert max(sticker.size) == SIDE
    assert min(sticker.size) >= 1
    rgba = np.asarray(sticker)
    assert not rgba[rgba[..., 3] == 0].any()
    assert not rgba[0, :, 3].any()
    assert not rgba[:, 0, 3].any()


def test_the_outline_has_the_colour_asked_for() -> None:
    """The first visible pixels of a row through the middle."""
    row = np.asarray(fit(shape(200, 200), 8, (255, 51, 102)))[SIDE // 2]
    first = np.flatnonzero(row[:, 3] > 250)[2]
    assert row[first].tolist() == [255, 51, 102, 255]


def test_the_outline_is_white_and_as_wide_as_asked() -> None:
    """Along a row through the middle, the first visible pixels are eight white ones, then the drawing's."""
    row = np.asarray(fit(shape(200, 200), outline_px=8))[SIDE // 2]
    visible = np.flatnonzero(row[:, 3] > 200)
    white = [x for x in visible if row[x, :3].min() > 240 and x < SIDE // 2]
    assert 7 <= len(white) <= 9
    assert tuple(row[visible[20]][:3]) == (200, 30, 30)


def test_nothing_visible_is_refused() -> None:
    """A fully transparent picture cannot become a sticker."""
    with pytest.raises(ValueError, match="visible"):
        fit(Image.new("RGBA", (50, 50)))


def test_even_noise_fits_into_512_kib() -> None:
    """The worst picture there is, noise in all channels, is still within the limit and still 512 px."""
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 4), dtype=np.uint8)
    data = encode(Image.fromarray(noise, "RGBA"))
    assert len(data) <= MAX_BYTES
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("WEBP", (512, 512))


def test_a_flat_drawing_is_kept_exactly() -> None:
    """What fits without loss is stored without loss."""
    sticker = fit(shape(200, 150))
    with Image.open(io.BytesIO(encode(sticker))) as image:
        assert np.array_equal(np.asarray(image.convert("RGBA")), np.asarray(sticker))
