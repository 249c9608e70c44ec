"""Measures how well the background is removed, against the drawings' true alpha.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.cutout [--row textures] [--model NAME|FILE.onnx] [--count 40]

200 drawings of concepts that no training saw, 256 px: on white, on the base's background colour farthest from the
drawing's own colours, and on four kinds of textures that differ from those of training: gradients, stripes, noise, and
clutter as in a photograph. Each is also measured softened and with noise. The figures are the IoU of alpha > 0.5, the
seconds of a picture, and the most memory of the process, torch included. ``benchmarks/isnet.py`` gets a larger network.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from lora.drawing.cutout import cut_out, remover
from lora.drawing.cutout_names import BUNDLED
from lora.jobs import JobError
from lora.models.sticker_nano import BACKGROUNDS
from lora.pretrain.augment import premultiplied

DRAWINGS = 200


def on_colour(colour: tuple[int, int, int], rgba: Tensor) -> Tensor:
    """Premultiplied float [4, H, W] on a flat colour: RGB float [3, H, W] in [0, 1]."""
    return rgba[:3] + (1 - rgba[3:]) * (torch.tensor(colour) / 255)[:, None, None]


def farthest(rgba: Tensor) -> tuple[int, int, int]:
    """The background whose nearest colour in the drawing (2nd percentile) is farthest away."""
    own = (rgba[:3] / rgba[3:].clamp_min(1e-6))[:, rgba[3] > 0.9].T

    def distance(colour: tuple[int, int, int]) -> float:
        return torch.quantile((own - torch.tensor(colour) / 255).norm(dim=1)[::7], 0.02).item()

    return max(BACKGROUNDS.values(), key=distance)


def softened(image: Tensor, seed: int) -> Tensor:
    """A slight blur and noise of one standard deviation of 2/255."""
    soft = F.avg_pool2d(F.pad(image[None], (1,) * 4, mode="replicate"), 3, 1)[0] * 0.5 + image * 0.5
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))
    return (soft + noise * 2 / 255).clamp(0, 1)


def _chance(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(9_000_000 + seed)


def gradient(seed: int, side: int) -> Tensor:
    """A gradient of two colours along a line or around a point. RGB [3, side, side] in [0, 1]."""
    chance = _chance(seed)
    first, second = torch.rand(2, 3, 1, 1, generator=chance)
    x, y = (torch.rand(2, generator=chance) * 2 - 1).tolist()
    line = torch.linspace(-1, 1, side)
    across = line[None, :].expand(side, side)
    down = line[:, None].expand(side, side)
    if seed % 8 < 4:
        share = (x * across + y * down) / (abs(x) + abs(y) + 1e-6) * 0.5 + 0.5
    else:
        share = ((across - x).square() + (down - y).square()).sqrt() / 2.9
    return first + (second - first) * share[None].clamp(0, 1)


def stripes(seed: int, side: int) -> Tensor:
    """Two colours in hard stripes, 3 to 30 px wide, or in a checkerboard."""
    chance = _chance(seed)
    first, second = torch.rand(2, 3, 1, 1, generator=chance)
    angle, width, checked = torch.rand(3, generator=chance).tolist()
    px = torch.arange(side).float()
    cos, sin, wide = np.cos(angle * np.pi), np.sin(angle * np.pi), 3 + 27 * width
    one = ((cos * px[None, :] + sin * px[:, None]) / wide).floor() % 2
    other = ((cos * px[:, None] - sin * px[None, :]) / wide).floor() % 2
    return torch.where((one != other if checked < 0.3 else one > 0)[None], first, second)


def noise(seed: int, side: int) -> Tensor:
    """Coloured noise around a mean colour, with the same amplitude at every scale from 2 px to half the picture."""
    chance = _chance(seed)
    total = torch.rand(3, 1, 1, generator=chance).expand(3, side, side).clone()
    for cells in (2, 4, 8, 16, 32, 64, 128):
        cell = torch.rand(1, 3, cells, cells, generator=chance) - 0.5
        total += 0.16 * F.interpolate(cell, side, mode="bilinear", align_corners=False)[0]
    return total.clamp(0, 1)


def clutter(seed: int, side: int) -> Tensor:
    """Like an unsharp photograph of a table: shaded things on each other, darker corners, grain."""
    chance = _chance(seed)
    picture = gradient(seed, side)
    px = torch.arange(side).float()
    for number in range(14):
        x, y, wide, high, angle = torch.rand(5, generator=chance).tolist()
        colour = torch.rand(3, 1, 1, generator=chance)
        turned_x = (px[None, :] - x * side) * np.cos(angle * 3) + (px[:, None] - y * side) * np.sin(angle * 3)
        turned_y = (px[:, None] - y * side) * np.cos(angle * 3) - (px[None, :] - x * side) * np.sin(angle * 3)
        u, v = turned_x / (20 + 60 * wide), turned_y / (20 + 60 * high)
        inside = (u.square() + v.square() < 1) if number % 2 else (torch.maximum(u.abs(), v.abs()) < 1)
        lit = colour * (0.75 + 0.35 * (-u - v).clamp(-1, 1))
        picture = torch.where(inside[None], lit, picture)
    picture = F.avg_pool2d(F.pad(picture[None], (3,) * 4, mode="replicate"), 7, 1)[0]
    falloff = 1 - 0.3 * ((px[None, :] / side - 0.5).square() + (px[:, None] / side - 0.5).square())
    grain = 0.02 * torch.randn(3, side, side, generator=chance)
    return (picture * falloff + grain).clamp(0, 1)


TEXTURES = (gradient, stripes, noise, clutter)


def textured(rgba: Tensor, seed: int) -> Tensor:
    """A drawing on a texture; the seed decides its kind. Premultiplied [4, H, W] -> RGB [3, H, W] in [0, 1]."""
    return rgba[:3] + (1 - rgba[3:]) * TEXTURES[seed % len(TEXTURES)](seed, rgba.shape[-1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--cache", type=Path, default=Path("data/cache"))
    parser.add_argument("--model", default=BUNDLED, help="as cutout.model in config.toml")
    parser.add_argument("--count", type=int, default=DRAWINGS)
    parser.add_argument("--row", action="append", help="one of the table's rows; default: all")
    args = parser.parse_args()
    stored = load_file(args.dir / "drawings.safetensors")
    unseen = stored["pictures"][stored["held_out"]]
    pictures = unseen[torch.randperm(len(unseen), generator=torch.Generator().manual_seed(200))[: args.count]]
    network = remover(args.cache, args.model)

    def iou(image: Tensor, alpha: Tensor, background: tuple[int, int, int] | None) -> float:
        picture = Image.fromarray((image * 255).round().byte().permute(1, 2, 0).numpy())
        true = alpha.numpy() > 0.5
        try:
            found = np.asarray(cut_out(picture, network, background).getchannel("A")) > 127
        except JobError:
            return 0.0
        return float((found & true).sum() / max(1, (found | true).sum()))

    rows: dict[str, Callable[[int, Tensor], tuple[Tensor, tuple[int, int, int] | None]]] = {
        "white": lambda i, d: (on_colour(BACKGROUNDS["white"], d), BACKGROUNDS["white"]),
        "far colour": lambda i, d: (on_colour(farthest(d), d), farthest(d)),
        "white, softened": lambda i, d: (
            softened(on_colour(BACKGROUNDS["white"], d), i),
            BACKGROUNDS["white"],
        ),
        "far colour, softened": lambda i, d: (softened(on_colour(farthest(d), d), i), farthest(d)),
        "textures": lambda i, d: (textured(d, i), None),
        "textures, softened": lambda i, d: (softened(textured(d, i), i), None),
    }
    drawings = [premultiplied(p[None])[0] for p in pictures]
    if unknown := set(args.row or ()) - set(rows):
        parser.error(f"{', '.join(unknown)}: the rows are {', '.join(rows)}")
    for name in args.row or rows:
        scene = rows[name]
        values, seconds = [], []
        for i, drawing in enumerate(drawings):
            asked = _scene(scene, i, drawing)
            began = time.perf_counter()
            values.append(iou(*asked))
            seconds.append(time.perf_counter() - began)
        low = sum(value < 0.9 for value in values)
        print(
            f"{name}: mean IoU {statistics.mean(values):.4f}, under 0.9: {low} of {len(values)},"
            f" {statistics.median(seconds):.2f} s a picture, {_peak_mb()} MB",
            flush=True,
        )
        if name.startswith("textures"):
            for kind, texture in enumerate(TEXTURES):
                mean = statistics.mean(values[kind :: len(TEXTURES)])
                print(f"  {texture.__name__}: {mean:.4f}", flush=True)


def _peak_mb() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _scene(
    scene: Callable[[int, Tensor], tuple[Tensor, tuple[int, int, int] | None]], i: int, drawing: Tensor
) -> tuple[Tensor, Tensor, tuple[int, int, int] | None]:
    image, background = scene(i, drawing)
    return image, drawing[3], background


if __name__ == "__main__":
    main()
