"""Small copies of stickers obey Telegram's rules for custom emoji and thumbnails."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from bot.playground.pictures import emoji, thumbnail
from bot.small_sticker import small_sticker


@pytest.mark.parametrize("size", [(512, 512), (512, 40), (80, 512), (100, 100)])
def test_a_small_copy_fills_100_px(size: tuple[int, int]) -> None:
    """Exactly 100 x 100 px, the visible part as large as it fits, in its own shape and colour."""
    image = Image.new("RGBA", size)
    box = (size[0] // 4, size[1] // 4, size[0] // 4 * 3, size[1] // 4 * 3)
    image.paste((200, 30, 60, 255), box)
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=True)
    small = small_sticker(out.getvalue())
    assert emoji(small).data == thumbnail(small).data == small == small_sticker(out.getvalue())
    shown = Image.open(io.BytesIO(small)).convert("RGBA")
    left, top, right, bottom = shown.getbbox() or (0, 0, 0, 0)
    assert max(right - left, bottom - top) == 100
    shape = (box[2] - box[0]) / (box[3] - box[1])
    assert (right - left) / (bottom - top) == pytest.approx(shape, rel=0.15)
    assert shown.getpixel((50, 50)) == (200, 30, 60, 255)
