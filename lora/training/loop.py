"""The training loop: ``train`` from the samples to the last checkpoint, ``_step`` for one step of the optimizer.

All random values of a step come from (seed, step) alone. So a resumed training ends with the same weights as one that
was never stopped, and several processes can share the pictures of a step.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import nullcontext

import torch
from PIL import Image
from torch import Tensor, nn

from lora.adapters import lora_layers
from lora.data.background import choose_background
from lora.data.captions import length, with_keyword, with_style_words
from lora.data.dataset import SamplePictures, on_flat_background, to_tensor, without_alpha
from lora.evaluation.nearest_style import nearest_style
from lora.jobs import Checkpoint, JobError, Progress, Sample, Train, Trained
from lora.models.base_model import Base
from lora.models.device import is_roomy
from lora.models.graphs import free_kept, mark, sent
from lora.models.offload import offloaded
from lora.training import captured, checkpoints
from lora.training.captured import Step
from lora.training.checkpoints import Run, checkpoint, restore
from lora.training.distributed import SINGLE_PROCESS, Processes
from lora.training.ema import EMA
from lora.training.loss import EncodedSamples, denoising_loss
from lora.training.lr_schedules import lr_multiplier
from lora.training.plan import AUTO, NONE, Plan, make_plan
from lora.training.validation import Validated, validation_loss


def train(
    base: Base,
    job: Train,
    plan: Plan | None = None,
    *,
    held_out: Sequence[Sample] = (),
    processes: Processes = SINGLE_PROCESS,
    halt: threading.Event | None = None,
) -> Generator[Progress | Validated | Checkpoint | Trained, None, None]:
    """Train an adapter on ``job.samples``; between any two events the caller may use the base.

    The base's own weights never change. The adapter and the optimizer are float32 whatever the base is. Every process
    gives the same events. Once ``halt`` is set in one of them, the training ends after the running step, or after the
    steps that are queued: with a Checkpoint, and without Trained. Raises JobError: bad-picture, caption-too-long,
    not-a-number, bad-adapter (the state to resume from is damaged, of another training, or of a step after the last).
    """
    # The samples: pictures, captions, background, style words.
    plan = plan or make_plan(base, job.settings, samples=len(job.samples))
    images = SamplePictures(job.samples)
    background = plan.background
    if background == "auto":
        background = choose_background(images, base.profile.backgrounds)
    style_words = _style_words(base, plan, images)
    words = (job.keyword, style_words, base.background_words(background))
    captions = [_caption(sample, number, *words) for number, sample in enumerate(job.samples, start=1)]
    held_out_captions = [_caption(sample, number, *words) for number, sample in enumerate(held_out, start=1)]

    # New LoRA layers on the denoiser.
    name = f"train-{job.id}-{job.attempt}"
    weights = lora_layers.add(
        base, name, rank=plan.rank, alpha=plan.alpha, seed=plan.seed, targets=plan.lora_targets
    )
    try:
        run = Run(
            base=base,
            job=job,
            plan=plan,
            background=background,
            style_words=style_words,
            adapter=name,
            optimizer=_optimizer(plan, weights),
            ema=EMA(lora_layers.weights_of(base, name), plan.ema_decay) if plan.ema_decay else None,
        )
        start = restore(run, job.resume) if job.resume else 0

        # VAE and text encoder run once for each sample; the steps use only the denoiser.
        encoded = yield from _encode(run, start, images, captions, mirrored=plan.random_flip)
        validation = None
        if held_out:
            pictures = SamplePictures(held_out)
            validation = yield from _encode(run, start, pictures, held_out_captions, mirrored=False)

        # The steps.
        if plan.gradient_checkpointing:
            base.unet.enable_gradient_checkpointing()
        mean_seconds = None
        with offloaded(base):
            if start == 0 and plan.validation_steps:
                yield _validate(run, validation, 0)
            for done, loss, seconds, ended in _steps(run, weights, encoded, start, processes, halt):
                mean_seconds = seconds if mean_seconds is None else 0.9 * mean_seconds + 0.1 * seconds
                yield _progress(run, done, mean_seconds * (plan.steps - done), loss)
                if plan.validation_steps and (ended or done % plan.validation_steps == 0):
                    yield _validate(run, validation, done)
                if ended or done % plan.checkpoint_steps == 0:
                    yield checkpoint(run, done)
                if ended and done < plan.steps:
                    return

        # The end. A resume from the last checkpoint has no steps left: it gives that checkpoint again.
        if start >= plan.steps:
            yield checkpoint(run, start)
        yield Trained(job=job.id, attempt=job.attempt, steps=max(start, plan.steps))
    finally:
        base.unet.disable_gradient_checkpointing()
        lora_layers.remove(base, name)


def _steps(
    run: Run,
    weights: Sequence[nn.Parameter],
    encoded: EncodedSamples,
    start: int,
    processes: Processes,
    halt: threading.Event | None,
) -> Iterator[Step]:
    """Each step; on GPUs by a CUDA graph, together with other trainings, if the plan allows."""
    plan = run.plan
    if not captured.suits(run, processes.world_size):
        free_kept()  # these steps replay no graph, and need the memory
        for step in range(start, plan.steps):
            began = time.monotonic()
            loss, ended = _step(run, weights, encoded, step, processes, halt)
            yield Step(step + 1, loss, time.monotonic() - began, ended)
        return
    wanted = (plan.checkpoint_steps, plan.validation_steps or plan.steps)
    stops = [done for done in range(start + 1, plan.steps + 1) if any(done % every == 0 for every in wanted)]
    yield from captured.CapturedTraining(run, encoded, processes).steps(start, stops, halt)


def _step(
    run: Run,
    weights: Sequence[nn.Parameter],
    encoded: EncodedSamples,
    step: int,
    processes: Processes,
    halt: threading.Event | None,
) -> tuple[float, bool]:
    """One step of the optimizer: its loss over the whole batch, and whether it is the last step.

    Raises JobError not-a-number, before any weight has changed.
    """
    plan = run.plan
    # The caller may have activated another adapter between two steps.
    lora_layers.activate(run.base, run.adapter, train=True)
    for group in run.optimizer.param_groups:
        group["lr"] = plan.learning_rate * lr_multiplier(plan, step)

    # Loss and gradients over all micro-batches and processes.
    loss = torch.zeros((), device=run.base.device)
    for micro_batch in processes.micro_batches(plan):
        partial_loss = denoising_loss(run.base, encoded, plan, step, micro_batch)
        partial_loss.backward()
        loss += partial_loss.detach()
    loss, halted = processes.all_reduce(weights, loss, halt is not None and halt.is_set())
    norm = nn.utils.clip_grad_norm_(weights, plan.max_grad_norm)
    # One transfer for all three values: it is the only point of a step where the CPU waits for the GPU.
    loss_value, norm_value, halted_count = torch.stack((loss, norm, halted)).tolist()
    if not math.isfinite(loss_value + norm_value):
        raise JobError("not-a-number", f"at step {step + 1}")

    # The new weights.
    run.optimizer.step()
    run.optimizer.zero_grad(set_to_none=True)
    if run.ema:
        run.ema.update(step + 1)
    return loss_value, bool(halted_count) or step + 1 == plan.steps


def _optimizer(plan: Plan, weights: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(
        weights,
        lr=plan.learning_rate,
        betas=(plan.adam_beta1, plan.adam_beta2),
        eps=plan.adam_epsilon,
        weight_decay=plan.adam_weight_decay,
        fused=True,
    )


def _style_words(base: Base, plan: Plan, images: Sequence[Image.Image]) -> str:
    """The words that ``plan.style_words`` stands for: none for a base that knows no style by name."""
    if plan.style_words == AUTO:
        return nearest_style(images, base.profile.styles) if base.profile.styles else ""
    return "" if plan.style_words == NONE else plan.style_words


def _caption(sample: Sample, number: int, keyword: str, style_words: str, background: str) -> str:
    """A sample's caption with keyword and style words, if there are any. Raises JobError caption-too-long.

    ``background`` is the text that is added later; it counts towards the 77 tokens.
    """
    fit = length(sample.caption, keyword, with_style_words("", style_words) + background)
    if not fit.fits:
        raise JobError("caption-too-long", f"sample {number}: {fit}")
    return with_style_words(with_keyword(sample.caption, keyword) if keyword else sample.caption, style_words)


def _encode(
    run: Run, start: int, images: Sequence[Image.Image], captions: Sequence[str], *, mirrored: bool
) -> Generator[Progress, None, EncodedSamples]:
    """Encode every picture as it is, ``mirrored`` too, and every caption; gives a Progress after each few pictures.

    A GPU encodes some while the next ones are prepared.
    """
    base, ways = run.base, 2 if mirrored else 1
    at_once = _encoded_at_once(base.device, run.plan.resolution)
    few = max(1, at_once // ways)
    means, stds = [], []
    ready = mark(base.device)
    for first in range(0, len(images), few):
        began, before = time.monotonic(), ready
        pixels = sent(
            to_tensor([_to_square(run, image) for image in images[first : first + few]]), base.device
        )
        count = len(pixels)
        pixels = torch.cat((pixels, pixels.flip(3))) if mirrored else pixels
        mean, std = _latents(base, pixels, at_once)
        means.append(mean.unflatten(0, (ways, count)))
        stds.append(std.unflatten(0, (ways, count)))
        ready = mark(base.device)
        before.synchronize()
        # Until a step has been timed, it is estimated to take four times as long as to encode a picture in one way.
        took = (time.monotonic() - began) / len(pixels)
        left = ways * max(0, len(images) - first - few)
        yield _progress(run, start, took * (left + 4 * (run.plan.steps - start)))
    return EncodedSamples(
        latent_mean=torch.cat(means, dim=1),
        latent_std=torch.cat(stds, dim=1),
        text_embeddings=base.embed([base.with_background(caption, run.background) for caption in captions]),
        empty_embedding=base.embed([""])[0],
    )


def _latents(base: Base, pixels: Tensor, at_once: int) -> tuple[Tensor, Tensor]:
    """``Base.encode`` of so many pictures at once, or of fewer if memory is short."""
    try:
        means, stds = zip(*(base.encode(some) for some in pixels.split(at_once)), strict=True)
        return torch.cat(means), torch.cat(stds)
    except torch.OutOfMemoryError:
        if not free_kept():
            if at_once == 1:
                raise
            at_once //= 2
    return _latents(base, pixels, at_once)


def _encoded_at_once(device: torch.device, resolution: int) -> int:
    """How many pictures of so many px: 8 of 512 px on a card with much memory, of which one takes 0.7 GB; else one."""
    return max(1, 8 * 512**2 // resolution**2) if is_roomy(device) else 1


def _to_square(run: Run, image: Image.Image) -> Image.Image:
    """The picture as an RGB square of ``plan.resolution`` px, on the background or with its alpha dropped."""
    resize = on_flat_background if run.plan.composite else without_alpha
    return resize(
        image,
        run.plan.resolution,
        run.base.profile.backgrounds[run.background],
        center_crop=run.plan.center_crop,
        interpolation=run.plan.interpolation,
    )


def _validate(run: Run, validation: EncodedSamples | None, step: int) -> Validated:
    """The adapter after ``step`` steps, and its loss on the validation samples, if there are any."""
    loss = None
    if validation is not None:
        lora_layers.activate(run.base, run.adapter)
        with run.ema.in_place() if run.ema else nullcontext():
            loss = validation_loss(run.base, validation)
    return Validated(step=step, adapter=checkpoints.adapter(run, step), loss=loss)


def _progress(run: Run, step: int, seconds_left: float, loss: float | None = None) -> Progress:
    return Progress(
        job=run.job.id,
        attempt=run.job.attempt,
        step=step,
        steps=run.plan.steps,
        seconds_left=seconds_left,
        loss=loss,
    )
