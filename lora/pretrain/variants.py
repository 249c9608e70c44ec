"""The denoiser's training data: every drawing in many scenes, as latents with their captions.

Each process makes its own variants from its own seed, so two GPUs see twice as many.
"""

from __future__ import annotations

from functools import cache
from random import Random

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from lora.data.captions import encode
from lora.pretrain import scenes
from lora.pretrain.augment import BACKGROUND_NAMES, background_colours, on_background
from lora.pretrain.captions import described, styled

KINDS = ["plain"] * 13 + ["coloured"] * 4 + ["pair"] * 2 + ["several"]
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

    The constructor decides the scenes and makes the captions; ``encode`` makes the latents.
    """

    latents: Tensor

    def __init__(
        self,
        drawings: list[dict[str, object]],
        vocabulary: Vocabulary,
        generator: torch.Generator,
        seed: int,
    ) -> None:
        rng = Random(seed)
        self._planned = scenes.plan(KINDS, drawings, rng)
        self._worn = frozenset(row for row, d in enumerate(drawings) if d["concept"] in scenes.EYEWEAR)
        self._generator = generator
        device = generator.device
        backgrounds = torch.randint(
            1, len(BACKGROUND_NAMES), (len(drawings), len(KINDS)), generator=generator, device=device
        )
        white = torch.rand(backgrounds.shape, generator=generator, device=device) < 0.55
        self._backgrounds = torch.where(white, 0, backgrounds)
        self.captions = self._captioned(drawings, vocabulary, rng).to(device)

    @torch.no_grad()
    def encode(self, pictures: Tensor, vae: AutoencoderKL) -> None:
        """Make the latents of the drawings' ``pictures``, uint8 [N, 4, 256, 256], straight alpha."""
        device, generator = pictures.device, self._generator
        colours = background_colours(device)
        latents = torch.empty(len(pictures), len(KINDS), 8, 32, 32, dtype=torch.bfloat16, device=device)
        for variant in range(len(KINDS)):
            for rows in torch.arange(len(pictures), device=device).split(CHUNK):
                wanted = [self._planned[row][variant] for row in rows.tolist()]
                rgba = scenes.draw(pictures, rows, wanted, self._worn, generator)
                images = on_background(rgba, colours[self._backgrounds[rows, variant]])
                images = images.contiguous(memory_format=torch.channels_last)
                with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                    latents[rows, variant] = vae.encode(images).latent_dist.mode().bfloat16()
        self.latents = latents

    def _captioned(self, drawings: list[dict[str, object]], vocabulary: Vocabulary, rng: Random) -> Tensor:
        names = [[BACKGROUND_NAMES[i] for i in row] for row in self._backgrounds.tolist()]
        rows = [
            vocabulary.rows(styled(str(d["style"]), described(d, scene, drawings, rng), background, rng))
            for d, planned, on in zip(drawings, self._planned, names, strict=True)
            for scene, background in zip(planned, on, strict=True)
            for _ in range(FORMS)
        ]
        table = np.array(rows, dtype=np.int16)
        return torch.from_numpy(table).view(len(drawings), len(KINDS), FORMS, LENGTH)

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random latents, float [size, 8, 32, 32], and their compact caption ids [size, 77]."""

        def pick(high: int) -> Tensor:
            return torch.randint(high, (size,), generator=generator, device=self.latents.device)

        rows, variants, forms = pick(len(self.latents)), pick(len(KINDS)), pick(FORMS)
        return self.latents[rows, variants].float(), self.captions[rows, variants, forms].long()
