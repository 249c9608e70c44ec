"""Draws pictures from prompts in batches. Every picture has its own seed and CFG.

``batch_key`` says what the pictures of one batch must have in common. On a GPU, ``mixed_batches`` mixes adapters.
"""

from __future__ import annotations

from collections.abc import Generator, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

import torch
from PIL import Image
from torch import Tensor

from lora import jobs
from lora.adapters.adapter_file import AdapterInfo
from lora.adapters.lora_layers import set_strength, use_file
from lora.data.captions import length, with_keyword, with_style_words
from lora.drawing import noise
from lora.drawing.lean_denoiser import LeanDenoiser
from lora.drawing.solver import Solver, solver_of
from lora.jobs import Draw, JobError
from lora.models.base_model import Base
from lora.models.lean.blocks import each_for
from lora.models.offload import free_for_decoding
from lora.models.profiles import Colour

MAX_BATCH = jobs.MAX_BATCH


@dataclass(frozen=True, kw_only=True)
class Item:
    """One picture to draw. ``adapter`` is a LoRA file (safetensors bytes) or None; ``cfg`` 1 means no guidance."""

    prompt: str = field(repr=False)
    negative_prompt: str = field(default="", repr=False)
    adapter: bytes | None = field(default=None, repr=False)
    seed: int
    cfg: float
    near: tuple[int, ...] = ()  # seeds that the initial noise is moved towards
    strength: float = 1.0  # of the adapter
    background: str | None = (
        None  # a name of the base's profile; None: the one that the adapter was trained on
    )

    @classmethod
    def of_job(cls, job: Draw, index: int) -> Item:
        """Picture ``index`` of a job."""
        options = job.options.of_picture(index)
        return cls(
            prompt=job.prompt,
            adapter=job.adapter,
            negative_prompt=options.negative_prompt,
            seed=options.seed,
            near=options.near,
            cfg=options.cfg,
            strength=options.strength,
        )


@dataclass(frozen=True, kw_only=True)
class DrawProgress:
    """``step`` of ``steps`` denoising steps of the current batch is done."""

    step: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class Picture:
    """The drawing of ``items[index]``, RGB, and the colour of the background that its prompt asked for."""

    index: int
    image: Image.Image
    background_colour: Colour


def draw(
    base: Base, items: Sequence[Item], *, steps: int, batch_size: int | None = None
) -> Iterator[DrawProgress | Picture]:
    """Draw all items in batches, and yield each picture as soon as it is decoded.

    A picture depends on its own item alone, up to the rounding of batched arithmetic: its noise comes from a CPU
    generator with its seed. The denoiser must not be used by others between two steps of a batch.
    Raises JobError: caption-too-long (no room for keyword and background), bad-adapter, other-base, too-many-steps
    (the base has fewer noise levels) and not-a-number (the latents are not finite).
    """
    most = base.scheduler.config.num_train_timesteps
    if steps > most:
        raise JobError("too-many-steps", f"{steps}; this base has {most} noise levels")
    from lora.drawing import mixed_batches  # it draws the items of this module

    drawing = mixed_batches.captured_drawing(base)
    if drawing is not None:
        yield from mixed_batches.draw_captured(base, drawing, items, steps=steps, batch_size=batch_size)
        return
    yield from draw_eagerly(base, items, steps=steps, batch_size=batch_size or MAX_BATCH)


def draw_eagerly(
    base: Base, items: Sequence[Item], *, steps: int, batch_size: int = MAX_BATCH
) -> Iterator[DrawProgress | Picture]:
    """``draw`` without CUDA graphs, those of one adapter together: on a CPU, and for adapters that fit no slots."""
    for batch in _batches(items, steps, batch_size):
        about = use_file(base, items[batch[0]].adapter)
        background = items[batch[0]].background or background_of(base, about)
        chosen = [items[index] for index in batch]
        latents = yield from _sample(base, chosen, about, background, steps)
        for index, image in zip(batch, images_of(base, latents), strict=True):
            yield Picture(index=index, image=image, background_colour=base.profile.backgrounds[background])


def batch_key(item: Item, steps: int) -> tuple[bytes | None, float, str | None, int]:
    """Without slots, items may share a batch only if their keys are equal. No other code decides this.

    ``draw_eagerly`` puts one adapter on the denoiser and sets its strength for all pictures of a batch, makes all
    prompts for one background, and runs one scheduler. With slots (``mixed_batches``) only the steps must be equal.
    """
    return item.adapter, item.strength if item.adapter is not None else 1.0, item.background, steps


