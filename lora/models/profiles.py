"""What holds for each kind of base: its training defaults, its background colours, its rules of sampling."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lora.jobs import TrainSettings
from lora.models import sticker_nano

Colour = tuple[int, int, int]  # RGB, 0 to 255


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What holds for a kind of base. ``caption_template`` is how a caption names the colour behind the drawing.

    ``guidance_stop`` is the share of the denoising steps, from the first one, that are guided: shapes are decided in
    those, and the others only lose by it (Kynkäänniemi et al. 2024, arXiv 2404.07724). In the share ``shaping`` of
    the steps an adapter has only ``shaping_strength`` of its strength: what it learned there from a few samples are
    their shapes (Soboleva et al. 2025, arXiv 2507.05964, who give it fewer ranks there).
    """

    backgrounds: Mapping[str, Colour]
    caption_template: str
    defaults: Callable[[int], TrainSettings]  # number of samples -> every setting filled in
    snr_gamma: float | None
    ema_decay: float | None
    warmup_steps: int
    random_flip: bool
    guidance_stop: float = 1.0
    shaping: float = 0.0
    shaping_strength: float = 1.0


def _nano_defaults(samples: int) -> TrainSettings:
    return TrainSettings(steps=300, batch_size=4, learning_rate=1e-3, rank=16, checkpoint_steps=100)


def _usual_defaults(samples: int) -> TrainSettings:
    """About fifty looks at each sample; far fewer than the reference command's 220, which copies them."""
    steps = min(1600, max(400, 50 * samples))
    return TrainSettings(steps=steps, batch_size=1, learning_rate=1e-4, rank=16, checkpoint_steps=400)


NANO = Profile(
    backgrounds=sticker_nano.BACKGROUNDS,
    caption_template="{text}, {name} background",
    defaults=_nano_defaults,
    snr_gamma=None,  # min-SNR leaves out the noisiest steps, where it is decided how a drawing looks as a whole
    ema_decay=0.98,
    warmup_steps=20,
    random_flip=False,  # it has never seen anything mirrored: that only costs it concepts
    guidance_stop=0.55,
    shaping=0.2,
    shaping_strength=0.5,
)


USUAL = Profile(
    backgrounds=sticker_nano.BACKGROUNDS,
    caption_template="{text}, on a plain {name} background",
    defaults=_usual_defaults,
    snr_gamma=None,
    ema_decay=None,
    warmup_steps=50,
    random_flip=True,
)
