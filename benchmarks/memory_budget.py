"""What drawing one picture of SD 2.1 holds in a GPU's memory: tensors that are there at the same time, part by part.

    python -m benchmarks.memory_budget

Nothing is computed: the product's own modules run on torch's ``meta`` device, and the bytes of their tensors are
counted from the first use of their storage to its end. What cuBLAS and cuDNN take beside tensors is not in it.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from benchmarks import speed_budget
from lora.drawing import captured, half_decoder, mixed_batches
from lora.drawing.half_decoder import PROBE, Decoder
from lora.models import sd21
from lora.models.base_model import Base
from lora.models.picture_norm import use_picture_norms
from lora.models.profiles import profile_of, shape_of

META = torch.device("meta")
BLOCK = 512  # bytes; torch's allocator on a GPU rounds up to a multiple


class Live(TorchDispatchMode):
    """Counts the bytes of tensors on ``meta`` that are made within it: ``now``, and ``peak`` since ``reset``."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for one in tree_leaves(out):
            if isinstance(one, Tensor) and one.device == META:
                self._see(one.untyped_storage())
        return out

    def _see(self, storage: Any) -> None:
        key = storage._cdata
        if key not in self._known:
            self._known[key] = -(-storage.nbytes() // BLOCK) * BLOCK
            self.now += self._known[key]
            self.peak = max(self.peak, self.now)
            weakref.finalize(storage, self._gone, key)

    def _gone(self, key: int) -> None:
        self.now -= self._known.pop(key)

    def reset(self) -> None:
        self.peak = self.now


def drawing(*, small: bool) -> dict[str, tuple[int, int]]:
    """Of each part of the first drawing, in bytes: what stays, and the peak. ``small``: as on a card of 8 GB."""
    found = {}
    with torch.no_grad(), _without_values(), Live() as live:

        def done(part: str) -> None:
            found[part] = live.now, live.peak
            live.reset()

        base = _base()
        live.reset()
        done("base")
        made = mixed_batches.made_for(base, small=small)
        done("buffers and decoder made")
        base.text_encoder.to(META)
        base.text_encoder(torch.zeros(2, 77, dtype=torch.long, device=META))
        done("texts")
        if small:
            _to_main_memory(base.text_encoder)
            live.reset()
        made._set(1, made.alone)
        made._texts_to_keys(2, made.alone)
        made._step_of(1, True, made.alone)()
        done("a step")
        made._decode(1)
        done("decoded")
    return found


def _base() -> Base:
    from diffusers import AutoencoderKL, DDIMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel

    parts = sd21.settings(sd21.EPSILON_512)
    unet = speed_budget.denoiser()
    with META:
        vae = AutoencoderKL(**parts["vae"]).requires_grad_(False).eval()
        text = CLIPTextModel(CLIPTextConfig(**parts["text_encoder"])).to(torch.bfloat16).requires_grad_(False)
    use_picture_norms(vae.to(memory_format=torch.channels_last).encoder)
    scheduler: Any = DDIMScheduler(**sd21.SCHEDULER)
    return Base(
        name="shape", folder=Path(), hash="", profile=profile_of(shape_of(unet.config, scheduler.config)),
        unet=unet, vae=vae, text_encoder=text.eval(), tokenizer=None, scheduler=scheduler,
        device=META, dtype=torch.bfloat16,
    )  # fmt: skip


@contextmanager
def _without_values() -> Iterator[None]:
    """Within it, attention keeps no weights, as on a GPU, and what looks at values or moves them does not."""
    with (
        patch.object(F, "scaled_dot_product_attention", lambda query, *_, **__: torch.empty_like(query)),
        patch.object(captured, "decoder_of", _decoder_of),
        patch.object(captured, "free_text_encoder", lambda base: _to_main_memory(base.text_encoder)),
        patch.object(captured, "free_for_drawing", lambda base: _to_main_memory(base.vae)),
    ):
        yield


def _decoder_of(base: Base, *, lean: bool) -> Decoder:
    """``half_decoder.decoder_of`` where float16 looks the same."""
    made = Decoder(base, torch.float16, bands=True, lean=lean)
    side = PROBE // 2 if lean else PROBE
    probe = torch.zeros(1, base.unet.config.in_channels, side, side, device=META)
    right = half_decoder._levels(base.decode(probe))
    (half_decoder._levels(made(probe)) - right).abs_()
    return made


def _to_main_memory(network: Any) -> None:
    for module in network.modules():
        for name, weight in module._parameters.items():
            if weight is not None:
                there = torch.empty(weight.shape, dtype=weight.dtype)
                module._parameters[name] = nn.Parameter(there, requires_grad=False)


def main() -> None:
    for small in (True, False):
        print(
            f"as on a {'card of 8 GB' if small else 'large card'}, GB: there after the part / at most in it"
        )
        for part, (now, peak) in drawing(small=small).items():
            print(f"  {part:<26}{now / 1e9:6.2f} / {peak / 1e9:.2f}")


if __name__ == "__main__":
    main()
