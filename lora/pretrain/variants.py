"""The denoiser's training data: every drawing in many scenes, as latents with their captions.

Processes that train together share the drawings: each has the variants of its part. A training begins with the variants
that are made on its device, and takes those that other processes make when they are ready.
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
from lora.models.graphs import sent
from lora.pretrain import scenes
from lora.pretrain.acts.act import Source
from lora.pretrain.acts.plan import Cast
from lora.pretrain.acts.pool import Pool, Rows, Wanted
from lora.pretrain.augment import BACKGROUND_NAMES, background_colours, on_background
from lora.pretrain.captions import described, styled

KINDS = ["plain"] * 6 + ["look"] * 6 + ["acted"] * 8 + ["coloured"] * 2 + ["pair"] + ["several"]
COMMON = ("holding", "beside", "loving")  # verbs that nearly every drawing fits
# Shares of a batch: scenes without a verb, emotions, common verbs, other verbs. As planned, without shares, emotions
# would be a hundredth, and drinking, eating, reading, wearing, riding and so on together a twentieth.
SHARES = (0.68, 0.1, 0.07, 0.15)
# Share of tokens that are replaced by token 0, which so learns to mean "any word". Only captions of scenes without a
# verb lose tokens: otherwise token 0 would also mean "sad", and an unknown word would give a thing a face.
TOKEN_DROPOUT = 0.02
FEW = 500  # of a group with fewer ready variants, a batch has none
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
        ids = np.empty(length, dtype=np.int16)
        self.write(text, ids)
        return ids.tolist()

    def write(self, text: str, ids: np.ndarray) -> None:
        """Write ``rows`` of a text to ``ids``, int16 [length]."""
        found = [self.bos, *(i for word in text.split() for i in _tokens(word))][: len(ids) - 1]
        ids[: len(found)] = self._row[found]
        ids[len(found) :] = self._row[self.eos]

    def compact(self, ids: np.ndarray) -> np.ndarray:
        """CLIP's ids as compact ones."""
        found: np.ndarray = self._row[ids]
        return found


