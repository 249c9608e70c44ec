"""Features of drawings from EfficientNet-lite0 (ImageNet weights, Apache-2.0), to compare them by.

The network is the product's (``lora.evaluation.scorers.efficientnet``). Framing and comparison are this file's own, so
that figures stay comparable when the product changes its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lora.evaluation.scorers.efficientnet import network, seen

SIDE = 224
MARGIN = 0.08


def framed(rgb: Image.Image, side: int = SIDE) -> Image.Image:
    """A drawing on white, cropped to its ink with an even margin and padded to a square of ``side`` pixels."""
    ink = (np.asarray(rgb.convert("RGB")).astype(int) < 240).any(axis=2)
    ys, xs = np.nonzero(ink)
    if len(ys) == 0:
        return Image.new("RGB", (side, side), "white")
    cut = rgb.crop((int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1))
    edge = round(max(cut.size) * (1 + 2 * MARGIN))
    square = Image.new("RGB", (edge, edge), "white")
    square.paste(cut, ((edge - cut.width) // 2, (edge - cut.height) // 2))
    return square.resize((side, side), Image.Resampling.BICUBIC)


@dataclass(frozen=True, kw_only=True)
class PictureFeatures:
    """Features of N drawings: ``subject`` depends on what is drawn, ``style`` on how."""

    subject: Tensor  # [N, 1280], the pooled last features
    style: Tensor  # [N, 320], mean and standard deviation over the picture of the channels of STYLE_BLOCKS


@torch.inference_mode()
def extract(pictures: Sequence[Image.Image], device: str | torch.device = "cpu") -> PictureFeatures:
    """The features of RGB drawings on white, on the CPU."""
    model = network(str(device))
    subjects, styles = [], []
    for start in range(0, len(pictures), 64):
        batch = np.stack([np.asarray(framed(p)) for p in pictures[start : start + 64]])
        tensor = torch.from_numpy((batch.astype(np.float32) - 127) / 128).permute(0, 3, 1, 2).to(device)
        style, last = seen(model, tensor)
        subjects.append(last.mean(dim=(2, 3)).cpu())
        styles.append(style.cpu())
    return PictureFeatures(subject=torch.cat(subjects), style=torch.cat(styles))


def features(pictures: Sequence[Image.Image], device: str | torch.device = "cpu") -> Tensor:
    """The subject features, float [N, 1280], of RGB drawings on white."""
    return extract(pictures, device).subject


def nearest(queries: Tensor, references: Tensor, allowed: Tensor) -> Tensor:
    """The index of each query's nearest reference [queries], by cosine of features z-scored over the references.

    ``allowed`` is bool [queries, references]: the references that a query may be compared with.
    """
    mean, std = references.mean(dim=0), references.std(dim=0).clamp_min(1e-6)
    q = torch.nn.functional.normalize((queries - mean) / std, dim=1)
    r = torch.nn.functional.normalize((references - mean) / std, dim=1)
    return (q @ r.T).masked_fill(~allowed, -2).argmax(dim=1)
