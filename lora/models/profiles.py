"""Kinds of base: training defaults, backgrounds and sampling rules of each.

PROFILES is the table. A new kind of base is one profile and one line in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lora.jobs import TrainSettings
from lora.models import sd21, sticker_nano

Colour = tuple[int, int, int]  # RGB, 0 to 255


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What the config files of a base say of it; a profile is chosen by this alone, not by a name or a path."""

    channels: tuple[int, ...]  # of the denoiser's levels, its block_out_channels
    text_width: int  # of the text embeddings, its cross_attention_dim
    sample_size: int  # latents across and down
    prediction_type: str  # epsilon | v_prediction


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What holds for one kind of base.

    A drawing takes ``draw_steps`` unless it is told otherwise. ``guidance_stop`` is the share of the noise levels, from
    the noisiest one, in which steps are guided: the shapes are decided there, and guidance makes the other steps worse
    (Kynkäänniemi et al. 2024, arXiv 2404.07724). ``guided_steps`` is the share of the steps that are made there; None:
    all steps are equally long. ``python -m benchmarks.sampling`` measures each of these.
    """

    name: str
    matches: Callable[[Shape], bool]
    backgrounds: Mapping[str, Colour]
    example_prompt: str  # one that this base draws well; people are shown it
    caption_template: str  # names the background: {text} is a caption or prompt, {name} a key of backgrounds
    defaults: Callable[[int], TrainSettings]  # number of samples -> every setting filled in
    snr_gamma: float | None
    ema_decay: float | None
    warmup_steps: int
    random_flip: bool
    timestep_sampling: str = "stratified"  # of an adapter's training: lora.training.timesteps
    draw_steps: int = 20
    guidance_stop: float = 1.0
    guided_steps: float | None = None
    styles: Path | None = (
        None  # a table of the styles that it knows by name (``lora.evaluation.nearest_style``)
    )


def shape_of(denoiser: Any, scheduler: Any) -> Shape:
    """The shape that the configs of a base's denoiser and scheduler describe."""
    return Shape(
        channels=tuple(denoiser.block_out_channels),
        text_width=denoiser.cross_attention_dim,
        sample_size=denoiser.sample_size,
        prediction_type=scheduler.prediction_type,
    )


def profile_of(shape: Shape) -> Profile:
    """The first profile of PROFILES that matches; the last one matches every shape."""
    return next(profile for profile in PROFILES if profile.matches(shape))


def _is_nano(shape: Shape) -> bool:
    """An unpacked copy of the bundled base is that base, whatever its folder is called."""
    channels, text_width = sticker_nano.UNET["block_out_channels"], sticker_nano.UNET["cross_attention_dim"]
    return shape.channels == tuple(channels) and shape.text_width == text_width


def _is_sd21(edition: str) -> Callable[[Shape], bool]:
    """SD 2.0 and all that was made from SD 2 by further training have the same shapes and match too."""
    configs = sd21.settings(edition)
    unet, scheduler = configs["unet"], configs["scheduler"]
    known = Shape(
        channels=tuple(unet["block_out_channels"]),
        text_width=unet["cross_attention_dim"],
        sample_size=unet["sample_size"],
        prediction_type=scheduler["prediction_type"],
    )
    return lambda shape: shape == known


def _nano_defaults(samples: int) -> TrainSettings:
    return TrainSettings(steps=300, batch_size=4, learning_rate=1e-3, rank=16, checkpoint_steps=100)


def _usual_defaults(samples: int) -> TrainSettings:
    """Each sample is seen about 50 times. The reference command's 220 times copies the samples."""
    steps = min(1600, max(400, 50 * samples))
    return TrainSettings(steps=steps, batch_size=1, learning_rate=1e-4, rank=16, checkpoint_steps=400)


NANO = Profile(
    name=sticker_nano.NAME,
    matches=_is_nano,
    backgrounds=sticker_nano.BACKGROUNDS,
    example_prompt="a bear riding a bicycle",
    caption_template="{text}, {name} background",
    defaults=_nano_defaults,
    snr_gamma=None,  # min-SNR gives little weight to the noisiest steps, where the whole picture is decided
    ema_decay=0.98,
    warmup_steps=20,
    random_flip=False,  # the base never saw a mirrored picture: flips only make it lose concepts
    draw_steps=12,
    guidance_stop=0.55,
    guided_steps=0.83,
    styles=sticker_nano.STYLES,
)
USUAL = Profile(
    name="any other base of this shape",
    matches=lambda shape: True,
    backgrounds=sticker_nano.BACKGROUNDS,
    example_prompt="a fox drinking coffee",
    caption_template="{text}, on a plain {name} background",
    defaults=_usual_defaults,
    snr_gamma=None,
    ema_decay=None,
    warmup_steps=50,
    random_flip=True,
)
SD21_BASE = replace(USUAL, name=sd21.EPSILON_512, matches=_is_sd21(sd21.EPSILON_512))
SD21 = replace(USUAL, name=sd21.V_768, matches=_is_sd21(sd21.V_768))

PROFILES = (NANO, SD21_BASE, SD21, USUAL)  # the first that matches is taken
