"""Finds samples that the operator's filter does not let pass. Such a finding stops the training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from PIL import Image

from lora.data.dataset import on_flat_background
from lora.jobs import Finding
from lora.safety import Guard

SIDE_PX = 256
WHITE = (255, 255, 255)


def check(images: Sequence[Image.Image], guard: Guard) -> Iterator[Finding | None]:
    """Check RGBA pictures one by one. Yields None after each picture, and at the end a finding if there is one."""
    if not guard:
        return
    refused = []
    for number, image in enumerate(images, start=1):
        if guard.refuses(on_flat_background(image, SIDE_PX, WHITE)):
            refused.append(number)
        yield None
    if refused:
        yield Finding(code="unsafe", severity="error", samples=tuple(refused))
