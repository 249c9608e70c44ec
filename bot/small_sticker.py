"""Stickers at 100 x 100 px: custom emoji and the thumbnails of packs.

Telegram's rules (https://core.telegram.org/bots/api#setstickersetthumbnail, https://core.telegram.org/stickers):
exactly 100 x 100 px, WebP or PNG, at most 128 KiB. Uncompressed, such a picture has 40 KB.
"""

from __future__ import annotations

import io

from PIL import Image

from bot.same_picture import sticker_image
from lora.data import pictures

SIDE = 100  # px


def small_sticker(data: bytes) -> bytes:
    """The visible part of a sticker, as large as it fits into 100 x 100 px, as a lossless WebP."""
    image = sticker_image(data)
    art = image.crop(pictures.visible_box(image)).convert("RGBa")  # colour times alpha: no dark seams
    factor = SIDE / max(art.size)
    size = (max(1, round(art.width * factor)), max(1, round(art.height * factor)))
    art = art.resize(size, Image.Resampling.LANCZOS)
    small = Image.new("RGBA", (SIDE, SIDE))
    small.paste(art.convert("RGBA"), ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    out = io.BytesIO()
    small.save(out, "WEBP", lossless=True)
    return out.getvalue()
