"""Trains a LoRA: ``train`` is the whole loop, to be read from top to bottom.

Everything random in a step comes from (seed, step) alone. So a training that was killed goes on from its last
checkpoint as if nothing had happened, and its steps could be spread over several processes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageOps
from torch import Tensor, nn

from lora import adapters
from lora.bases import Base
from lora.captions import MAX_TOKENS, count_tokens, with_keyword
from lora.checkpoints import Run, checkpoint, restore
from lora.dataset import choose_background, on_flat_ground, open_samples, to_tensor
from lora.jobs import Checkpoint, JobError, Progress, Sample, Train, Trained
from lora.plan import Plan, plan

SCHEDULES = {
    "constant": lambda done: 1.0,
    "linear": lambda done: 1.0 - done,
    "cosine": lambda done: 0.5 * (1 + math.cos(math.pi * done)),
}


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """The samples as the denoiser sees them, with a second, mirrored, half in ``mean`` and ``std``."""

    mean: Tensor  # [2, n, channels, h, w]
    std: Tensor
    texts: Tensor  # [n, 77, width]
    empty: Tensor  # [77, width]


def train(base: Base, job: Train, how: Plan | None = None) -> Iterator[Progress | Checkpoint | Trained]:
    """Train an adapter for the look of ``job.samples``; between any two events the caller may use the base.

    The base's own weights never change. The adapter and the optimizer are float32 whatever the base is.
    Raises JobError: bad-picture, caption-too-long, not-a-number, bad-adapter (a resume state of another
    training).
    """
    how = how or plan(base, job.settings, samples=len(job.samples))
    images = open_samples(job.samples)
    background = choose_background(images, base.profile.backgrounds)
    captions = [_caption(sample, number, job.keyword) for number, sample in enumerate(job.samples, start=1)]
    name = f"train-{job.id}-{job.attempt}"
    weights = adapters.add(base, name, rank=how.rank, alpha=how.alpha, seed=how.seed)
    try:
        optimizer = torch.optim.AdamW(
            weights,
            lr=how.learning_rate,
            betas=(how.adam_beta1, how.adam_beta2),
            eps=how.adam_epsilon,
            weight_decay=how.adam_weight_decay,
            fused=True,
        )
        run = Run(base=base, job=job, how=how, background=background, adapter=name, optimizer=optimizer)
        start = restore(run, job.resume) if job.resume else 0
        lessons = yield from _prepare(run, start, images, captions)
        clock = _Clock()
        for step in range(start, how.steps):
            adapters.activate(base, name, train=True)  # a drawing may have put on another one meanwhile
            clock.start()
            for group in optimizer.param_groups:
                group["lr"] = how.learning_rate * rate(how, step)
            loss = denoising_loss(base, lessons, how, step)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(weights, how.max_grad_norm)
            if not math.isfinite(loss.item() + norm.item()):
                raise JobError("not-a-number", f"at step {step + 1}")
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
            yield _progress(run, step + 1, clock.stop() * (how.steps - step - 1), loss.item())
            if (step + 1) % how.checkpoint_steps == 0 or step + 1 == how.steps:
                yield checkpoint(run, step + 1)
        if start >= how.steps:  # it was killed between its last checkpoint and its last word
            yield checkpoint(run, start)
        yield Trained(job=job.id, attempt=job.attempt, steps=max(start, how.steps))
    finally:
        adapters.remove(base, name)


def denoising_loss(base: Base, lessons: Lessons, how: Plan, step: int) -> Tensor:
    """The loss of one step: how far the denoiser is from what it should predict on freshly noised samples.

    Noise level, noise, mirror and dropped captions come from (seed, step). What it should predict, noise or
    velocity (Salimans & Ho 2022, arXiv 2202.00512), is the base's scheduler's to say. ``snr_gamma`` weights
    the noise levels as in Hang et al. 2023 (arXiv 2303.09556).
    """
    chance = torch.Generator().manual_seed((how.seed * 1_000_003 + step) % 2**63)
    picked = choose_samples(how, step, len(lessons.texts))
    size = len(picked)
    mirrored = (torch.rand(size, generator=chance) < 0.5) & how.random_flip
    dropped = torch.rand(size, generator=chance) < how.caption_dropout
    # Spread over the batch, so that no step sees low noise or high noise alone.
    level = (torch.rand(1, generator=chance) + torch.arange(size) / size) % 1
    shape = (2, size, *lessons.mean.shape[2:])
    spread, noise = torch.randn(shape, generator=chance).to(base.device)
    noise = noise + how.noise_offset * torch.randn((size, shape[2], 1, 1), generator=chance).to(base.device)

    alphas = base.scheduler.alphas_cumprod.to(base.device)
    times = (level * len(alphas)).long().to(base.device)
    signal = alphas[times].view(-1, 1, 1, 1)
    half = mirrored.long()
    clean = lessons.mean[half, picked] + lessons.std[half, picked] * spread
    noisy = signal.sqrt() * clean + (1 - signal).sqrt() * noise
    texts = torch.where(dropped.view(-1, 1, 1).to(base.device), lessons.empty, lessons.texts[picked])
    noisy = noisy.to(base.dtype, memory_format=torch.channels_last)
    predicted = base.unet(noisy, times, encoder_hidden_states=texts).sample.float()
    wanted = noise
    if base.scheduler.config.prediction_type == "v_prediction":
        wanted = signal.sqrt() * noise - (1 - signal).sqrt() * clean
    errors = (predicted - wanted).square().mean(dim=(1, 2, 3))
    return (errors * _weight(base, how, alphas[times])).mean()


def _weight(base: Base, how: Plan, signal: Tensor) -> Tensor:
    """min-SNR weights [n] of the noise levels, or ones."""
    if how.snr_gamma is None:
        return torch.ones_like(signal)
    ratio = signal / (1 - signal)
    clipped = ratio.clamp(max=how.snr_gamma)
    return clipped / (ratio + 1 if base.scheduler.config.prediction_type == "v_prediction" else ratio)


def choose_samples(how: Plan, step: int, count: int) -> list[int]:
    """Which samples a step learns from: all in a new order, then all again, across the borders of batches."""
    first = step * how.batch_size
    return [
        _order(how.seed, place // count, count)[place % count]
        for place in range(first, first + how.batch_size)
    ]


def _order(seed: int, epoch: int, count: int) -> list[int]:
    chance = torch.Generator().manual_seed((seed * 7_368_787 + epoch) % 2**63)
    return torch.randperm(count, generator=chance).tolist()


def rate(how: Plan, step: int) -> float:
    """The share of the learning rate that a step uses: a linear warm-up, then the schedule."""
    if step < how.warmup_steps:
        return (step + 1) / how.warmup_steps
    return SCHEDULES[how.schedule]((step - how.warmup_steps) / max(1, how.steps - how.warmup_steps))


def _caption(sample: Sample, number: int, keyword: str) -> str:
    """A sample's caption with the keyword, if the style has one."""
    caption = with_keyword(sample.caption, keyword) if keyword else sample.caption
    if count_tokens(caption) > MAX_TOKENS:
        raise JobError("caption-too-long", f"sample {number}: {count_tokens(caption)} tokens")
    return caption


