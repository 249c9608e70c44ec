"""How well a drawing follows its prompt, told by the bare base itself, in degrees.

The drawing is noised, and the base denoises it for the right prompt and for some others, as in a diffusion classifier
(Li et al. 2023, arXiv 2303.16203). How much better the right words fit, their loss less the others', is what they tell
of the drawing (pointwise information; Kong et al. 2024, arXiv 2310.07972). On average over drawings that are what
their words make the base expect, this equals the squared distance between its predictions for these and for
other words: its best guess is a conditional mean. The score is the one as a share of the other.

So 0 is chance whatever the words, and 1 is a drawing as the words make the base expect it. A rank among the prompts
says less, for the right one wins until little of a drawing is left. Other prompts as the reference, not none, cancel
out what an unknown style costs the base. ``docs/findings/fidelity.md`` compares the candidates.

Noise and noise levels are the same for all prompts and drawings. The adapter is off: it would tell its own samples'
words from others.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from lora.adapters.lora_layers import use_file
from lora.data.dataset import to_tensor
from lora.evaluation.scorers import FlatDrawing
from lora.models.base_model import Base

# Signal to noise of the levels: words matter while the shape is still open. A base whose noise ends earlier is read at
# its last step instead, each time with other noise.
LEVELS = (0.06, 0.02, 0.002)
MOST = 2.0  # further from 0 is noise: the words hardly change what the base expects


class DiffusionPromptScorer:
    """0: other prompts fit as well. 1: as the base expects it of the prompt; with guidance, drawings go beyond."""

    # Guidance exaggerates the bare base's drawings, and a style of its own shows less of what the base expects: real
    # drawings of an unseen style, made without guidance, have just this share of its score.
    least = 0.6

    def __init__(self, base: Base) -> None:
        self._base = base

    def read(self, shown: FlatDrawing, background: str, prompts: Sequence[str]) -> float:
        """``fidelity`` at LEVELS. The base denoises once for each prompt and level, at its own resolution."""
        use_file(self._base, None)
        texts = self._base.embed([self._base.with_background(prompt, background) for prompt in prompts])
        square = shown.image.resize((self._base.resolution,) * 2, Image.Resampling.BOX)
        clean, _ = self._base.encode(to_tensor([square]))
        return fidelity([residuals(self._base, clean, texts, level, i) for i, level in enumerate(LEVELS)])


@torch.no_grad()
def residuals(base: Base, clean: Tensor, texts: Tensor, level: float, seed: int) -> Tensor:
    """By how much the base's velocity misses for each of n texts: float32 [n, values] on the CPU.

    ``clean`` [1, channels, h, w] is a drawing's latents, ``texts`` [n, 77, width] are embeddings. ``level`` is a
    signal-to-noise ratio, of which the base's nearest step is taken. What a base that predicts noise misses is
    turned into velocity (Salimans & Ho 2022, arXiv 2202.00512), so that levels weigh the same for all bases.
    """
    signals = base.scheduler.alphas_cumprod.to(clean.device, torch.float32)
    time = int((signals / (1 - signals).clamp_min(1e-8) - level).abs().argmin())
    signal = signals[time]
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(seed)).to(clean.device)
    noisy = signal.sqrt() * clean + (1 - signal).sqrt() * noise
    many = noisy.expand(len(texts), -1, -1, -1).to(base.dtype, memory_format=torch.channels_last)
    times = torch.full((len(texts),), time, device=clean.device)
    predicted = base.unet(many, times, encoder_hidden_states=texts).sample.float()
    if base.scheduler.config.prediction_type == "v_prediction":
        missed = predicted - (signal.sqrt() * noise - (1 - signal).sqrt() * clean)
    else:
        missed = (predicted - noise) / signal.sqrt()
    return missed.flatten(1).cpu()


def fidelity(missed: Sequence[Tensor]) -> float:
    """The score, within -MOST and MOST, from ``residuals`` [n, values] at each level. The first text is the right one.

    0 if the words make no difference at all.
    """
    gained = sum(float((one[1:].square() - one[:1].square()).mean()) for one in missed)
    expected = sum(float((one[1:] - one[:1]).square().mean()) for one in missed)
    return max(-MOST, min(MOST, gained / expected)) if expected else 0.0
