"""A worker whose GPU is simulated, for ``benchmarks.devices draw --simulate`` on a machine without one.

    python -m benchmarks.simulated_gpu --base discs|blank --cache-dir DIR [--compile]

All but the GPU's work is the product's own worker: pipes, threads, queue, the slots' bookkeeping, lengths of texts,
cut-out, encoding. The denoiser and the decoder are waits of the seconds that were measured on one H100
(``benchmarks.speed``), text embeddings are zeros, and an adapter is hashed and copied but not sorted into its slot. The
base says what is drawn: noisy discs, which cost the cut-out, the fitting and both encoders more than usual drawings, or
blank pictures, which cost little: for more GPUs than this machine has processors for.
"""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from lora.adapters.adapter_file import AdapterInfo, read_info
from lora.adapters.slot_bank import SlotBank, read_entries
from lora.adapters.slots import SlottedDenoiser
from lora.adapters.targets import DEFAULT_TARGETS
from lora.drawing import half_denoiser, mixed_batches
from lora.drawing.captured import AHEAD, BUCKETS, DECODED_AT_ONCE, RANK, Phase, Request, full_batch
from lora.drawing.solver import Solver
from lora.engine import worker
from lora.models import base_model, sd21
from lora.models.base_model import Base
from lora.models.profiles import profile_of, shape_of
from lora.models.sd_settings import tokenizer

DRAWINGS = ("discs", "blank")
# Seconds of a batch of so many people, 25 steps: rows "people and adapters" and 1, 2 of results/speed.jsonl.
SECONDS = {1: 0.316, 2: 0.519, 4: 0.908, 8: 1.708, 16: 3.348}
COMPILED_SECONDS = {**SECONDS, 1: 0.199, 16: 16 / 7.43}
STEPS = 25
DECODER_SHARE = 0.06  # of a batch's seconds, by its arithmetic
SIDE = 512  # px


class Stream:
    """The queue of a GPU: work begins when all that was queued before has ended."""

    def __init__(self) -> None:
        self._free = 0.0  # monotonic seconds

    def queue(self, seconds: float) -> float:
        """Queue work; when it will have ended."""
        self._free = max(time.monotonic(), self._free) + seconds
        return self._free

    def wait(self, until: float | None = None) -> None:
        """Wait for work; without ``until`` for all that is queued."""
        time.sleep(max(0.0, (self._free if until is None else until) - time.monotonic()))


class SimulatedBank(SlotBank):
    """Slots whose files are read and copied, and not sorted."""

    def write(self, slot: int, data: bytes) -> None:
        assert read_info(data) is not None
        read_entries(data)
        self._upload(data)


class SimulatedDrawing:
    """What ``CapturedDrawing`` is to a worker, with waits in place of graphs."""

    lean = False
    buckets = BUCKETS

    def __init__(self, base: Base) -> None:
        self.source = base.unet
        self.seconds = SECONDS
        self.compiled: set[int] = set()
        self._stream = Stream()
        denoiser = SlottedDenoiser(base.unet, rank=RANK, targets=DEFAULT_TARGETS)
        self.bank = SimulatedBank(base, denoiser, slots=2 * BUCKETS[-1], groups=BUCKETS[-1])
        blank = base.name == "blank"
        self._pictures = [_noisy_disc(0.0 if blank else 0.42, seed) for seed in range(DECODED_AT_ONCE)]

    def info(self, files: Sequence[bytes | None]) -> list[AdapterInfo | None]:
        return [one.about for one in self.bank.load(files)]

    def batch_of(self, waiting: int) -> int:
        return full_batch(waiting, self.buckets, self.compiled)

    def sample(
        self, requests: Sequence[Request], solver: Solver, phases: Sequence[Phase]
    ) -> Generator[int, None, Tensor]:
        self.bank.load([one.adapter for one in requests])
        step = self._batch_seconds(len(requests)) * (1 - DECODER_SHARE) / STEPS
        waits: list[float] = []
        for number in range(len(solver)):
            waits.append(self._stream.queue(step))
            if len(waits) > AHEAD:
                self._stream.wait(waits.pop(0))
            yield number
        self._stream.wait()
        return torch.stack([one.noise for one in requests])

    def decode(self, latents: Tensor) -> Iterator[Tensor]:
        each = self._batch_seconds(len(latents)) * DECODER_SHARE / len(latents)
        sizes = [len(some) for some in latents.split(DECODED_AT_ONCE)]
        queued = [(size, self._stream.queue(size * each)) for size in sizes]
        for size, ready in queued:
            self._stream.wait(ready)
            yield from self._pictures[:size]

    def _batch_seconds(self, count: int) -> float:
        return self.seconds[next(size for size in self.buckets if size >= count)]