def _prepare(
    run: Run, start: int, images: Sequence[Image.Image], captions: Sequence[str]
) -> Generator[Progress, None, Lessons]:
    """Encode every picture both ways round, and every caption, once: VAE and text encoder then rest."""
    base, colour = run.base, run.base.profile.backgrounds[run.background]
    moments = []
    for number, image in enumerate(images):
        began = time.monotonic()
        square = on_flat_ground(image, run.how.resolution, colour)
        moments.append(base.encode(to_tensor([square, ImageOps.mirror(square)])))
        took = time.monotonic() - began
        guess = took * (len(images) - number - 1 + 2 * (run.how.steps - start))  # until a step has been timed
        yield _progress(run, start, guess)
    return Lessons(
        mean=torch.stack([mean for mean, _ in moments], dim=1),
        std=torch.stack([std for _, std in moments], dim=1),
        texts=base.embed([base.on_ground(caption, run.background) for caption in captions]),
        empty=base.embed([""])[0],
    )


def _progress(run: Run, step: int, seconds_left: float, loss: float | None = None) -> Progress:
    return Progress(
        job=run.job.id,
        attempt=run.job.attempt,
        step=step,
        steps=run.how.steps,
        seconds_left=seconds_left,
        loss=loss,
    )


class _Clock:
    """Seconds of one step, averaged so that the last ten count most."""

    def __init__(self) -> None:
        self._mean: float | None = None
        self._began = 0.0

    def start(self) -> None:
        self._began = time.monotonic()

    def stop(self) -> float:
        took = time.monotonic() - self._began
        self._mean = took if self._mean is None else 0.9 * self._mean + 0.1 * took
        return self._mean