class Variants:
    """Latents bf16 [N, V, 8, 32, 32] and caption rows int16 [N, V, FORMS, 77], on the device.

    The constructor decides the scenes, makes the captions, and starts processes that make the pictures which are not
    made on the device. ``files`` hold the drawings (``drawings.safetensors`` and so on), and ``used`` says which of
    their rows they are. Of each drawing there are ``times`` variants of each of KINDS. If several processes train
    together, each has the variants of its part of the drawings.
    """

    def __init__(
        self,
        drawings: list[dict[str, object]],
        vocabulary: Vocabulary,
        vae: AutoencoderKL,
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
        self._outside = self._made_outside(rng)
        self._bos, self._eos = vocabulary.rows("", 2)
        self._worn = frozenset(row for row, d in enumerate(drawings) if d["concept"] in scenes.EYEWEAR)
        self._vae, self._generator = vae, generator
        device = generator.device
        self._colours = background_colours(device)
        shape = (len(self._rows), len(self._kinds))
        backgrounds = torch.randint(1, len(BACKGROUND_NAMES), shape, generator=generator, device=device)
        white = torch.rand(shape, generator=generator, device=device) < 0.55
        self._backgrounds = torch.where(white, 0, backgrounds)
        self._captions = self._captioned(drawings, vocabulary, rng).to(device)
        self._latents = torch.empty(*shape, 8, 32, 32, dtype=torch.bfloat16, device=device)
        self._groups = np.array([group(scene) for row in self._planned for scene in row])  # by cell
        self._ready = [torch.empty(0, dtype=torch.long, device=device) for _ in SHARES]
        # Last: the processes would take the cores from what is made above.
        share = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        self._pool = Pool(files, used, concepts, [self._wanted(at) for at in self._outside], share=share)

    @property
    def ready(self) -> int:
        """The number of variants that have latents."""
        return sum(len(cells) for cells in self._ready)

    def _made_outside(self, rng: Random) -> list[tuple[int, int]]:
        """Place of the row and number of the variant of all that other processes make, in random order."""
        outside = [
            (place, variant)
            for variant, kind in enumerate(self._kinds)
            if kind in scenes.OUTSIDE
            for place in range(len(self._rows))
        ]
        rng.shuffle(outside)
        return outside

    def _wanted(self, at: tuple[int, int]) -> Wanted:
        place, variant = at
        scene = self._planned[place][variant]
        return Wanted(row=self._rows[place], act=scene.act, look=scene.look)

    def draw(self, pictures: Tensor) -> None:
        """Make the variants that are made on the device, of ``pictures``, uint8 [N, 4, 256, 256], straight alpha."""
        device = pictures.device
        own = torch.tensor(self._rows, device=device)
        for variant, kind in enumerate(self._kinds):
            if kind in scenes.OUTSIDE:
                continue
            for start in range(0, len(own), CHUNK):
                rows = own[start : start + CHUNK]
                places = np.arange(start, start + len(rows))
                wanted = [self._planned[place][variant] for place in places]
                rgba = scenes.draw(pictures, rows, wanted, self._worn, self._generator)
                self._encode(rgba, self._cells(places, variant))

    def take(self, most: int) -> int:
        """Take about ``most`` pictures, or what there is, from the other processes; returns the number."""
        made = self._pool.take(most)
        if made is None:
            return 0
        cells, self._outside = self._outside[: len(made)], self._outside[len(made) :]
        pictures = scenes.placed(torch.from_numpy(made).to(self._latents.device), self._generator)
        self._encode(pictures, self._cells(*np.array(cells).T))
        return len(made)

    def _cells(self, places: np.ndarray, variants: np.ndarray | int) -> np.ndarray:
        """The numbers of variants among all, row by row."""
        return places * len(self._kinds) + variants

    @torch.no_grad()
    def _encode(self, rgba: Tensor, cells: np.ndarray) -> None:
        """Latents of premultiplied pictures [B, 4, 256, 256], on their backgrounds.

        ``cells`` are their numbers in main memory. What a GPU decides, as where a mask is true, the host waits for.
        """
        device, groups = self._latents.device, self._groups[cells]
        at = sent(torch.from_numpy(cells), device)
        images = on_background(rgba, self._colours[self._backgrounds.flatten()[at]])
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(images.device.type, torch.bfloat16, enabled=images.is_cuda):
            self._latents.flatten(0, 1)[at] = self._vae.encode(images).latent_dist.mode().bfloat16()
        by_group = sent(torch.from_numpy(cells[np.argsort(groups, kind="stable")]), device)
        new = by_group.split(np.bincount(groups, minlength=len(SHARES)).tolist())
        self._ready = [torch.cat(both) for both in zip(self._ready, new, strict=True)]

    def _captioned(self, drawings: list[dict[str, object]], vocabulary: Vocabulary, rng: Random) -> Tensor:
        names = [[BACKGROUND_NAMES[i] for i in row] for row in self._backgrounds.tolist()]
        table = np.empty((len(self._rows), len(self._kinds), FORMS, LENGTH), dtype=np.int16)
        for place, (row, planned) in enumerate(zip(self._rows, self._planned, strict=True)):
            drawing = drawings[row]
            for variant, scene in enumerate(planned):
                for form in range(FORMS):
                    what = described(drawing, scene, drawings, rng)
                    text = styled(str(drawing["style"]), what, names[place][variant], rng, scene.look)
                    vocabulary.write(text, table[place, variant, form])
        return torch.from_numpy(table)

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random latents of those that are ready, float [size, 8, 32, 32], and their compact caption ids [size, 77].

        Of each group of scenes there is its share, in random order: a step's timesteps follow the order. Some tokens of
        scenes without a verb are replaced by token 0.
        """
        device = self._latents.device

        def pick(high: int, count: int) -> Tensor:
            return torch.randint(high, (count,), generator=generator, device=device)

        counts = [
            int(share * size) if len(of) >= FEW else 0 for share, of in zip(SHARES, self._ready, strict=True)
        ]
        counts[0] = size - sum(counts[1:])
        cells = torch.cat([of[pick(len(of), n)] for n, of in zip(counts, self._ready, strict=True) if n])
        ids = self._captions.flatten(0, 1)[cells, pick(FORMS, size)].long()
        dropped = torch.rand(counts[0], LENGTH, generator=generator, device=device) < TOKEN_DROPOUT
        plain = ids[: counts[0]]
        plain[dropped & (plain != self._bos) & (plain != self._eos)] = 0
        order = torch.randperm(size, generator=generator, device=device)
        return self._latents.flatten(0, 1)[cells[order]].float(), ids[order]


def group(scene: scenes.Scene) -> int:
    """The number of a scene's group in SHARES."""
    if not scene.act:
        return 0
    return 1 if scene.act.verb == "feeling" else 2 if scene.act.verb in COMMON else 3


def part(rows: int, rank: int, count: int) -> list[int]:
    """The rows of one process of ``count``: all parts have the same length, so the last may begin again at row 0."""
    return [(rank + at * count) % rows for at in range(-(-rows // count))]
