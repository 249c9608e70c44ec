"""Chooses a checkpoint: a rule over the measurements of its drawings. No torch here.

1. A checkpoint whose drawings copy samples is out. One that follows prompts clearly less than a given share of how
   well the bare base follows them is out, too.
2. The others get a combined score, ``style + prompt / mean(prompt of the bare base)``, one for each drawing. It has
   both terms because a training often loses in one what it gains in the other.
3. The last checkpoint is chosen whose combined score is not clearly less than the highest one. The highest of a few
   means is often the highest by chance, and a later checkpoint has learned longer.

``docs/findings/training.md`` compares this rule with others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lora.evaluation.scorers import Floats
from lora.jobs import ReasonCode, Score

MAX_COPIES = 0.05  # share of the drawings
RESAMPLES = 2000
CLEARLY = (
    2.0  # standard errors. One is not enough: the highest of several means is often one higher by chance
)
CHANCE = 0.05  # a number of copies that happens by accident less often than this is no accident

WORDS = {
    ReasonCode.BEST: "the best in the samples' style and in following prompts together",
    ReasonCode.LEARNED_LONGEST: (
        "it learned longest, and none is clearly better in the samples' style and in following prompts together"
    ),
    ReasonCode.LEAST_BAD: "the least bad one: it {detail}",
    ReasonCode.COPIES: "copies samples in {detail} drawings",
    ReasonCode.IGNORES_PROMPTS: "follows prompts less than {detail} as well as the bare base",
    ReasonCode.LEARNED_LESS: "is not clearly better, and learned less",
    ReasonCode.FURTHER: "is further from the samples' style",
    ReasonCode.FOLLOWS_LESS: "follows prompts less",
}


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """The measurements of one checkpoint's n drawings. All checkpoints draw the same n prompts in the same order."""

    step: int
    style: Floats  # [n]
    prompt: Floats  # [n]
    copied: np.ndarray  # bool [n]
    diversity: float | None  # None if n is 1

    def score(self) -> Score:
        """The means over the drawings."""
        return Score(
            step=self.step,
            style=float(self.style.mean()),
            prompt=float(self.prompt.mean()),
            diversity=self.diversity,
            memorised=float(self.copied.mean()),
        )


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a checkpoint was chosen, or why it was not. As a text it is a part of a sentence for the terminal."""

    code: ReasonCode
    detail: str = ""  # the figures in the text

    def __str__(self) -> str:
        return WORDS[self.code].format(detail=self.detail)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The chosen step, why it was chosen, and why each of the others was not."""

    step: int
    reason: Reason
    others: dict[int, Reason]

    def reason_of(self, step: int) -> Reason:
        """Why this checkpoint was chosen or was not."""
        return self.reason if step == self.step else self.others[step]


def choose_checkpoint(
    measurements: Sequence[Measurements], base_prompt: Floats, *, min_share: float, samples: int
) -> Choice:
    """Choose among checkpoints, given in the order of their steps.

    ``base_prompt`` [n] is the bare base's prompt score of each drawing, for the same prompts and seeds. ``min_share``
    is the share of its mean that a checkpoint must reach; it depends on the scorer
    (``lora.evaluation.scorers.PromptScorer``). ``samples`` is the number of samples of the training.

    If all checkpoints are out, the one with the fewest copies is chosen, and among equals the one that follows
    prompts best.
    """
    faults = {one.step: _fault(one, base_prompt, min_share, samples) for one in measurements}
    passed = [one for one in measurements if faults[one.step] is None]
    if not passed:
        least_bad = min(measurements, key=lambda one: (one.copied.mean(), -one.prompt.mean()))
        found = {step: fault for step, fault in faults.items() if fault is not None}
        fault = found.pop(least_bad.step)
        reason = Reason(code=ReasonCode.LEAST_BAD, detail=str(fault))
        return Choice(step=least_bad.step, reason=reason, others=found)
    combined = {one.step: combined_score(one, base_prompt) for one in passed}
    highest = max(passed, key=lambda one: combined[one.step].mean())
    equals = [
        one.step for one in passed if not clearly_less(combined[one.step], combined[highest.step], CLEARLY)
    ]
    chosen = max(equals)
    others = {
        one.step: faults[one.step]
        or (Reason(code=ReasonCode.LEARNED_LESS) if one.step in equals else _what_is_less(one, highest))
        for one in measurements
        if one.step != chosen
    }
    code = ReasonCode.BEST if chosen == highest.step else ReasonCode.LEARNED_LONGEST
    return Choice(step=chosen, reason=Reason(code=code), others=others)


