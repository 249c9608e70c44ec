"""Words on drawings are found, as far as the network knows their letters."""

from __future__ import annotations

import pytest
from PIL import Image, ImageDraw, ImageFont

from lora.checks import lettering
from tests.lora.checks.drawings import codes, drawing


def lettered(text: str) -> Image.Image:
    image = Image.new("RGBA", (512, 512))
    draw = ImageDraw.Draw(image)
    draw.ellipse((40, 40, 470, 470), fill=(90, 160, 220, 255))
    draw.text((256, 256), text, fill="black", font=ImageFont.load_default(100), anchor="mm")
    return image


@pytest.mark.parametrize("text", ["HELLO", "thank you"])
def test_lettering_is_found(text: str) -> None:
    """Words on a drawing are found, drawings without any are not, again and again with one reader."""
    found = [f for f in lettering.check([drawing(1), lettered(text), drawing(2), lettered(text)]) if f]
    assert codes(found) == {"lettering": [(2, 4)]}


def test_lettering_that_cannot_be_found_is_admitted() -> None:
    """The networks know no Cyrillic: that is said, and this test tells when it is no longer so."""
    assert [f for f in lettering.check([lettered("ПОКА")]) if f] == []
    assert "Latin" in (lettering.__doc__ or "")
