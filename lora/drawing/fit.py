"""A cut-out becomes a sticker: trimmed, outlined, one side exactly 512 px, a WebP of at most 512 KiB.

The rules are Telegram's (https://core.telegram.org/stickers): one side 512 px, the other 512 or less, up to 512 KB,
a transparent background; a white stroke is advised.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from lora.data.pictures import visible_box
from lora.jobs import DrawOptions

SIDE = 512
MAX_BYTES = 512 * 1024
MARGIN_PX = 6  # transparent on all sides, so that rounded corners or a resize in a client cut nothing off
QUALITIES = (95, 90, 80, 65, 45, 20, 0)  # of lossy WebP, tried in this order

Floats = NDArray[np.floating[Any]]


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
    canvas = np.zeros((canvas_size[1], canvas_size[0], 4))
    top, left = (canvas_size[1] - height) // 2, (canvas_size[0] - width) // 2
    canvas[top : top + height, left : left + width] = _premultiplied(art)
    if outline_px:
        colour = np.array([*outline, 255]) / 255
        canvas = canvas + (1 - canvas[..., 3:]) * _outline(canvas[..., 3], outline_px)[..., None] * colour
    return _straight(canvas)


def encode(sticker: Image.Image) -> bytes:
    """WebP of at most 512 KiB: lossless if that is small enough, else lossy in the best quality that is.

    Raises ValueError if even the lowest quality is too large.
    """
    lossless = _webp(sticker, lossless=True, quality=0, method=0)
    if len(lossless) <= MAX_BYTES:
        return lossless
    for quality in QUALITIES:
        lossy = _webp(_cleared(sticker), quality=quality, method=4)
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
    layers = _premultiplied(art)
    resized = np.stack(
        [
            np.asarray(
                Image.fromarray(layers[..., i].astype(np.float32)).resize(size, Image.Resampling.LANCZOS)
            )
            for i in range(4)
        ],
        axis=2,
    ).clip(0, 1)
    alpha = resized[..., 3:]
    colour = np.where(alpha > 1e-3, resized[..., :3] / np.maximum(alpha, 1e-3), 0).clip(0, 1)
    # Enlarging makes an edge of 1 px ``factor`` px wide. Multiplying alpha around 0.5 makes it narrow again.
    steep = np.clip((alpha - 0.5) * max(1.0, min(factor, 3.0)) + 0.5, 0, 1)
    alpha = steep if factor > 1 else alpha
    return _straight(np.concatenate([colour * alpha, alpha], axis=2))


def _outline(alpha: Floats, width: int) -> Floats:
    """Coverage [H, W], 0 to 1, of a band ``width`` px wide around the drawing with alpha [H, W].

    Coverage = clip(width + 0.5 - distance, 0, 1): the outer edge is one pixel soft.
    """
    distance = ndimage.distance_transform_edt(alpha < 0.5)
    # The distance transform counts from pixel centres, so its contours have stairs. The blur removes them.
    smooth = ndimage.gaussian_filter(np.minimum(distance, width + 4), 0.8)
    return np.clip(width + 0.5 - smooth, 0, 1)


def _premultiplied(image: Image.Image) -> Floats:
    """Premultiplied RGBA [H, W, 4], 0 to 1."""
    rgba = np.asarray(image.convert("RGBA"), dtype=np.float64) / 255
    return np.concatenate([rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]], axis=2)


def _straight(premultiplied: Floats) -> Image.Image:
    """Premultiplied RGBA [H, W, 4], 0 to 1, as a picture; fully transparent pixels are (0, 0, 0, 0)."""
    alpha = premultiplied[..., 3:]
    colour = np.where(alpha > 0, premultiplied[..., :3] / np.maximum(alpha, 1e-6), 0)
    rgba = (np.concatenate([colour, alpha], axis=2) * 255).round().clip(0, 255).astype(np.uint8)
    rgba[rgba[..., 3] == 0] = 0
    return Image.fromarray(rgba, "RGBA")


def _cleared(sticker: Image.Image) -> Image.Image:
    """A copy whose fully transparent pixels are (0, 0, 0, 0)."""
    rgba = np.array(sticker)
    rgba[rgba[..., 3] == 0] = 0
    return Image.fromarray(rgba, "RGBA")
