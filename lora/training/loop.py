"""Trains a LoRA: ``train`` is the whole loop, to be read from top to bottom, and ``_step`` what it repeats.

Everything random in a step comes from (seed, step) alone. So a training that was killed goes on from its last
checkpoint as if nothing had happened, and its steps can be spread over several processes.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import nullcontext

import torch
from PIL import Image, ImageOps
from torch import nn

from lora.adapters import lora_layers
from lora.data.background import choose_background
from lora.data.captions import length, with_keyword
from lora.data.dataset import on_flat_background, open_samples, to_tensor, without_alpha
from lora.jobs import Checkpoint, JobError, Progress, Sample, Train, Trained
from lora.models.base_model import Base
from lora.models.offload import offloaded
from lora.training import captured, checkpoints
from lora.training.checkpoints import Run, checkpoint, restore
from lora.training.distributed import SINGLE_PROCESS, Processes
from lora.training.ema import EMA
from lora.training.loss import EncodedSamples, denoising_loss
from lora.training.lr_schedules import lr_multiplier
from lora.training.plan import Plan, make_plan
from lora.training.validation import Validated, validation_loss


def train(
    base: Base,
    job: Train,
    how: Plan | None = None,
    *,
    held_out: Sequence[Sample] = (),
    ranks: Processes = SINGLE_PROCESS,
    halt: threading.Event | None = None,
) -> Iterator[Progress | Validated | Checkpoint | Trained]:
    """Train an adapter for the look of ``job.samples``; between any two events the caller may use the base.

    The base's own weights never change. The adapter and the optimizer are float32 whatever the base is.
    Every process of ``ranks`` gives the same events. Once ``halt`` is set, a last Checkpoint ends it, without
    Trained. Raises JobError: bad-picture, caption-too-long, not-a-number, bad-adapter (a resume state of
    another training).
    """
    how = how or make_plan(base, job.settings, samples=len(job.samples))
    images = open_samples(job.samples)
    background = how.background
    if background == "auto":
        background = choose_background(images, base.profile.backgrounds)
    words = (job.keyword, base.background_words(background))
    captions = [_caption(sample, number, *words) for number, sample in enumerate(job.samples, start=1)]
    exam_captions = [_caption(sample, number, *words) for number, sample in enumerate(held_out, start=1)]
    name = f"train-{job.id}-{job.attempt}"
    weights = lora_layers.add(
        base, name, rank=how.rank, alpha=how.alpha, seed=how.seed, targets=how.lora_targets
    )
    try:
        run = Run(
            base=base,
            job=job,
            how=how,
            background=background,
            adapter=name,
            optimizer=_optimizer(how, weights),
            average=EMA(lora_layers.weights_of(base, name), how.ema_decay) if how.ema_decay else None,
        )
        start = restore(run, job.resume) if job.resume else 0
        lessons = yield from _prepare(run, start, images, captions)
        del images  # decoded, one takes up to 64 MB, and a training takes long
        exam = None
        if held_out:
            exam = yield from _prepare(run, start, open_samples(held_out), exam_captions)
        if how.gradient_checkpointing:
            base.unet.enable_gradient_checkpointing()
        clock = _Clock()
        clock.start()
        with offloaded(base):
            if start == 0 and how.validation_steps:
                yield _validate(run, exam, 0)
            for done, loss, ended in _steps(run, weights, lessons, start, ranks, halt):
                yield _progress(run, done, clock.stop() * (how.steps - done), loss)
                if how.validation_steps and (ended or done % how.validation_steps == 0):
                    yield _validate(run, exam, done)
                if ended or done % how.checkpoint_steps == 0:
                    yield checkpoint(run, done)
                if ended and done < how.steps:
                    return
                clock.start()
        if start >= how.steps:  # it was killed between its last checkpoint and its last word
            yield checkpoint(run, start)
        yield Trained(job=job.id, attempt=job.attempt, steps=max(start, how.steps))
    finally:
        base.unet.disable_gradient_checkpointing()
        lora_layers.remove(base, name)


def _steps(
    run: Run,
    weights: Sequence[nn.Parameter],
    lessons: EncodedSamples,
    start: int,
    ranks: Processes,
    halt: threading.Event | None,
) -> Iterator[tuple[int, float, bool]]:
    """(steps done, loss, whether it is the last) of each step: on a GPU by a CUDA graph, if the plan allows."""
    how = run.how
    if not captured.suits(run, ranks.count):
        for step in range(start, how.steps):
            loss, ended = _step(run, weights, lessons, step, ranks, halt)
            yield step + 1, loss, ended
        return
    wanted = (how.checkpoint_steps, how.validation_steps or how.steps)
    stops = [done for done in range(start + 1, how.steps + 1) if any(done % every == 0 for every in wanted)]
    yield from captured.CapturedStep(run, lessons).steps(start, stops, halt)


def _step(
    run: Run,
    weights: Sequence[nn.Parameter],
    lessons: EncodedSamples,
    step: int,
    ranks: Processes,
    halt: threading.Event | None,
) -> tuple[float, bool]:
    """One step of the optimizer, over all parts and processes: its loss, and whether it is the last one.

    Raises JobError not-a-number, before any weight has changed.
    """
    how = run.how
    lora_layers.activate(run.base, run.adapter, train=True)  # a drawing may have put on another one meanwhile
    for group in run.optimizer.param_groups:
        group["lr"] = how.learning_rate * lr_multiplier(how, step)
    loss = torch.zeros((), device=run.base.device)
    for part in ranks.parts(how):
        share = denoising_loss(run.base, lessons, how, step, part)
        share.backward()
        loss += share.detach()
    loss, wish = ranks.add_up(weights, loss, halt is not None and halt.is_set())
    norm = nn.utils.clip_grad_norm_(weights, how.max_grad_norm)
    error, size, halted = torch.stack((loss, norm, wish)).tolist()  # the step's one wait for a GPU
    if not math.isfinite(error + size):
        raise JobError("not-a-number", f"at step {step + 1}")
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    if run.average:
        run.average.update(step + 1)
    return error, bool(halted) or step + 1 == how.steps


def _optimizer(how: Plan, weights: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        weights,
        lr=how.learning_rate,
        betas=(how.adam_beta1, how.adam_beta2),
        eps=how.adam_epsilon,
        weight_decay=how.adam_weight_decay,
        fused=True,
    )


def _caption(sample: Sample, number: int, keyword: str, background: str) -> str:
    """A sample's caption with the keyword, if the style has one, and with room for the words of the background."""
    fit = length(sample.caption, keyword, background)
    if not fit.fits:
        raise JobError("caption-too-long", f"sample {number}: {fit}")
    return with_keyword(sample.caption, keyword) if keyword else sample.caption