class SimulatedBase(Base):
    """Texts are cut into tokens; their embeddings are zeros."""

    def embed(self, texts: Sequence[str]) -> Tensor:
        self.tokenizer(list(texts), padding="max_length", max_length=77, truncation=True)
        return torch.zeros(len(texts), 77, self.unet.config.cross_attention_dim, dtype=self.dtype)


def simulated_base(name: str) -> Base:
    """A base of SD 2.1-base's shape whose weights are nowhere."""
    from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel

    parts = sd21.settings(sd21.EPSILON_512)
    with torch.device("meta"):
        unet = UNet2DConditionModel(**parts["unet"]).to(torch.bfloat16).requires_grad_(False)
        vae = AutoencoderKL(**parts["vae"])
    scheduler = DDIMScheduler(**parts["scheduler"])
    base = SimulatedBase(
        name=name,
        folder=Path(name),
        hash="simulated",
        profile=profile_of(shape_of(unet.config, scheduler.config)),
        unet=unet,
        vae=vae,
        text_encoder=None,
        tokenizer=tokenizer(pad_token=sd21.PADDING),
        scheduler=scheduler,
        device=torch.device("cpu"),
        dtype=torch.bfloat16,
    )
    base.captured = SimulatedDrawing(base)
    return base


def simulated_adapter(base: Base, seed: int) -> bytes:
    """An adapter file in the size of the product's default kind."""
    about = AdapterInfo(
        keyword="zorvex", base=base.name, base_hash=base.hash, rank=RANK, alpha=RANK, steps=1, seed=seed,
        background="white", targets=DEFAULT_TARGETS, prediction_type="epsilon", resolution=SIDE,
    )  # fmt: skip
    halves: dict[str, Tensor] = {}
    generator = torch.Generator().manual_seed(seed)
    for place in base.captured.bank.denoiser.layout.places:
        halves[f"unet.{place.path}.lora_A.weight"] = torch.randn(place.down, generator=generator)
        halves[f"unet.{place.path}.lora_B.weight"] = torch.randn(place.up, generator=generator)
    return save(halves, metadata={"stickersmith": json.dumps(asdict(about))})


def _noisy_disc(radius: float, seed: int) -> Tensor:
    """A drawing [512, 512, 3] on white: a disc of noise in blots of many sizes. ``radius`` is a share of the side."""
    chance = np.random.default_rng(seed)
    noise = sum(
        cv2.resize(chance.normal(0, 40, (side, side, 3)), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
        for side in (8, 64, SIDE)
    )
    rows, columns = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    inside = np.hypot(rows, columns)[..., None] < radius * SIDE
    pixels: Any = np.where(inside, np.clip(120 + noise, 0, 255), 255)
    return torch.from_numpy(pixels.astype(np.uint8))


def _compile(base: Base) -> None:
    base.captured.seconds, base.captured.compiled = COMPILED_SECONDS, {1, BUCKETS[-1]}


def _load(name: str, cache_dir: Path, device: str = "auto", *, download: bool = False) -> Base:
    return simulated_base(name)


def main() -> None:
    base_model.load = _load
    half_denoiser.use_bfloat16 = lambda base: None
    mixed_batches.compile_drawing = _compile
    worker.main()


if __name__ == "__main__":
    main()
