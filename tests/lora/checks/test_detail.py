"""Detail that the base's VAE loses is found."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw

from lora.checks import detail
from lora.models.base_model import Base
from tests.lora.checks.drawings import DEMO, codes


def test_detail_that_a_vae_loses(nano: Base) -> None:
    """Hatching of one pixel is lost in the bundled base's VAE, a drawing of the example set is not."""
    fine = Image.new("RGBA", (512, 512))
    draw, rng = ImageDraw.Draw(fine), random.Random(1)
    draw.ellipse((40, 40, 470, 470), fill=(250, 240, 220, 255))
    for _ in range(400):
        x, y = rng.randrange(60, 440), rng.randrange(60, 440)
        draw.line((x, y, x + rng.randrange(-60, 60), y + rng.randrange(-60, 60)), fill=(20, 20, 30, 255))
    good = Image.open(DEMO / "bug.png").convert("RGBA")
    found = [finding for finding in detail.check(nano, [good, fine]) if finding]
    assert codes(found) == {"fine-detail": [(2,)]}
    assert 10 < float(found[0].detail) < detail.LEAST_DB
