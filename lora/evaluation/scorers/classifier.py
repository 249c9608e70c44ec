"""How well a drawing follows its prompt, measured with the bare base itself: a diffusion classifier, as a degree.

The drawing's latents are noised, and the base predicts the velocity for the right prompt c and for other prompts c'
(Li et al. 2023, arXiv 2303.16203). With ``v`` the true velocity and ``v_c`` the predicted one, averaged over the
other prompts, the latents' values and the noise levels:

    gain     = mean |v_c' - v|^2 - mean |v_c - v|^2      the loss with other prompts less that with the right one
    distance = mean |v_c' - v_c|^2                       how much the prompt changes the prediction at all
    score    = gain / distance, limited to -MOST .. MOST

``gain`` is the information of the prompt about the drawing (pointwise information; Kong et al. 2024, arXiv 2310.07972).
A prediction is a conditional mean. So for drawings that are as the base expects them for c, ``gain`` is ``distance`` on
average: the score is 1. It is 0 if the prompt fits no better than the others, whatever the prompts are.

Why a degree: the right prompt's rank among the prompts stays first until little of the drawing is left. Why other
prompts and not the empty one: an unknown style costs the base the same with every prompt, so that it cancels out.
``docs/findings/fidelity.md`` compares the candidates.

Noise and noise levels are the same for all prompts and drawings. No adapter is active: it would prefer the words of
its own samples.
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
from lora.models.diffusion import V_PREDICTION, add_noise, signal_to_noise, velocity, velocity_from_noise

# Signal-to-noise ratios. At these the shape is still open, so the prompt matters. If a base's schedule ends before one
# of them, its last timestep is used instead, each time with other noise.
LEVELS = (0.06, 0.02, 0.002)
MOST = 2.0  # a score beyond it is chance: the distance between the prompts is nearly 0


class DiffusionPromptScorer:
    """0: the other prompts fit as well. 1: as the base expects it of the prompt; guidance can lead beyond 1."""

    # The bare base draws with guidance, so its drawings exceed what it expects. Real drawings in a style that it has
    # not seen have this share of its score.
    min_share = 0.6

    def __init__(self, base: Base) -> None:
        self._base = base

    def score(self, drawing: FlatDrawing, background: str, prompts: Sequence[str]) -> float:
        """``fidelity`` at LEVELS: one prediction for each prompt and level, at the base's resolution."""
        use_file(self._base, None)
        text_embeddings = self._base.embed(
            [self._base.with_background(prompt, background) for prompt in prompts]
        )
        square = drawing.image.resize((self._base.resolution,) * 2, Image.Resampling.BOX)
        x_0, _ = self._base.encode(to_tensor([square]))
        return fidelity(
            [residuals(self._base, x_0, text_embeddings, snr, seed) for seed, snr in enumerate(LEVELS)]
        )


@torch.no_grad()
def residuals(base: Base, x_0: Tensor, text_embeddings: Tensor, snr: float, seed: int) -> Tensor:
    """``v_c - v`` for each of n text embeddings: float32 [n, values] on the CPU.

    ``x_0`` [1, channels, h, w] is a drawing's latents, ``text_embeddings`` is [n, 77, width]. ``snr`` is the
    signal-to-noise ratio; the base's nearest timestep is used. A predicted noise is converted to velocity, so that
    the levels have the same weights with every base.
    """
    alphas_cumprod = base.scheduler.alphas_cumprod.to(x_0.device, torch.float32)
    timestep = int((signal_to_noise(alphas_cumprod) - snr).abs().argmin())
    alpha_bar = alphas_cumprod[timestep]
    noise = torch.randn(x_0.shape, generator=torch.Generator().manual_seed(seed)).to(x_0.device)
    x_t = add_noise(x_0, noise, alpha_bar)
    count = len(text_embeddings)
    timesteps = torch.full((count,), timestep, device=x_0.device)
    predicted = base.predict(x_t.expand(count, -1, -1, -1), timesteps, text_embeddings)
    if base.scheduler.config.prediction_type != V_PREDICTION:
        predicted = velocity_from_noise(x_t, predicted, alpha_bar)
    return (predicted - velocity(x_0, noise, alpha_bar)).flatten(1).cpu()


def fidelity(residuals: Sequence[Tensor]) -> float:
    """The score, from the ``residuals`` [n, values] at each level; the first of the n prompts is the right one.

    0 if the prompt changes no prediction.
    """
    gain = sum(float((level[1:].square() - level[:1].square()).mean()) for level in residuals)
    distance = sum(float((level[1:] - level[:1]).square().mean()) for level in residuals)
    return max(-MOST, min(MOST, gain / distance)) if distance else 0.0
