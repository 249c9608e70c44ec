"""Finds drawings whose detail the base's VAE loses: each is encoded, decoded and compared with the original."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from PIL import Image, ImageFilter

from lora.checks.share import severity
from lora.data.background import choose_background
from lora.data.dataset import on_flat_background, to_tensor
from lora.jobs import Finding
from lora.models.base_model import Base

LEAST_DB = 26.0  # a drawing with a lower PSNR is a finding


def round_trip_db(base: Base, image: Image.Image, colour: tuple[int, int, int], side_px: int) -> float:
    """PSNR in dB between an RGBA drawing and the same drawing after the VAE: 10 log10(255^2 / mean squared error).

    Only the drawing and the pixels near it count: the VAE hardly changes the flat background, which would hide the
    loss. If the base decodes to more pixels than it encodes, they are averaged down to ``side_px``.
    """
    square = on_flat_background(image, side_px, colour)
    mean, _ = base.encode(to_tensor([square]))
    decoded = torch.nn.functional.adaptive_avg_pool2d(base.decode(mean), side_px)
    back = ((decoded[0].permute(1, 2, 0) + 1) * 127.5).cpu().numpy()
    errors = np.square(np.asarray(square, dtype=np.float64) - back).mean(axis=2)
    seen = _drawn(square, colour)
    return 10 * math.log10(255**2 / max(float(errors[seen].mean()), 1e-9))


def _drawn(square: Image.Image, colour: tuple[int, int, int]) -> np.ndarray:
    """Where an RGB picture differs from its background, and 4 px around: bool [h, w]. All true if nothing differs."""
    differs = np.abs(np.asarray(square, dtype=np.int16) - np.array(colour)).max(axis=2) > 24
    wide = Image.fromarray((differs * 255).astype(np.uint8)).filter(ImageFilter.MaxFilter(9))
    seen = np.asarray(wide) > 0
    return seen if seen.any() else np.ones_like(seen)


def check(base: Base, images: Sequence[Image.Image], side_px: int | None = None) -> Iterator[Finding | None]:
    """Check RGBA pictures one by one. Yields None after each picture, and at the end a finding for each bad one."""
    side_px = side_px or base.resolution
    colour = base.profile.backgrounds[choose_background(images, base.profile.backgrounds)]
    values = []
    for image in images:
        with torch.no_grad():
            values.append(round_trip_db(base, image, colour, side_px))
        yield None
    lost = [(number, db) for number, db in enumerate(values, start=1) if db < LEAST_DB]
    grave = severity(len(lost), len(images))
    for number, db in lost:
        yield Finding(code="fine-detail", severity=grave, samples=(number,), detail=f"{db:.0f}")
