"""Pictures that the checks find good, and a style filled with pictures."""

from __future__ import annotations

import io
import random

from PIL import Image, ImageDraw, ImageOps


def drawing(seed: int) -> bytes:
    """A drawing of some shapes on nothing, of a good size and unlike those of other seeds."""
    rng = random.Random(seed)
    image = Image.new("RGBA", (512, 512))
    draw = ImageDraw.Draw(image)
    for _ in range(7):
        x, y = rng.randrange(256), rng.randrange(256)
        box = (x, y, x + rng.randrange(64, 256), y + rng.randrange(64, 256))
        draw.ellipse(box, fill=(rng.randrange(256), rng.randrange(256), rng.randrange(256), 255))
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def mirrored(picture: bytes, side: int) -> bytes:
    """Almost the same to the checks, and yet another picture."""
    out = io.BytesIO()
    ImageOps.mirror(Image.open(io.BytesIO(picture))).resize((side, side)).save(out, "PNG")
    return out.getvalue()


GOOD = [(drawing(n), f"a fox with {n} balls") for n in range(20)]
