"""Why a checkpoint was chosen, in words, and which checkpoints are offered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot import checkpoint_choice
from bot.tables.comparisons import Comparison
from lora.jobs import ReasonCode, Score


def compared(reasons: dict[int, ReasonCode], style: dict[int, float] | None = None) -> Comparison:
    """A comparison of checkpoints with these reasons; the chosen one is the one whose code says so."""
    chosen = next(step for step, code in reasons.items() if code in CHOSEN)
    scores = tuple(
        Score(step=step, style=(style or {}).get(step, 0.5), prompt=1.0, diversity=1.0, memorised=0.0)
        for step in reasons
    )
    return Comparison(
        job=1,
        style=1,
        keyword="x",
        chosen=chosen,
        scores=scores,
        reasons=reasons,
        sheet="",
        steps=tuple(reasons),
        used=chosen,
    )


CHOSEN = (ReasonCode.BEST, ReasonCode.LEARNED_LONGEST, ReasonCode.LEAST_BAD)


@pytest.mark.parametrize(
    ("reasons", "style", "key"),
    [
        ({1: ReasonCode.BEST, 2: ReasonCode.COPIES}, {2: 0.9}, "checkpoints-why-copies"),
        ({1: ReasonCode.LEARNED_LONGEST, 2: ReasonCode.COPIES}, {}, "checkpoints-why-copies"),
        ({1: ReasonCode.COPIES, 2: ReasonCode.BEST}, {}, "checkpoints-why-closest"),
        ({1: ReasonCode.BEST, 2: ReasonCode.FURTHER}, {2: 0.4}, "checkpoints-why-closest"),
        ({1: ReasonCode.BEST, 2: ReasonCode.FOLLOWS_LESS}, {2: 0.6}, "checkpoints-why-words"),
        ({1: ReasonCode.IGNORES_PROMPTS, 2: ReasonCode.BEST}, {1: 0.6}, "checkpoints-why-words"),
        ({1: ReasonCode.IGNORES_PROMPTS, 2: ReasonCode.BEST}, {1: 0.4}, "checkpoints-why-closest"),
        (
            {1: ReasonCode.COPIES, 2: ReasonCode.BEST, 3: ReasonCode.FURTHER},
            {1: 0.6},
            "checkpoints-why-enough",
        ),
        ({1: ReasonCode.LEARNED_LESS, 2: ReasonCode.LEARNED_LONGEST}, {1: 0.6}, "checkpoints-why-longest"),
        ({1: ReasonCode.LEARNED_LONGEST, 2: ReasonCode.FURTHER}, {}, "checkpoints-why-enough"),
        ({1: ReasonCode.LEAST_BAD, 2: ReasonCode.COPIES}, {}, "checkpoints-why-least-bad"),
    ],
)
def test_the_reason_follows_the_rules_code(
    reasons: dict[int, ReasonCode], style: dict[int, float], key: str
) -> None:
    """The rule's codes decide on the text. A text on style or words is only given where it is true."""
    assert checkpoint_choice.reason(compared(reasons, style)) == key


def test_a_rule_that_the_bot_does_not_know_is_not_explained() -> None:
    """No reason is better than a wrong one: without codes, as in old rows, and for a code of a newer worker."""
    known = compared({1: ReasonCode.BEST, 2: ReasonCode.FURTHER})
    for reasons in ({}, {1: "of-tomorrow", 2: "of-tomorrow"}):
        assert checkpoint_choice.reason(replace(known, reasons=reasons)) is None


def test_buttons_are_few() -> None:
    """At most eight, the first, the last, the chosen and the used among them."""
    steps = range(100, 2100, 100)
    reasons = {step: ReasonCode.BEST if step == 700 else ReasonCode.FURTHER for step in steps}
    found = replace(compared(reasons), used=1300)
    shown = checkpoint_choice.offered(found)
    assert len(shown) <= 8
    assert {100, 700, 1300, 2000} <= set(shown)