def _batches(items: Sequence[Item], steps: int, size: int) -> Iterator[list[int]]:
    """Indices of items that share a batch, at most ``size`` in each."""
    groups: dict[Hashable, list[int]] = {}
    for index, item in enumerate(items):
        groups.setdefault(batch_key(item, steps), []).append(index)
    for group in groups.values():
        yield from (group[start : start + size] for start in range(0, len(group), size))


def background_of(base: Base, about: AdapterInfo | None) -> str:
    """The background that the adapter was trained on; the first of the base's profile if it has no such."""
    if about is not None and about.background in base.profile.backgrounds:
        return about.background
    return next(iter(base.profile.backgrounds))


def _sample(
    base: Base, items: Sequence[Item], about: AdapterInfo | None, background: str, steps: int
) -> Generator[DrawProgress, None, Tensor]:
    """Denoise one batch; returns its latents [n, channels, height, width] in float32.

    After ``profile.guidance_stop`` of the noise levels the pictures are drawn without guidance.
    """
    if items[0].adapter is not None:
        set_strength(base, items[0].strength)
    texts = _embeddings(base, items, about, background)
    cfg = torch.tensor([item.cfg for item in items], device=base.device).view(-1, 1, 1, 1)
    solver, meant = solver_of(base, steps), None
    latents = torch.stack([noise_of(base, item) for item in items]).to(base.device)
    guided = solver.steps_in(base.profile.guidance_stop)
    for done in range(1, steps + 1):
        if done > guided and len(texts) > len(items):
            texts = texts[1::2]  # without the negative ones
        latents, meant = denoise(base, solver, done - 1, latents, meant, texts, cfg)
        yield DrawProgress(step=done, steps=steps)
    if not bool(torch.isfinite(latents).all()):
        raise JobError("not-a-number", "while drawing")
    return latents


def _embeddings(base: Base, items: Sequence[Item], about: AdapterInfo | None, background: str) -> Tensor:
    """Text embeddings [n, 77, width]; if any item has guidance, [2n, 77, width]: of each the negative one first."""
    texts = [texts_of(base, item, about, background) for item in items]
    if all(item.cfg == 1 for item in items):
        return base.embed([prompt for _, prompt in texts])
    return base.embed([text for pair in texts for text in pair])


def texts_of(base: Base, item: Item, about: AdapterInfo | None, background: str) -> tuple[str, str]:
    """An item's negative prompt, and its prompt with all that the adapter's captions had: keyword, style, background.

    Raises JobError caption-too-long.
    """
    keyword, style_words = (about.keyword, about.style_words) if about else ("", "")
    for fit in (
        length(item.prompt, keyword, with_style_words("", style_words) + base.background_words(background)),
        length(item.negative_prompt, background=""),
    ):
        if not fit.fits:
            raise JobError("caption-too-long", str(fit))
    prompt = with_keyword(item.prompt, keyword) if keyword else item.prompt
    return item.negative_prompt, base.with_background(with_style_words(prompt, style_words), background)


def noise_of(base: Base, item: Item) -> Tensor:
    """An item's initial noise [channels, height, width] on the CPU: the same on every device and in any batch."""
    shape = (base.unet.config.in_channels, base.unet.config.sample_size, base.unet.config.sample_size)
    return noise.initial(shape, item.seed, item.near)


@torch.no_grad()
def denoise(
    base: Base,
    solver: Solver,
    number: int,
    latents: Tensor,
    meant: Tensor | None,
    texts: Tensor,
    cfg: Tensor | float = 1,
) -> tuple[Tensor, Tensor]:
    """Step ``number`` of a batch with classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598).

    predicted = without + cfg * (with_text - without)

    latents [n, channels, height, width]; texts [2n, 77, width], the negative one before each picture's other, or
    [n, 77, width] for no guidance; cfg [n, 1, 1, 1] or one number. Takes and returns what ``Solver.step`` does.
    """
    t = solver.timesteps[number].to(base.device)
    pairs_at_once = isinstance(base.unet, LeanDenoiser)
    predicted = base.predict(latents if pairs_at_once else each_for(latents, len(texts)), t, texts)
    if len(texts) > len(latents):
        without, with_text = predicted.unflatten(0, (-1, 2)).unbind(1)
        predicted = without + cfg * (with_text - without)
    return solver.step(number, latents, predicted, meant)


def images_of(base: Base, latents: Tensor) -> Iterator[Image.Image]:
    """Decode latents to RGB pictures, one at a time: the decoder needs more memory than the denoiser."""
    free_for_decoding(base)
    for latent in latents.split(1):
        pixels = ((base.decode(latent)[0] + 1) * 127.5).round().byte()
        yield Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())
