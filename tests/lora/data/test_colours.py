"""Colours by their profiles: what is red on the screen of a phone is red here."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from lora.data.pictures import open_rgba
from tests.lora.data.files import (
    P3,
    SRGB,
    cmyk_profile,
    encoded,
    grey_profile,
    iccp,
    rgb_profile,
    with_chunks,
)

P3_RED = (234, 51, 35)  # sRGB's red, written in Display P3


def pixel(data: bytes) -> tuple[int, ...]:
    found = open_rgba(data).getpixel((40, 40))
    assert isinstance(found, tuple)
    return found


def near(found: tuple[int, ...], truth: tuple[int, ...], most: int = 2) -> bool:
    return max(abs(a - b) for a, b in zip(found, truth, strict=True)) <= most


@pytest.mark.parametrize(("kind", "most"), [("PNG", 2), ("WEBP", 2), ("JPEG", 4)])
def test_display_p3_becomes_srgb(kind: str, most: int) -> None:
    """In each format, and with alpha kept."""
    options = {"lossless": True} if kind == "WEBP" else {}
    profile = rgb_profile(P3)
    red = Image.new("RGB", (80, 80), P3_RED)
    assert near(pixel(encoded(red, kind, icc_profile=profile, **options)), (255, 0, 0, 255), most)
    if kind != "JPEG":
        faint = Image.new("RGBA", (80, 80), (*P3_RED, 77))
        assert near(pixel(encoded(faint, kind, icc_profile=profile, **options)), (255, 0, 0, 77))


def test_a_colour_beyond_srgb_is_clipped_and_one_inside_is_kept() -> None:
    """Relative colorimetric: the reddest red of Display P3 has no sRGB, a muted one has."""
    profile = rgb_profile(P3)
    assert near(
        pixel(encoded(Image.new("RGB", (80, 80), (255, 0, 0)), icc_profile=profile)), (255, 0, 0, 255)
    )
    grey = encoded(Image.new("RGB", (80, 80), (128, 128, 128)), icc_profile=profile)
    assert near(pixel(grey), (128, 128, 128, 255))


def test_a_palette_and_a_keyed_colour_have_profiles_too() -> None:
    """The key is looked for in the file's own colours."""
    image = Image.new("RGB", (80, 80), P3_RED)
    image.paste((10, 20, 30), (0, 0, 20, 80))
    keyed = encoded(image, transparency=(10, 20, 30), icc_profile=rgb_profile(P3))
    assert near(pixel(keyed), (255, 0, 0, 255))
    assert open_rgba(keyed).getpixel((5, 5))[3] == 0
    assert near(pixel(encoded(image.quantize(4), icc_profile=rgb_profile(P3))), (255, 0, 0, 255))


def test_an_srgb_profile_changes_no_pixel() -> None:
    """Not even by rounding, whatever the profile is called."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 80, 3), dtype=np.uint8))
    assert np.array_equal(
        np.asarray(open_rgba(encoded(noise, icc_profile=rgb_profile(SRGB)))),
        np.asarray(open_rgba(encoded(noise))),
    )


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_grey_profiles(kind: str) -> None:
    """A linear grey of 55 is 127 in sRGB: 0.2157 of the light; alpha is kept."""
    grey = Image.new("L", (80, 80), 55)
    assert near(pixel(encoded(grey, kind, icc_profile=grey_profile(1.0))), (127, 127, 127, 255))
    if kind == "PNG":
        both = Image.new("LA", (80, 80), (55, 99))
        assert near(pixel(encoded(both, kind, icc_profile=grey_profile(1.0))), (127, 127, 127, 99))


def test_cmyk_profiles() -> None:
    """What the ink is, the profile says: here full cyan is an orange, Lab (65, 45, 60) or sRGB (244, 121, 48)."""
    cyan = Image.new("CMYK", (80, 80), (255, 0, 0, 0))
    found = pixel(encoded(cyan, "JPEG", icc_profile=cmyk_profile((65, 45, 60)), quality=100))
    assert near(found, (244, 121, 48, 255), 6)
    white = Image.new("CMYK", (80, 80), (0, 0, 0, 0))
    assert near(
        pixel(encoded(white, "JPEG", icc_profile=cmyk_profile((65, 45, 60)), quality=100)), (255,) * 4, 3
    )


@pytest.mark.parametrize(
    "profile", [b"garbage" * 99, rgb_profile(P3)[:200], grey_profile(1.0), cmyk_profile((50, 0, 0))]
)
def test_a_profile_that_does_not_fit_is_ignored(profile: bytes) -> None:
    """One that cannot be read, is cut off, or describes other pixels than the file has."""
    red = encoded(Image.new("RGB", (80, 80), P3_RED))
    assert pixel(with_chunks(red, iccp(profile))) == (*P3_RED, 255)