def combined_score(one: Measurements, base_prompt: Floats) -> Floats:
    """``style + prompt / mean(base_prompt)`` of each drawing [n].

    The first term is 1 for the samples' style, the second 1 for following the prompt as well as the bare base does.
    It is ``style`` alone if the base follows prompts no better than chance: a ratio to about 0 says nothing.
    """
    if not _follows(base_prompt):
        return one.style
    return one.style + one.prompt / base_prompt.mean()


def _fault(one: Measurements, base_prompt: Floats, min_share: float, samples: int) -> Reason | None:
    """What rules a checkpoint out, or None."""
    count, drawings = int(one.copied.sum()), len(one.copied)
    if count > MAX_COPIES * drawings and _accident(count, drawings, samples) < CHANCE:
        return Reason(code=ReasonCode.COPIES, detail=f"{count} of {drawings}")
    if ignores_prompts(one.prompt, base_prompt, min_share):
        return Reason(code=ReasonCode.IGNORES_PROMPTS, detail=f"{min_share:.0%}")
    return None


def ignores_prompts(prompt: Floats, base_prompt: Floats, min_share: float) -> bool:
    """Whether ``mean(prompt)`` is clearly less than ``min_share * mean(base_prompt)``; both are [n].

    False if the base itself follows prompts no better than chance, which is a score of 0: then a share of its score
    says nothing, and the checkpoint cannot have lost what the base never had.
    """
    return _follows(base_prompt) and clearly_less(prompt, min_share * base_prompt)


def _follows(base_prompt: Floats) -> bool:
    """Whether the mean prompt score is clearly over 0, which is chance."""
    return clearly_less(np.zeros_like(base_prompt), base_prompt)


def _accident(count: int, drawings: int, samples: int) -> float:
    """The probability that at least ``count`` new drawings pass the limit of ``metrics.copies`` by accident.

    P(X >= count), X ~ Binomial(drawings, p). The limit is the 99th percentile of a few samples' similarities, which is
    an uncertain estimate: p = max(0.01, 1 / (samples + 1)).
    """
    rate = max(0.01, 1 / (samples + 1))
    return sum(
        math.comb(drawings, k) * rate**k * (1 - rate) ** (drawings - k) for k in range(count, drawings + 1)
    )


def clearly_less(one: Floats, other: Floats, errors: float = 1.0) -> bool:
    """Whether ``mean(other - one)`` is over ``errors`` of its standard errors; both are [n], paired by prompt.

    The standard error is a bootstrap over the prompts (Efron & Tibshirani 1993). One standard error is the rule by
    which Breiman et al. 1984 take the simpler of two models.
    """
    gap = other - one
    chance = np.random.default_rng(0)
    means = gap[chance.integers(0, len(gap), (RESAMPLES, len(gap)))].mean(axis=1)
    return bool(gap.mean() > errors * means.std() + 1e-9)


def _what_is_less(one: Measurements, highest: Measurements) -> Reason:
    """Which term of the combined score is the lower one; the style is named if both are."""
    if one.style.mean() < highest.style.mean():
        return Reason(code=ReasonCode.FURTHER)
    return Reason(code=ReasonCode.FOLLOWS_LESS)
