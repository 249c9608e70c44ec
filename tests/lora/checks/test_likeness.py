"""The same drawing is found however it was sent; different drawings never are, however alike."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import pytest
from PIL import Image, ImageDraw

from benchmarks.likeness import on, saved
from lora.checks.likeness import Likeness, likeness, near, same
from tests.lora.checks.drawings import DEMO

NAMES = ("ghost", "key", "coin", "sun")  # a white one, a thin one, a pile, one with rays


@cache
def demo(name: str) -> Image.Image:
    return Image.open(DEMO / f"{name}.png").convert("RGBA")


def fitted(image: Image.Image, side: int) -> Image.Image:
    """Without its margins, its longer side of this size, as a sticker is."""
    image = image.crop(image.getbbox())
    scale = side / max(image.size)
    return image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)


@cache
def of(name: str) -> Likeness:
    return likeness(demo(name))


@pytest.mark.parametrize("name", NAMES)
def test_one_drawing_sent_in_many_ways(name: str) -> None:
    """File, photo, sticker: each is the same as each other one."""
    image = demo(name)
    sent = [
        likeness(one)
        for one in (
            image,
            saved(on(image, "white"), "JPEG", 87),
            saved(on(image, "white").resize((320, 320)), "JPEG", 87),
            saved(on(image, "white").resize((1280, 1280)), "JPEG", 60),
            saved(image, "WEBP", 50),
            fitted(image, 320),
            saved(fitted(image, 512), "WEBP", 85),
        )
    ]
    assert all(same(one, other) for one, other in combinations(sent, 2))
    black = likeness(saved(on(image, "black"), "JPEG", 87))
    assert same(black, of(name))


def test_a_photo_on_a_coloured_background() -> None:
    """The background is taken away, if it is flat."""
    photo = saved(on(demo("key"), "#b4dca0"), "JPEG", 87)
    assert same(likeness(photo), of("key"))


def test_different_drawings_of_one_set() -> None:
    """None of the demo's 28 is taken for another one, neither as files nor as photos."""
    names = sorted(path.stem for path in DEMO.glob("*.png"))
    assert len(names) == 28
    photos = {name: likeness(on(demo(name), "white").convert("RGBA")) for name in names}
    for one, other in combinations(names, 2):
        assert not near(of(one), of(other)), (one, other)
        assert not near(photos[one], of(other)), (one, other)


def face(*, mouth: int = 300, skin: str = "orange") -> Image.Image:
    image = Image.new("RGBA", (512, 512))
    draw = ImageDraw.Draw(image)
    draw.ellipse((40, 40, 470, 470), fill=skin)
    draw.ellipse((150, 150, 200, 220), fill="black")
    draw.arc((200, mouth, 320, mouth + 60), 0, 180, fill="black", width=12)
    return image


def test_small_differences_count() -> None:
    """Another mouth, another colour: as a file and as a photo."""
    for other in (face(mouth=340), face(skin="gold")):
        for one in (face(), saved(on(face(), "white"), "JPEG", 87)):
            assert not same(likeness(one), likeness(other))


def test_white_and_black_drawings() -> None:
    """A white drawing without a line is compared on black, where it can be seen; a black one on white."""
    for colour in ("white", "black"):
        disc, bar = (Image.new("RGBA", (256, 256)) for _ in range(2))
        ImageDraw.Draw(disc).ellipse((40, 40, 216, 216), fill=colour)
        ImageDraw.Draw(bar).rectangle((20, 100, 236, 150), fill=colour)
        assert same(likeness(disc), likeness(disc.resize((512, 512))))
        assert not near(likeness(disc), likeness(bar))


def test_mirrored_drawings_are_near() -> None:
    """They teach nothing new, but are not the same picture."""
    mirrored = likeness(demo("key").transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert near(of("key"), mirrored)
    assert not same(of("key"), mirrored)
