"""Drawing on a GPU: batches of whoever waits, each picture with its own adapter, by the graphs of ``captured``."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

import torch
from PIL import Image
from torch import Tensor

from lora.adapters.slot_bank import DoesNotFit, SlotBank
from lora.drawing.captured import BUCKETS, SLOTS, CapturedDrawing, Phase, Request
from lora.drawing.sampling import (
    DrawProgress,
    Item,
    Picture,
    background_of,
    draw_eagerly,
    noise_of,
    texts_of,
)
from lora.drawing.solver import Solver, solver_of
from lora.jobs import JobError
from lora.models.base_model import Base
from lora.models.device import is_roomy, memory_gb
from lora.models.graphs import free_kept
from lora.models.offload import LARGE, free_for_drawing, free_text_encoder
from lora.models.profiles import Profile

log = logging.getLogger(__name__)

SMALL_GB = 8.7  # on a card of 8 GiB or less, memory matters more than time
SMALL_BUCKETS = BUCKETS[:2]


def captured_drawing(base: Base) -> CapturedDrawing | None:
    """The graphs of a base on a GPU, made on first use; on a CPU, where nothing is gained, those it was given or None.

    A base of large pictures is left out: its decoder must make room first.
    """
    if base.captured is not None and base.captured.source is not base.unet:
        base.captured = None
    if base.captured is None:
        if base.device.type != "cuda" or base.resolution >= LARGE:
            return None
        try:
            base.captured = made_for(base, small=memory_gb(base.device) < SMALL_GB)
        except torch.OutOfMemoryError:
            if not free_kept():
                log.warning("too little GPU memory for slots and graphs: drawing goes on without them")
                return None
    if base.captured is None:
        # Memory was freed. Not before here: the error refers to the buffers made so far.
        return captured_drawing(base)
    drawing: CapturedDrawing = base.captured
    return drawing


def made_for(base: Base, *, small: bool) -> CapturedDrawing:
    """The buffers for a card. On a small one, few slots, no weight is added up, and the VAE is in main memory."""
    if not small:
        buckets = buckets_of(base.device)
        return CapturedDrawing(base, buckets=buckets, slots=max(SLOTS, 2 * buckets[-1]))
    return CapturedDrawing(base, buckets=SMALL_BUCKETS, slots=4, lean=True)


def compile_drawing(base: Base) -> None:
    """Let torch's compiler write the kernels for drawing: minutes on a machine's first time, about 20 s later.

    Nothing else may run meanwhile: the compiler replaces how modules are called in the whole process, so a thread that
    draws at the same time fails. Where nothing is captured there is nothing to compile; a failure leaves the graphs.
    """
    if (without := captured_drawing(base)) is None:
        return
    try:
        made = made_for(base, small=without.lean)
        most = made.buckets[-1]
        made.compile([(1, True, made.alone), (most, True, made.mixed(most)), (most, True, made.alone)])
        made.rehearse()
    except Exception as error:  # the compiler raises errors of many kinds
        log.warning("drawing is not compiled: %s", type(error).__name__)
        return
    base.captured = made
    log.info("drawing is compiled")


def batch_of(base: Base, waiting: int) -> int:
    """How many of so many waiting pictures of whatever adapters one batch takes; 0 where it must share an adapter."""
    drawing = captured_drawing(base)
    return drawing.batch_of(waiting) if drawing is not None else 0


def largest(base: Base) -> int:
    """How many pictures a batch has at most, without making the buffers; 0 where it must share an adapter."""
    if base.captured is not None:
        return int(base.captured.buckets[-1])
    if base.device.type != "cuda" or base.resolution >= LARGE:
        return 0
    return (SMALL_BUCKETS if memory_gb(base.device) < SMALL_GB else buckets_of(base.device))[-1]


def load_ahead(base: Base, adapter: bytes | None) -> bool:
    """Bring the adapter of a later picture into a slot while a batch is drawn. False: there is no room for it yet."""
    if adapter is None or base.captured is None:
        return True
    bank: SlotBank = base.captured.bank
    return bank.load_ahead(adapter)


def buckets_of(device: torch.device) -> tuple[int, ...]:
    """Sizes of batches that a card has memory for: 16 pictures at once, or 4."""
    return BUCKETS if device.type != "cuda" or is_roomy(device) else BUCKETS[:3]


def draw_captured(
    base: Base, drawing: CapturedDrawing, items: Sequence[Item], *, steps: int, batch_size: int | None = None
) -> Iterator[DrawProgress | Picture]:
    """``sampling.draw`` with graphs: batch after batch in the order given. What fits no slots is drawn without."""
    size = min(batch_size or drawing.buckets[-1], drawing.buckets[-1])
    for start in range(0, len(items), size):
        some = items[start : start + size]
        try:
            drawing.info([item.adapter for item in some])
            events = draw_mixed(base, drawing, some, steps=steps)
        except DoesNotFit as why:
            log.info("drawn without slots: %s", why)
            events = draw_eagerly(base, some, steps=steps)
        for event in events:
            yield replace(event, index=start + event.index) if isinstance(event, Picture) else event


def draw_mixed(
    base: Base, drawing: CapturedDrawing, items: Sequence[Item], *, steps: int
) -> Iterator[DrawProgress | Picture]:
    """Draw one batch of at most ``drawing.buckets[-1]`` items. Raises JobError as ``sampling.draw``, and DoesNotFit."""
    if drawing.lean:
        free_for_drawing(base)
    infos = drawing.info([item.adapter for item in items])
    backgrounds = [
        item.background or background_of(base, info) for item, info in zip(items, infos, strict=True)
    ]
    texts = [
        texts_of(base, item, info, background)
        for item, info, background in zip(items, infos, backgrounds, strict=True)
    ]
    embedded = base.embed([text for pair in texts for text in pair])  # all at once
    if drawing.lean:
        free_text_encoder(base)
    requests = [
        Request(
            adapter=item.adapter,
            texts=both,
            noise=noise_of(base, item),
            cfg=item.cfg,
            strength=item.strength,
        )
        for item, both in zip(items, embedded.unflatten(0, (-1, 2)), strict=True)
    ]
    latents = yield from _sampled(base, drawing, requests, steps)
    for index, pixels in enumerate(drawing.decode(latents)):
        colour = base.profile.backgrounds[backgrounds[index]]
        yield Picture(index=index, image=Image.fromarray(pixels.numpy()), background_colour=colour)


def _sampled(
    base: Base, drawing: CapturedDrawing, requests: Sequence[Request], steps: int
) -> Generator[DrawProgress, None, Tensor]:
    solver = solver_of(base, steps)
    phases = phases_of(base.profile, solver, guided=any(one.cfg != 1 for one in requests))
    sampling = drawing.sample(requests, solver, phases)
    while True:
        try:
            number = next(sampling)
        except StopIteration as ended:
            latents: Tensor = ended.value
            break
        yield DrawProgress(step=number + 1, steps=steps)
    if not bool(torch.isfinite(latents).all()):
        raise JobError("not-a-number", "while drawing")
    return latents


def phases_of(profile: Profile, solver: Solver, *, guided: bool) -> list[Phase]:
    """With guidance as far as the profile says, then without."""
    until = solver.steps_in(profile.guidance_stop) if guided else 0
    return [Phase(first=start, guided=start < until) for start in sorted({0, until} - {len(solver)})]
