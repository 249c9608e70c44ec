"""Which checkpoint is the best: a rule over what was measured of its drawings. No torch here.

Those that copy samples are out, and those that follow prompts clearly less than a share of how well the bare base
does. What the rest are worth is how near they come to the samples' style, plus how well they follow prompts beside the
bare base: what is gained of one is often lost of the other. The last of them wins, unless another one's drawings are
clearly better: it has learned longest, and the best of a few drawings is often so by luck.
``docs/findings/training.md`` has what that choice is worth, and other rules.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lora.evaluation.scorers import Floats
from lora.jobs import Score

MAX_COPIES = 0.05  # share of the drawings
RESAMPLES = 2000
CLEARLY = 2.0  # standard errors: the best of several checkpoints is often one above the others by luck alone
LEARNED_LESS = "is not clearly better, and learned less"
CHANCE = 0.05  # so many copies would come about by accident less often than this


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """What was measured of one checkpoint's drawings, one value for each [n]: the same prompts in the same order."""

    step: int
    style: Floats
    prompt: Floats
    copied: np.ndarray  # bool
    diversity: float | None  # None: of a single drawing

    def score(self) -> Score:
        """The means."""
        return Score(
            step=self.step,
            style=float(self.style.mean()),
            prompt=float(self.prompt.mean()),
            diversity=self.diversity,
            memorised=float(self.copied.mean()),
        )


@dataclass(frozen=True, kw_only=True)
class Choice:
    """The step that was chosen, why, and why each of the others was not."""

    step: int
    why: str
    others: dict[int, str]


def choose_checkpoint(
    marks: Sequence[Measurements], base_prompt: Floats, *, least: float, samples: int
) -> Choice:
    """Choose among checkpoints, given in the order of their steps.

    ``base_prompt`` [n] is how well the bare base followed the same prompts with the same seeds, ``least`` the share
    of it that is enough (``lora.evaluation.scorers.PromptScorer``); ``samples`` is how many there are. If
    none passes, the one that     copies least is taken, and of those the one that follows prompts best.
    """
    faults = {mark.step: _fault(mark, base_prompt, least, samples) for mark in marks}
    good = [mark for mark in marks if not faults[mark.step]]
    if not good:
        last = min(marks, key=lambda mark: (mark.copied.mean(), -mark.prompt.mean()))
        others = {step: fault for step, fault in faults.items() if step != last.step}
        return Choice(step=last.step, why=f"the least bad one: it {faults[last.step]}", others=others)
    worths = {mark.step: worth(mark, base_prompt) for mark in good}
    best = max(good, key=lambda mark: worths[mark.step].mean())
    equals = {
        mark.step: mark for mark in good if not clearly_less(worths[mark.step], worths[best.step], CLEARLY)
    }
    chosen = equals[max(equals)]
    why = "the best in the samples' style and in following prompts together"
    if chosen is not best:
        why = "it learned longest, and none is clearly better in the samples' style and in following prompts together"
    others = {
        mark.step: faults[mark.step] or (LEARNED_LESS if mark.step in equals else _beaten(mark, best))
        for mark in marks
        if mark.step != chosen.step
    }
    return Choice(step=chosen.step, why=why, others=others)


def worth(mark: Measurements, base_prompt: Floats) -> Floats:
    """What each drawing [n] is worth: 1 for the samples' style, and 1 for following its prompt as the bare base does.

    Its style alone, if the base follows prompts no better than chance: then there is nothing to be held against.
    """
    if not _follows(base_prompt):
        return mark.style
    return mark.style + mark.prompt / base_prompt.mean()


def _fault(mark: Measurements, base_prompt: Floats, least: float, samples: int) -> str:
    """What rules a checkpoint out, or nothing."""
    count, drawings = int(mark.copied.sum()), len(mark.copied)
    if count > MAX_COPIES * drawings and _accident(count, drawings, samples) < CHANCE:
        return f"copies samples in {count} of {drawings} drawings"
    if forgets(mark.prompt, base_prompt, least):
        return f"follows prompts less than {least:.0%} as well as the bare base"
    return ""


def forgets(prompt: Floats, base_prompt: Floats, least: float) -> bool:
    """Whether prompts are followed clearly less than ``least`` times as well as by the bare base [n each].

    Never, if the base itself follows them no better than chance, which is 0: a share of nothing, or of less, is no
    measure, and what the base cannot draw no checkpoint can forget.
    """
    return _follows(base_prompt) and clearly_less(prompt, least * base_prompt)


def _follows(base_prompt: Floats) -> bool:
    return clearly_less(np.zeros_like(base_prompt), base_prompt)


def _accident(count: int, drawings: int, samples: int) -> float:
    """How likely ``count`` of honest drawings are over the limit: one in a hundred is, or one in samples + 1.

    The limit is a percentile of so few samples that a new drawing by the same hand passes it now and then.
    """
    rate = max(0.01, 1 / (samples + 1))
    return sum(
        math.comb(drawings, k) * rate**k * (1 - rate) ** (drawings - k) for k in range(count, drawings + 1)
    )


def clearly_less(one: Floats, other: Floats, errors: float = 1.0) -> bool:
    """Whether the mean of ``one`` is under that of ``other`` by more than so many standard errors.

    The standard error is that of the mean paired difference, by bootstrap over the prompts (Efron & Tibshirani
    1993); one of it is the rule by which Breiman et al. 1984 take the simpler of two models.
    """
    gap = other - one
    chance = np.random.default_rng(0)
    means = gap[chance.integers(0, len(gap), (RESAMPLES, len(gap)))].mean(axis=1)
    return bool(gap.mean() > errors * means.std() + 1e-9)


def _beaten(mark: Measurements, best: Measurements) -> str:
    if mark.style.mean() < best.style.mean():
        return "is further from the samples' style"
    return "follows prompts less"
