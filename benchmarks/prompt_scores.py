"""Scores of how well a drawing fits its caption, from a base's predictions. ``benchmarks.fidelity`` compares them.

A drawing's predictions are given as a Gram matrix G [captions, captions] for each noise level. With the residual e_c of
caption c (``lora.evaluation.scorers.classifier.residuals``), G[c, d] = mean(e_c e_d). So the losses are
L_c = G[c, c], and the predictions' squared distance is D_cd = G[c, c] - 2 G[c, d] + G[d, d]. The captions are the right
one, ten others and none. The others that a caption is compared with are its rivals r.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from lora.evaluation.compare import OTHER_PROMPTS
from lora.evaluation.scorers.classifier import LEVELS, MOST

READ = (0.06, 0.02, 0.005, 0.002)  # signal to noise of the levels in a matrix
BEFORE = (0.06, 0.02, 0.005)  # of the rank that was the score before
RIGHT, NONE = 0, -1  # rows
OTHERS = 10
MOST_RIVALS = 9  # so that each of the others can be taken for the right one, too

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Score:
    """A function of Gram matrices [n, levels, captions, captions]: how well the caption of a row fits each drawing [n].

    The rivals are the captions that follow the row's; the right one is never among them.
    """

    name: str
    of: Callable[[Array, int, Sequence[int]], Array]
    levels: tuple[float, ...] = LEVELS
    rivals: int = OTHER_PROMPTS
    unconditional: bool = False

    def __call__(self, grams: Array, row: int = RIGHT) -> Array:
        at = [READ.index(level) for level in self.levels]
        rivals = [1 + (row + i) % OTHERS for i in range(self.rivals)]
        return self.of(grams[:, at], row, [NONE] if self.unconditional else rivals)

    def wrong(self, grams: Array) -> Array:
        """The scores of each of the other captions [others, n]."""
        return np.stack([self(grams, row) for row in range(1, 1 + OTHERS)])

    @property
    def forwards(self) -> int:
        """The number of denoisings for one drawing."""
        return len(self.levels) * (1 + (1 if self.unconditional else self.rivals))


def losses(grams: Array, row: int, rivals: Sequence[int]) -> tuple[Array, Array]:
    """The losses of the caption [n, levels] and of its rivals [n, levels, rivals]."""
    diagonal = np.diagonal(grams, axis1=-2, axis2=-1)
    return diagonal[..., row], diagonal[..., list(rivals)]


def rank(grams: Array, row: int, rivals: Sequence[int]) -> Array:
    """``2 * (share of rivals with a larger loss) - 1``."""
    own, others = losses(grams, row, rivals)
    return (others.sum(axis=1) > own.sum(axis=1)[:, None]).mean(axis=1) * 2 - 1


def relative(grams: Array, row: int, rivals: Sequence[int]) -> Array:
    """``1 - L_c / mean_r(L_r)``, each summed over the levels."""
    own, others = losses(grams, row, rivals)
    return 1 - own.sum(axis=1) / others.mean(axis=2).sum(axis=1)


def relative_by_level(grams: Array, row: int, rivals: Sequence[int]) -> Array:
    """The mean over the levels of ``1 - L_c / mean_r(L_r)``."""
    own, others = losses(grams, row, rivals)
    return (1 - own / others.mean(axis=2)).mean(axis=1)


def difference(grams: Array, row: int, rivals: Sequence[int]) -> Array:
    """``mean_r(L_r) - L_c``. With no caption as the only rival: pointwise mutual information (Kong et al. 2024)."""
    own, others = losses(grams, row, rivals)
    return (others.mean(axis=2) - own).mean(axis=1)


def posterior(grams: Array, row: int, rivals: Sequence[int], temperature: float = 0.05) -> Array:
    """Softmax of ``-L / (T * mean_r(L_r))``, with the mean over the levels inside (Li et al. 2023)."""
    own, others = losses(grams, row, rivals)
    scale = others.mean(axis=2)
    gap = (others / scale[..., None]).mean(axis=1) - (own / scale).mean(axis=1)[:, None]
    return 1 / (1 + np.exp(-gap / temperature).sum(axis=1))


def expected(grams: Array, row: int, rivals: Sequence[int]) -> Array:
    """The product's ``fidelity``: ``mean_r(L_r - L_c) / mean_r(D_cr)``, each summed over the levels."""
    own, others = losses(grams, row, rivals)
    cross = grams[..., row, list(rivals)]
    distance = (own[..., None] - 2 * cross + others).mean(axis=2).sum(axis=1)
    return ((others.mean(axis=2) - own).sum(axis=1) / distance).clip(-MOST, MOST)


SCORES = (
    Score(name="rank, as before", of=rank, levels=BEFORE, rivals=MOST_RIVALS),
    Score(name="rank", of=rank),
    Score(name="relative loss", of=relative),
    Score(name="relative loss by level", of=relative_by_level),
    Score(name="posterior, T = 0.05", of=posterior),
    Score(name="difference", of=difference),
    Score(name="difference, from no caption", of=difference, unconditional=True),
    Score(name="share of the expected, from no caption", of=expected, unconditional=True),
    Score(name="**share of the expected**", of=expected),
    Score(name="... of 9 others", of=expected, rivals=MOST_RIVALS),
    Score(name="... of 2 others", of=expected, rivals=2),
    Score(name="... at 0.06, 0.02, 0.005", of=expected, levels=BEFORE),
    Score(name="... at all four levels", of=expected, levels=READ),
)
PRODUCT = next(score for score in SCORES if score.name.startswith("**"))


def auc(right: Array, wrong: Array) -> float:
    """The probability that a score of ``right`` [n] is over one of ``wrong`` (any shape); ties count half."""
    ranks = rankdata(np.concatenate([right, wrong.ravel()]))[: len(right)]
    return float((ranks.sum() - len(right) * (len(right) + 1) / 2) / (len(right) * wrong.size))