def _prepare(
    run: Run, start: int, images: Sequence[Image.Image], captions: Sequence[str]
) -> Generator[Progress, None, EncodedSamples]:
    """Encode every picture both ways round, and every caption, once: VAE and text encoder then rest."""
    base = run.base
    moments = []
    for number, image in enumerate(images):
        began = time.monotonic()
        square = _square(run, image)
        moments.append(base.encode(to_tensor([square, ImageOps.mirror(square)])))
        took = time.monotonic() - began
        guess = took * (len(images) - number - 1 + 2 * (run.how.steps - start))  # until a step has been timed
        yield _progress(run, start, guess)
    return EncodedSamples(
        mean=torch.stack([mean for mean, _ in moments], dim=1),
        std=torch.stack([std for _, std in moments], dim=1),
        texts=base.embed([base.with_background(caption, run.background) for caption in captions]),
        empty=base.embed([""])[0],
    )


def _square(run: Run, image: Image.Image) -> Image.Image:
    """A picture as the plan wants it shown."""
    make = on_flat_background if run.how.composite else without_alpha
    colour = run.base.profile.backgrounds[run.background]
    return make(
        image,
        run.how.resolution,
        colour,
        center_crop=run.how.center_crop,
        interpolation=run.how.interpolation,
    )


def _validate(run: Run, exam: EncodedSamples | None, step: int) -> Validated:
    """The adapter at hand (or its average), and how well it does on samples it has not seen."""
    loss = None
    if exam is not None:
        lora_layers.activate(run.base, run.adapter)
        with run.average.in_place() if run.average else nullcontext():
            loss = validation_loss(run.base, exam)
    return Validated(step=step, adapter=checkpoints.adapter(run, step), loss=loss)


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
