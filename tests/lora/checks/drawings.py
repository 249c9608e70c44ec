"""Drawings for the checks, and what the checks found, in short."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from lora.checks import pictures
from lora.jobs import Finding

DEMO = Path(__file__).parents[3] / "data" / "demo"
GOOD = ("zorvex a red fox waving", "zorvex a blue whale", "zorvex a cat asleep", "zorvex a tall lamp")


def codes(findings: Sequence[Finding]) -> dict[str, list[tuple[int, ...]]]:
    found: dict[str, list[tuple[int, ...]]] = {}
    for finding in findings:
        found.setdefault(finding.code, []).append(finding.samples)
    return found


def png(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def drawing(seed: int, size: int = 512) -> Image.Image:
    """Some big shapes on nothing: what a drawing is to these checks."""
    rng = random.Random(seed)
    image = Image.new("RGBA", (size, size))
    draw = ImageDraw.Draw(image)
    for _ in range(7):
        x, y = rng.randrange(size // 2), rng.randrange(size // 2)
        box = (x, y, x + rng.randrange(size // 8, size // 2), y + rng.randrange(size // 8, size // 2))
        draw.ellipse(box, fill=(rng.randrange(256), rng.randrange(256), rng.randrange(256), 255))
    return image


def looks(*images: Image.Image | bytes) -> list[pictures.PictureSummary]:
    return [pictures.summarise(image if isinstance(image, bytes) else png(image)) for image in images]


def write(folder: Path, rows: Sequence[object]) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder
