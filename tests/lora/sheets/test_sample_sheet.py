"""The sheet of samples: a person's captions are legible in their own letters, and a cut one says so."""

import io

from PIL import Image

from lora import fonts
from lora.sheets.sample_sheet import CELL, TEXT, Entry, sample_sheet


def sheet(caption: str) -> bytes:
    """The sheet of one white picture, decoded."""
    picture = io.BytesIO()
    Image.new("RGB", (50, 50), "white").save(picture, "PNG")
    with Image.open(
        io.BytesIO(sample_sheet([Entry(number=1, picture=picture.getvalue(), caption=caption)]))
    ) as image:
        return image.tobytes()


def test_captions_in_any_letters() -> None:
    """Two captions of equal length in one script are two captions, not the same row of boxes."""
    assert sheet("лиса") != sheet("рыба")
    assert sheet("狐") != sheet("猫")


def test_a_long_caption_is_cut_with_an_ellipsis() -> None:
    """What is past the second line is not drawn, and that is told."""
    long = "a fox who drinks coffee " * 6
    lines = fonts.wrapped(long, TEXT, CELL, 2)
    assert lines[-1].endswith("…")
    assert sheet(long) == sheet(f"{long} and a cat") == sheet(" ".join(lines))
