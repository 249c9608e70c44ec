"""The rule: copies and ignored prompts rule a checkpoint out; the last wins unless another is clearly better."""

from dataclasses import replace

import numpy as np
import pytest

from lora.evaluation.checkpoint_choice import (
    WORDS,
    Choice,
    Measurements,
    choose_checkpoint,
    clearly_less,
    ignores_prompts,
)
from lora.jobs import ReasonCode

NOISE = np.random.default_rng(5).normal(0, 0.05, 10)
BASE = np.full(10, 0.9)


def measured(
    step: int, style: float, *, prompt: float = 0.9, copied: int = 0, noise: float = 1.0
) -> Measurements:
    copy = np.arange(10) < copied
    wobble = np.roll(NOISE, step // 100) * noise
    return Measurements(
        step=step, style=style + wobble, prompt=np.full(10, prompt), copied=copy, diversity=1.0
    )


def chosen(*checkpoints: Measurements, samples: int = 28) -> int:
    return choose_checkpoint(checkpoints, BASE, min_share=0.5, samples=samples).step


def codes(choice: Choice) -> dict[int, ReasonCode]:
    """The reason's code of each checkpoint."""
    return {step: choice.reason_of(step).code for step in sorted([choice.step, *choice.others])}


def test_the_best_wins_and_of_equals_the_last() -> None:
    """One that is better by less than ten drawings can tell is no reason to leave what was learned after it."""
    assert chosen(measured(100, 0.30), measured(200, 0.60), measured(300, 0.61)) == 300
    assert chosen(measured(100, 0.30), measured(200, 0.60, noise=0), measured(300, 0.60, noise=0)) == 300
    lucky = choose_checkpoint(
        [measured(100, 0.30), measured(200, 0.605), measured(300, 0.60)], BASE, min_share=0.5, samples=28
    )
    assert lucky.step == 300
    assert codes(lucky) == {
        100: ReasonCode.FURTHER,
        200: ReasonCode.LEARNED_LESS,
        300: ReasonCode.LEARNED_LONGEST,
    }
    assert "learned longest" in str(lucky.reason)
    assert str(lucky.others[100]) == "is further from the samples' style"


def test_one_better_drawing_does_not_decide() -> None:
    """One lucky drawing among ten can raise the mean as much as all of them a little do."""
    even, odd = np.full(10, 0.55), np.array([0.5, 0.5, 0.3, 1.2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    later = measured(200, 0.5, noise=0)
    for style, step in ((even, 100), (odd, 200)):
        assert chosen(replace(measured(100, 0.0, noise=0), style=style), later) == step


def test_the_last_one_is_not_chosen_if_its_style_fell() -> None:
    """An over-trained end loses to its own past."""
    assert chosen(measured(100, 0.4), measured(200, 0.8), measured(300, 0.5)) == 200


def test_what_is_gained_in_style_may_be_lost_in_prompts() -> None:
    """A little nearer to the samples is not worth much less of what was asked for; much nearer is worth a little."""
    assert chosen(measured(100, 0.5, prompt=0.9), measured(200, 0.55, prompt=0.6)) == 100
    assert chosen(measured(100, 0.5, prompt=0.9), measured(200, 0.8, prompt=0.8)) == 200
    heedless = choose_checkpoint(
        [measured(100, 0.5, prompt=0.6), measured(200, 0.45)], BASE, min_share=0.5, samples=28
    )
    assert heedless.step == 200
    assert codes(heedless) == {100: ReasonCode.FOLLOWS_LESS, 200: ReasonCode.BEST}
    assert str(heedless.others[100]) == "follows prompts less"


def test_where_the_base_follows_no_prompts_style_alone_counts() -> None:
    """A share of nothing would be any number."""
    choice = choose_checkpoint(
        [measured(100, 0.5, prompt=0.9), measured(200, 0.7, prompt=0.1)], 0 * BASE, min_share=0.5, samples=28
    )
    assert choice.step == 200


def test_copying_rules_out() -> None:
    """However near its style is: two copies in ten are no accident, one is."""
    assert chosen(measured(100, 0.4), measured(200, 0.8, copied=2)) == 100
    assert chosen(measured(100, 0.4), measured(200, 0.8, copied=1)) == 200


def test_ignoring_prompts_rules_out() -> None:
    """A checkpoint must follow prompts at least half as well as the bare base, if the scorer demands half."""
    assert chosen(measured(100, 0.4), measured(200, 1.0, prompt=0.44)) == 100
    assert chosen(measured(100, 0.4), measured(200, 1.0, prompt=0.46)) == 200
    choice = choose_checkpoint(
        [measured(100, 0.4), measured(200, 1.0, prompt=0.44)], BASE, min_share=0.5, samples=28
    )
    assert codes(choice)[200] is ReasonCode.IGNORES_PROMPTS
    assert str(choice.others[200]) == "follows prompts less than 50% as well as the bare base"


HARD = np.array(
    [1.3, 0.1, 1.1, -0.2, 0.9, 1.4, 0.0, 1.2]
)  # what the base cannot draw is near chance, or under it


@pytest.mark.parametrize(
    ("prompt", "out"),
    [
        (HARD, False),
        (0.8 * HARD, False),
        (0.3 * HARD, True),
        (HARD * (np.arange(8) < 2), True),  # two prompts are left
        (np.roll(HARD, 1), False),  # others are hard for it, as many
        (-HARD, True),
    ],
)
def test_prompts_that_the_base_cannot_draw_do_not_count_against_a_checkpoint(
    prompt: np.ndarray, out: bool
) -> None:
    """Scores have no floor: it is the mean that must be half of the base's, and prompts at chance add nothing to it."""
    assert ignores_prompts(prompt, HARD, 0.5) is out


@pytest.mark.parametrize("base", [0 * HARD, -HARD, np.array([1.9, -1.6, 1.2, -1.8, 0.4, -0.3, 0.2, 0.4])])
def test_where_the_base_follows_no_prompts_none_are_ignored(base: np.ndarray) -> None:
    """Half of a base score at chance or below is no demand: even a checkpoint at -2 is not out for its prompts."""
    assert not ignores_prompts(np.full(8, -2.0), base, 0.5)


def test_every_other_one_gets_its_reason() -> None:
    """The person who may override it is told why each was left."""
    choice = choose_checkpoint(
        [measured(100, 0.3), measured(200, 0.8), measured(300, 0.9, copied=5)],
        BASE,
        min_share=0.5,
        samples=28,
    )
    assert choice.step == 200
    assert codes(choice) == {100: ReasonCode.FURTHER, 200: ReasonCode.BEST, 300: ReasonCode.COPIES}
    assert str(choice.others[300]) == "copies samples in 5 of 10 drawings"


def test_if_none_passes_the_least_bad_is_taken_and_said_so() -> None:
    """There is always an adapter, and no pretence that it is a good one."""
    choice = choose_checkpoint(
        [measured(100, 0.4, copied=4), measured(200, 0.8, copied=9)], BASE, min_share=0.5, samples=28
    )
    assert choice.step == 100
    assert codes(choice) == {100: ReasonCode.LEAST_BAD, 200: ReasonCode.COPIES}
    assert str(choice.reason) == "the least bad one: it copies samples in 4 of 10 drawings"


def test_every_reason_has_words() -> None:
    """The terminal can print each code."""
    assert set(WORDS) == set(ReasonCode)


def test_one_checkpoint_is_chosen() -> None:
    """With nothing to compare it with."""
    assert chosen(measured(100, 0.1)) == 100


@pytest.mark.parametrize(("gap", "less"), [(0.0, False), (0.01, False), (0.1, True)])
def test_noise_is_judged_by_pairs(gap: float, less: bool) -> None:
    """Prompts differ more than checkpoints do: only the difference on the same prompt counts."""
    hard = np.linspace(0, 1, 10)
    assert clearly_less(hard, hard + gap + NOISE - NOISE.mean()) is less


def test_how_clear_is_counted_in_standard_errors() -> None:
    """A difference of 1.5 of them is more than one and less than two."""
    wobble = NOISE - NOISE.mean()
    better = wobble + 1.5 * wobble.std() / np.sqrt(len(wobble))
    assert clearly_less(np.zeros(10), better, 1.0)
    assert not clearly_less(np.zeros(10), better, 2.0)
