"""The denoiser's training data: every drawing in many scenes, as latents with their captions.

Processes that train together share the work: each makes its part of the variants.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.distributed as dist
from diffusers import AutoencoderKL
from torch import Tensor

from lora.data.captions import encode
from lora.pretrain import scenes
from lora.pretrain.acts.act import Source
from lora.pretrain.acts.plan import Cast
from lora.pretrain.acts.pool import Pool, Rows, Wanted
from lora.pretrain.augment import BACKGROUND_NAMES, background_colours, on_background
from lora.pretrain.captions import described, styled

KINDS = ["plain"] * 6 + ["look"] * 6 + ["acted"] * 8 + ["coloured"] * 2 + ["pair"] + ["several"]
FORMS = 4  # captions of each variant
LENGTH = 77
CHUNK = 128


@cache
def _tokens(word: str) -> tuple[int, ...]:
    """CLIP splits at spaces, so the ids of a caption are those of its words in a row."""
    return tuple(encode(word)[1:-1])


class Vocabulary:
    """CLIP's ids of the kept tokens in a compact numbering, whose 0 stands for every other token."""

    def __init__(self, kept: Tensor) -> None:
        self.kept = kept.tolist()
        self.bos, self.eos = encode("")
        self._row = np.zeros(self.eos + 1, dtype=np.int64)
        self._row[self.kept] = np.arange(1, len(self.kept) + 1)

    def rows(self, text: str, length: int = LENGTH) -> list[int]:
        """The compact ids of a text, padded with the end token, as in the pipeline."""
        ids = [self.bos, *(i for word in text.split() for i in _tokens(word))][: length - 1]
        return self.compact(np.array(ids + [self.eos] * (length - len(ids)))).tolist()

    def compact(self, ids: np.ndarray) -> np.ndarray:
        """CLIP's ids as compact ones."""
        found: np.ndarray = self._row[ids]
        return found


class Variants:
    """Latents bf16 [N, V, 8, 32, 32] and caption rows int16 [N, V, FORMS, 77], on the device.

    The constructor decides the scenes, makes the captions, and starts processes that make the pictures which are not
    made on the device; ``encode`` makes the latents. ``files`` hold the drawings (``drawings.safetensors`` and so on),
    and ``used`` says which of their rows they are. Of each drawing there are ``times`` variants of each of KINDS. If
    several processes train together, each makes its part of the rows, and ``encode`` gives all parts to all.
    """

    latents: Tensor
    captions: Tensor

    def __init__(
        self,
        drawings: list[dict[str, object]],
        vocabulary: Vocabulary,
        generator: torch.Generator,
        seed: int,
        *,
        files: Sequence[Path],
        used: Sequence[int],
        times: int = 1,
    ) -> None:
        rng = Random(seed)
        rank, count = (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)
        self._rows = part(len(drawings), rank, count)
        self._kinds = KINDS * times
        concepts = [str(drawing["concept"]) for drawing in drawings]
        cast = Cast(drawings, Source(Rows(files, used), concepts))
        self._planned = scenes.plan(self._kinds, drawings, self._rows, rng, cast)
        self._pool = Pool(
            files, used, concepts, self._wanted(), share=int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        )
        self._worn = frozenset(row for row, d in enumerate(drawings) if d["concept"] in scenes.EYEWEAR)
        self._generator = generator
        device = generator.device
        shape = (len(self._rows), len(self._kinds))
        backgrounds = torch.randint(1, len(BACKGROUND_NAMES), shape, generator=generator, device=device)
        white = torch.rand(shape, generator=generator, device=device) < 0.55
        self._backgrounds = torch.where(white, 0, backgrounds)
        self._captions = self._captioned(drawings, vocabulary, rng).to(device)

    def _wanted(self) -> list[Wanted]:
        """What other processes make, in the order in which ``encode`` needs it."""
        return [
            Wanted(row=row, act=planned[variant].act, look=planned[variant].look)
            for variant, kind in enumerate(self._kinds)
            if kind in scenes.OUTSIDE
            for row, planned in zip(self._rows, self._planned, strict=True)
        ]

    @torch.no_grad()
    def encode(self, pictures: Tensor, vae: AutoencoderKL) -> None:
        """Make the latents of the drawings' ``pictures``, uint8 [N, 4, 256, 256], straight alpha."""
        device, generator = pictures.device, self._generator
        colours = background_colours(device)
        own = torch.tensor(self._rows, device=device)
        latents = torch.empty(len(own), len(self._kinds), 8, 32, 32, dtype=torch.bfloat16, device=device)
        outside = (picture for chunk in self._pool for picture in chunk)
        for variant, kind in enumerate(self._kinds):
            for places in torch.arange(len(own), device=device).split(CHUNK):
                wanted = [self._planned[place][variant] for place in places.tolist()]
                if kind in scenes.OUTSIDE:
                    made = np.stack([next(outside) for _ in wanted])
                    rgba = scenes.placed(torch.from_numpy(made).to(device), generator)
                else:
                    rgba = scenes.draw(pictures, own[places], wanted, self._worn, generator)
                images = on_background(rgba, colours[self._backgrounds[places, variant]])
                images = images.contiguous(memory_format=torch.channels_last)
                with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                    latents[places, variant] = vae.encode(images).latent_dist.mode().bfloat16()
        next(outside, None)  # the pool ends its processes
        self.latents, self.captions = gathered(latents), gathered(self._captions)

    def _captioned(self, drawings: list[dict[str, object]], vocabulary: Vocabulary, rng: Random) -> Tensor:
        names = [[BACKGROUND_NAMES[i] for i in row] for row in self._backgrounds.tolist()]
        rows = [
            vocabulary.rows(
                styled(str(d["style"]), described(d, scene, drawings, rng), background, rng, scene.look)
            )
            for d, planned, on in zip((drawings[i] for i in self._rows), self._planned, names, strict=True)
            for scene, background in zip(planned, on, strict=True)
            for _ in range(FORMS)
        ]
        table = np.array(rows, dtype=np.int16)
        return torch.from_numpy(table).view(len(self._rows), len(self._kinds), FORMS, LENGTH)

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random latents, float [size, 8, 32, 32], and their compact caption ids [size, 77]."""

        def pick(high: int) -> Tensor:
            return torch.randint(high, (size,), generator=generator, device=self.latents.device)

        rows, variants, forms = pick(len(self.latents)), pick(len(self._kinds)), pick(FORMS)
        return self.latents[rows, variants].float(), self.captions[rows, variants, forms].long()


def part(rows: int, rank: int, count: int) -> list[int]:
    """The rows of one process of ``count``: all parts have the same length, so the last may begin again at row 0."""
    return [(rank + at * count) % rows for at in range(-(-rows // count))]


def gathered(own: Tensor) -> Tensor:
    """The parts [n, ...] of all processes, one after another: [count * n, ...]."""
    if not dist.is_initialized():
        return own
    # As bytes, because NCCL has no 16-bit integers.
    sent = own.contiguous().view(torch.uint8)
    received = [torch.empty_like(sent) for _ in range(dist.get_world_size())]
    dist.all_gather(received, sent)
    return torch.cat(received).view(own.dtype)
