"""How well the background is removed, against the drawings' true alpha.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.cutout

200 drawings of concepts that no training saw, 256 px, on white, on the base's background colour farthest from the
drawing's own palette, and (for information) softened and noisy, and on textures. IoU of alpha over one half.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from lora.cutout import cut_out, remover
from lora.jobs import JobError
from lora.nano import BACKGROUNDS
from lora.pretrain.augment import premultiplied
from lora.pretrain.cutout import Scenes

DRAWINGS = 200


def on(colour: tuple[int, int, int], rgba: Tensor) -> Tensor:
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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--cache", type=Path, default=Path("data/cache"))
    args = parser.parse_args()
    stored = load_file(args.dir / "drawings.safetensors")
    unseen = stored["pictures"][stored["held_out"]]
    pictures = unseen[torch.randperm(len(unseen), generator=torch.Generator().manual_seed(200))[:DRAWINGS]]
    scenes = Scenes(pictures, 5)
    network = remover(args.cache)

    def iou(image: Tensor, alpha: Tensor, background: tuple[int, int, int] | None) -> float:
        picture = Image.fromarray((image * 255).round().byte().permute(1, 2, 0).numpy())
        true = alpha.numpy() > 0.5
        try:
            found = np.asarray(cut_out(picture, network, background).getchannel("A")) > 127
        except JobError:
            return 0.0
        return float((found & true).sum() / max(1, (found | true).sum()))

    def textured(rgba: Tensor) -> Tensor:
        ground = scenes.backgrounds(F.pad(rgba, (32,) * 4)[None])[0, :, 32:-32, 32:-32]
        return rgba[:3] + (1 - rgba[3:]) * ground

    rows: dict[str, Callable[[int, Tensor], tuple[Tensor, tuple[int, int, int] | None]]] = {
        "white": lambda i, d: (on(BACKGROUNDS["white"], d), BACKGROUNDS["white"]),
        "far colour": lambda i, d: (on(farthest(d), d), farthest(d)),
        "white, softened": lambda i, d: (softened(on(BACKGROUNDS["white"], d), i), BACKGROUNDS["white"]),
        "far colour, softened": lambda i, d: (softened(on(farthest(d), d), i), farthest(d)),
        "any background": lambda i, d: (textured(d), None),
    }
    drawings = [premultiplied(p[None])[0] for p in pictures]
    for name, scene in rows.items():
        values = [iou(*_scene(scene, i, d)) for i, d in enumerate(drawings)]
        low = sum(value < 0.9 for value in values)
        print(
            f"{name}: mean IoU {statistics.mean(values):.4f}, under 0.9: {low} of {len(values)}", flush=True
        )


def _scene(
    scene: Callable[[int, Tensor], tuple[Tensor, tuple[int, int, int] | None]], i: int, drawing: Tensor
) -> tuple[Tensor, Tensor, tuple[int, int, int] | None]:
    image, background = scene(i, drawing)
    return image, drawing[3], background


if __name__ == "__main__":
    main()
