"""Each check of pictures fires on what it is for, and names the right samples."""

from __future__ import annotations

from PIL import Image, ImageOps

from lora.checks import pictures
from tests.lora.checks.drawings import codes, drawing, looks, png


def test_twenty_to_fifty_pictures_are_advised() -> None:
    """20 to 50 are advised, their ends included."""
    assert codes(pictures.check(looks(drawing(1)) * 19))["few-pictures"] == [()]
    assert codes(pictures.check(looks(drawing(1)) * 51))["many-pictures"] == [()]
    for count in (20, 50):
        assert not {"few-pictures", "many-pictures"} & codes(pictures.check(looks(drawing(1)) * count)).keys()


def test_almost_equal_pictures() -> None:
    """Resized, recompressed and mirrored ones are found with their original; other drawings are not."""
    image = drawing(3)
    small = png(image.resize((300, 300)), "WEBP", quality=50)
    found = codes(
        pictures.check(looks(drawing(1), image, drawing(2), small, ImageOps.mirror(image), drawing(4)))
    )
    assert found["near-duplicates"] == [(2, 4, 5)]


def test_blank_pictures() -> None:
    """White all over, of another colour, as a JPEG, or evenly transparent; a faint drawing and a silhouette are not."""
    white = Image.new("RGB", (512, 512), "white")
    faint = Image.new("RGB", (512, 512), "white")
    faint.paste("#eee8e8", (200, 200, 300, 300))
    silhouette = Image.new("RGBA", (512, 512))
    silhouette.paste("white", (100, 100, 400, 400))
    even = Image.new("RGBA", (512, 512), (200, 100, 50, 128))
    coloured = Image.new("RGB", (512, 512), "teal")
    found = codes(pictures.check(looks(white, faint, png(white, "JPEG"), silhouette, even, coloured)))
    assert found["blank-picture"] == [(1, 3, 5, 6)]
    assert found["no-alpha"] == [(2,)]
    assert "blank-picture" not in codes(pictures.check(looks(drawing(1), drawing(2))))


def test_one_shape_in_two_colours_is_two_drawings() -> None:
    """Recoloured drawings teach something; they are no duplicates."""
    red, blue = (Image.new("RGBA", (512, 512), colour) for colour in ("red", "blue"))
    assert "near-duplicates" not in codes(pictures.check(looks(red, blue)))


def test_backgrounds_and_sizes() -> None:
    """Opaque on a flat background, opaque on a busy one, and drawings smaller than the base's pictures."""
    flat = Image.new("RGB", (512, 512), "white")
    flat.paste(drawing(5), mask=drawing(5))
    busy = Image.effect_noise((512, 512), 90).convert("RGB")
    tiny = Image.new("RGBA", (512, 512))
    tiny.paste(drawing(6, 200), (150, 150))
    found = codes(pictures.check(looks(drawing(7), png(flat, "JPEG"), busy, tiny)))
    assert found["no-alpha"] == [(2,)]
    assert found["busy-background"] == [(3,)]
    assert found["small-picture"] == [(4,)]
