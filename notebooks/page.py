"""What both notebooks share: their working folder, and pictures small enough to be stored in them."""

from __future__ import annotations

import io
import json
import math
import os
import sys
import warnings
from pathlib import Path

import numpy as np
from IPython import display
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).resolve().parents[1]
QUALITY = 85  # of the JPEGs in a notebook
MEAN_OF = 25  # steps


def begin() -> None:
    """Change to the repository's folder, and let ``python`` in shell commands be the one that runs this notebook."""
    os.chdir(ROOT)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported, as in python -m lora
    sys.path.insert(0, str(ROOT))
    warnings.filterwarnings("ignore", message="IProgress not found")  # tqdm asks for widgets
    os.environ["PATH"] = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))


def show(picture: Path | bytes | Image.Image, width: int = 1000) -> display.Image:
    """A picture, its file or the file's content, as a JPEG of at most ``width`` px."""
    if isinstance(picture, Path):
        picture = picture.read_bytes()
    image = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else picture
    image = image.convert("RGB")
    image.thumbnail((width, 10 * width), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, optimize=True)
    return display.Image(data=out.getvalue(), format="jpeg")


def losses(run: Path) -> tuple[np.ndarray, np.ndarray]:
    """Steps and losses [n] of a run's metrics.jsonl."""
    from lora.cli.run_folder import METRICS  # after ``begin``, which makes lora importable

    lines = [json.loads(line) for line in (run / METRICS).read_text().splitlines()]
    lines = [line for line in lines if "loss" in line]
    return np.array([line["step"] for line in lines]), np.array([line["loss"] for line in lines])


def running_mean(values: np.ndarray) -> np.ndarray:
    """The mean of each value and up to ``MEAN_OF - 1`` values before it [n]."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - MEAN_OF)
    return (sums[ends] - sums[starts]) / (ends - starts)


def loss_curve(run: Path) -> Image.Image:
    """A plot: the loss of every step as a dot, and the running mean as a line."""
    from lora.sheets.curves import HUES
    from lora.sheets.paint import FAINT, INK, LINE, PAPER

    steps, values = losses(run)
    plot = Image.new("RGB", (900, 380), PAPER)
    pen = ImageDraw.Draw(plot)
    left, top, right, bottom = 80, 60, 870, 320
    tick = _tick(float(values.max()) / 4)
    highest = tick * math.ceil(float(values.max()) / tick)

    def at(step: float, value: float) -> tuple[float, float]:
        return left + (right - left) * step / steps[-1], bottom - (bottom - top) * value / highest

    pen.text((left, 16), f"Loss of each step, and the mean of {MEAN_OF}", fill=INK, font=_font(20))
    for number in range(round(highest / tick) + 1):
        _, y = at(0, tick * number)
        pen.line((left, y, right, y), fill=LINE)
        pen.text((left - 10, y), f"{tick * number:g}", fill=FAINT, font=_font(13), anchor="rm")
    for step in range(0, int(steps[-1]) + 1, int(_tick(steps[-1] / 6)) or 1):
        pen.text((at(step, 0)[0], bottom + 10), str(step), fill=INK, font=_font(13), anchor="ma")
    pen.text(((left + right) / 2, bottom + 34), "training steps", fill=FAINT, font=_font(14), anchor="ma")
    points = [at(step, value) for step, value in zip(steps, values, strict=True)]
    for x, y in points:
        pen.ellipse((x - 2, y - 2, x + 2, y + 2), fill=(176, 202, 236))
    line = [at(step, mean) for step, mean in zip(steps, running_mean(values), strict=True)]
    pen.line(line[MEAN_OF - 1 :], fill=HUES["style"], width=3, joint="curve")
    return plot


def _tick(least: float) -> float:
    """The smallest of 1, 2, 5 and 10 times a power of ten that is not less than ``least``."""
    power = 10 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
