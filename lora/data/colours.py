"""Colours of a picture by its ICC profile, converted to sRGB: all other code takes pixels for sRGB."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

ROUNDING = 2  # of 255: a profile that changes no colour by more is sRGB, and the pixels stay as they are


def to_srgb(image: Image.Image, profile: bytes) -> Image.Image:
    """A picture of mode L, LA, RGB, RGBA or CMYK in sRGB. It may be changed in place. Alpha is kept.

    A profile that cannot be read, or is for another kind of pixels, is ignored.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = str(source.profile.xcolor_space).strip()
        if space == "RGB" and image.mode != "CMYK":
            return _from_rgb(image, source)
        if (space, image.mode) not in (("GRAY", "L"), ("GRAY", "LA"), ("CMYK", "CMYK")):
            return image
        pixels = image.getchannel("L") if image.mode == "LA" else image
        converted = _transform(source, pixels.mode, "RGB").apply(pixels)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return image
    if image.mode == "LA":
        converted.putalpha(image.getchannel("A"))
    return converted


def _from_rgb(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    """In place, for a second copy of 16 megapixels would take 64 MB."""
    grid = Image.fromarray(_grid())
    changed = _transform(source, "RGB", "RGB").apply(grid)
    if np.abs(np.asarray(changed, dtype=np.int16) - np.asarray(grid)).max() <= ROUNDING:
        return image
    if image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGBA" if image.mode == "LA" else "RGB")
    _transform(source, image.mode, image.mode).apply_in_place(image)
    return image


def _transform(source: ImageCms.ImageCmsProfile, mode: str, result: str) -> ImageCms.ImageCmsTransform:
    """Relative colorimetric, black mapped to black: a colour that sRGB has stays that colour, others are clipped.

    A perceptual intent would make all colours of a drawing duller to make room for a few.
    """
    return ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        mode,
        result,
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _grid() -> np.ndarray:
    """9 levels of each channel, uint8 [9, 81, 3]."""
    levels = np.linspace(0, 255, 9).round().astype(np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(9, 81, 3)
