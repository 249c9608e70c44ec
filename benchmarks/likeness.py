"""Measures whether the same picture is found however it was sent, and whether different ones are told apart.

    python -m lora.pretrain.drawings fetch
    python -m benchmarks.likeness [--sent 12] [--apart 150]

Each of the ten open sets: so many drawings sent in other ways, each compared with its file; and so many drawings of one
set, the first by name, each compared with each other one, as files and as photos. Drawings whose pixels are equal under
two names are left out.
"""

from __future__ import annotations

import argparse
import io
import random
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image

from lora.checks.likeness import Likeness, likeness, near, same
from lora.pretrain.drawings import Drawing, load_named, render

SIDE = 512


def on(image: Image.Image, colour: str) -> Image.Image:
    """An RGBA picture on a colour."""
    ground = Image.new("RGBA", image.size, colour)
    ground.alpha_composite(image)
    return ground.convert("RGB")


def saved(image: Image.Image, format: str, quality: int) -> Image.Image:
    """A picture saved and opened again, as RGBA."""
    out = io.BytesIO()
    image.save(out, format, quality=quality)
    return Image.open(out).convert("RGBA")


def resized(image: Image.Image, side: int) -> Image.Image:
    """A square picture in another size."""
    return image.resize((side, side), Image.Resampling.LANCZOS)


def sticker(image: Image.Image) -> Image.Image:
    """As a Telegram app makes a sticker of it: without its margins, the longer side 512 px."""
    image = image.crop(image.getbbox())
    scale = SIDE / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return saved(image.resize(size, Image.Resampling.LANCZOS), "WEBP", 85)


WAYS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "photo, 512 px": lambda image: saved(on(image, "white"), "JPEG", 87),
    "photo, 320 px": lambda image: saved(resized(on(image, "white"), 320), "JPEG", 87),
    "photo, 1280 px": lambda image: saved(resized(on(image, "white"), 1280), "JPEG", 80),
    "photo, JPEG quality 50": lambda image: saved(on(image, "white"), "JPEG", 50),
    "photo on black": lambda image: saved(on(image, "black"), "JPEG", 87),
    "photo on light green": lambda image: saved(on(image, "#b4dca0"), "JPEG", 87),
    "sticker": sticker,
    "WebP, quality 50": lambda image: saved(image, "WEBP", 50),
    "file, 320 px": lambda image: resized(image, 320),
}


def found(drawings: list[Drawing]) -> dict[str, int]:
    """By the way of sending: how many of these drawings are found again."""
    images = [Image.fromarray(render(drawing.svg, SIDE)) for drawing in drawings]
    files = [likeness(image) for image in images]
    return {
        name: sum(same(likeness(way(image)), file) for image, file in zip(images, files, strict=True))
        for name, way in WAYS.items()
    }


def taken_for_another(drawings: list[Drawing]) -> Iterator[tuple[str, str, bool]]:
    """The pairs of different drawings that are near, and whether they count as the same."""
    pixels = [render(drawing.svg, SIDE // 2) for drawing in drawings]
    images = [Image.fromarray(one) for one in pixels]
    files = [likeness(image) for image in images]
    photos = [likeness(on(image, "white").convert("RGBA")) for image in images]
    for one, other in combinations(range(len(drawings)), 2):
        pairs: list[tuple[Likeness, Likeness]] = [(files[one], files[other]), (photos[one], files[other])]
        if any(near(*pair) for pair in pairs) and not np.array_equal(pixels[one], pixels[other]):
            yield drawings[one].concept, drawings[other].concept, any(same(*pair) for pair in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.likeness", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--sent", type=int, default=12, help="drawings of each set that are sent")
    parser.add_argument("--apart", type=int, default=150, help="drawings of each set that are compared")
    args = parser.parse_args()
    sets: dict[str, list[Drawing]] = {}
    for drawing in load_named(args.dir):
        sets.setdefault(drawing.style, []).append(drawing)
    rng = random.Random(0)
    sent = [drawing for some in sets.values() for drawing in rng.sample(some, min(args.sent, len(some)))]
    for way, count in found(sent).items():
        print(f"{way}: {count} of {len(sent)} found")
    for style, some in sets.items():
        wrong = list(taken_for_another(some[: args.apart]))
        print(
            f"{style}: {sum(equal for *_, equal in wrong)} pairs the same, {len(wrong)} near {wrong[:5]}",
            flush=True,
        )


if __name__ == "__main__":
    main()
