"""A cut-out becomes a sticker: trimmed, outlined, one side exactly 512 px, a WebP of at most 512 KiB.

The rules are Telegram's (https://core.telegram.org/stickers): one side 512 px, the other 512 or less, up to 512 KB,
a transparent background; a white stroke is advised.
"""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from lora.data.pictures import visible_box
from lora.jobs import DrawOptions

SIDE = 512
MAX_BYTES = 512 * 1024
MARGIN_PX = 6  # transparent on all sides, so that rounded corners or a resize in a client cut nothing off
QUALITIES = (95, 90, 80, 65, 45, 20, 0)  # of lossy WebP, tried in this order

Floats = NDArray[np.floating[Any]]
Bytes = NDArray[np.uint8]


def fit(
    cutout: Image.Image,
    outline_px: int = DrawOptions.outline_px,
    outline: tuple[int, int, int] = (255, 255, 255),
) -> Image.Image:
    """An RGBA cut-out as an RGBA sticker: trimmed, scaled, with an outline of this colour.

    The longer side is 512 px, margin and outline included. ``outline_px`` is the outline's width in the sticker;
    0 = none. Raises ValueError if nothing is visible.
    """
    box = visible_box(cutout)
    if box is None:
        raise ValueError("nothing is visible in this picture")
    room = SIDE - 2 * (MARGIN_PX + outline_px)
    art = _scaled(cutout.crop(box), room)
    width, height = art.size
    canvas_size = (
        (SIDE, min(SIDE, height + SIDE - room)) if width >= height else (min(SIDE, width + SIDE - room), SIDE)
    )
    canvas = Image.new("RGBA", canvas_size)
    canvas.paste(art, ((canvas_size[0] - width) // 2, (canvas_size[1] - height) // 2))
    rgba = np.array(canvas)
    if outline_px:
        _put_under(rgba, _outline(rgba[..., 3], outline_px), outline)
    return Image.fromarray(_cleared(rgba), "RGBA")


def encode(sticker: Image.Image) -> bytes:
    """WebP of at most 512 KiB: lossless if that is small enough, else lossy in the best quality that is.

    Raises ValueError if even the lowest quality is too large.
    """
    lossless = _webp(sticker, lossless=True, quality=0, method=0)
    if len(lossless) <= MAX_BYTES:
        return lossless
    cleared = Image.fromarray(_cleared(np.asarray(sticker)), "RGBA")
    for quality in QUALITIES:
        lossy = _webp(cleared, quality=quality, method=4)
        if len(lossy) <= MAX_BYTES:
            return lossy
    raise ValueError(f"a {sticker.size} px picture does not fit into {MAX_BYTES} bytes")


def _webp(sticker: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    sticker.save(out, "WEBP", exact=False, alpha_quality=100, **options)
    return out.getvalue()


def _scaled(art: Image.Image, longest: int) -> Image.Image:
    """Resize so that the longer side is ``longest`` px, and sharpen the edge of the alpha channel again."""
    factor = longest / max(art.size)
    size = (max(1, round(art.width * factor)), max(1, round(art.height * factor)))
    layers = cv2.cvtColor(np.asarray(art.convert("RGBA")), cv2.COLOR_RGBA2mRGBA)  # premultiplied
    layers = cv2.resize(layers, size, interpolation=cv2.INTER_CUBIC if factor > 1 else cv2.INTER_AREA)
    resized = cv2.cvtColor(layers, cv2.COLOR_mRGBA2RGBA)
    if factor > 1:
        # Enlarging makes an edge of 1 px ``factor`` px wide. Multiplying alpha around 0.5 makes it narrow again.
        steep = ((np.arange(256) - 127.5) * min(factor, 3.0) + 127.5).round().clip(0, 255).astype(np.uint8)
        resized[..., 3] = steep[resized[..., 3]]
    return Image.fromarray(resized, "RGBA")


def _outline(alpha: Bytes, width: int) -> Floats:
    """Coverage [H, W], 0 to 1, of a band ``width`` px wide around the drawing with alpha [H, W], 0 to 255.

    Coverage = clip(width + 0.5 - distance, 0, 1): the outer edge is one pixel soft.
    """
    distance = cv2.distanceTransform((alpha < 128).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    # The distance transform counts from pixel centres, so its contours have stairs. The blur removes them.
    smooth = cv2.GaussianBlur(np.minimum(distance, width + 4), (7, 7), 0.8, borderType=cv2.BORDER_REFLECT)
    return np.clip(width + 0.5 - smooth, 0, 1)


def _put_under(rgba: Bytes, coverage: Floats, colour: tuple[int, int, int]) -> None:
    """Put ``colour`` under a straight-alpha picture [H, W, 4], as opaque as ``coverage`` [H, W] says."""
    mixed = (rgba[..., 3] < 255) & (coverage > 0)
    over = rgba[mixed].astype(np.float32)
    alpha = over[:, 3:] / 255
    under = (1 - alpha) * coverage[mixed][:, None]
    total = alpha + under
    rgba[mixed, :3] = ((over[:, :3] * alpha + np.array(colour, np.float32) * under) / total).round()
    rgba[mixed, 3] = (255 * total[:, 0]).round()


def _cleared(rgba: Bytes) -> Bytes:
    """A copy whose fully transparent pixels are (0, 0, 0, 0)."""
    cleared: Any = cv2.copyTo(rgba, cv2.extractChannel(rgba, 3))
    return cleared
