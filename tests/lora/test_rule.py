"""The rule: copying and forgetting prompts rule a checkpoint out, and the earliest within noise of the best wins."""

import numpy as np
import pytest

from lora.rule import Marks, clearly_less, pick

NOISE = np.random.default_rng(5).normal(0, 0.05, 10)
BASE = np.full(10, 0.9)


def marks(step: int, style: float, *, prompt: float = 0.9, copied: int = 0, noise: float = 1.0) -> Marks:
    copy = np.arange(10) < copied
    wobble = np.roll(NOISE, step // 100) * noise
    return Marks(step=step, style=style + wobble, prompt=np.full(10, prompt), copied=copy, diversity=1.0)


def chosen(*all_marks: Marks, samples: int = 28) -> int:
    return pick(all_marks, BASE, samples=samples).step


def test_the_earliest_within_noise_of_the_best_wins() -> None:
    """A later checkpoint that is better by less than the drawings scatter is not worth its nearness to copying."""
    assert chosen(marks(100, 0.30), marks(200, 0.60), marks(300, 0.602)) == 200
    assert chosen(marks(100, 0.30), marks(200, 0.60), marks(300, 0.80)) == 300


def test_a_style_that_falls_again_is_not_the_last() -> None:
    """An over-trained end loses to its own past."""
    assert chosen(marks(100, 0.4), marks(200, 0.8), marks(300, 0.5)) == 200


def test_copying_rules_out() -> None:
    """However near its style is: two copies in ten are no accident, one is."""
    assert chosen(marks(100, 0.4), marks(200, 0.8, copied=2)) == 100
    assert chosen(marks(100, 0.4), marks(200, 0.8, copied=1)) == 200


def test_forgetting_prompts_rules_out() -> None:
    """A checkpoint must follow prompts at least nine tenths as well as the bare base."""
    assert chosen(marks(100, 0.4), marks(200, 0.8, prompt=0.80)) == 100
    assert chosen(marks(100, 0.4), marks(200, 0.8, prompt=0.82)) == 200


def test_every_other_one_gets_its_reason() -> None:
    """The person who may override it is told why each was left."""
    choice = pick([marks(100, 0.3), marks(200, 0.8), marks(300, 0.9, copied=5)], BASE, samples=28)
    assert choice.step == 200
    assert set(choice.others) == {100, 300}
    assert "copies samples in 5 of 10" in choice.others[300]
    assert "further" in choice.others[100]


def test_if_none_passes_the_least_bad_is_taken_and_said_so() -> None:
    """There is always an adapter, and no pretence that it is a good one."""
    choice = pick([marks(100, 0.4, copied=4), marks(200, 0.8, copied=9)], BASE, samples=28)
    assert choice.step == 100
    assert "least bad" in choice.why


def test_one_checkpoint_is_chosen() -> None:
    """With nothing to compare it with."""
    assert chosen(marks(100, 0.1)) == 100


@pytest.mark.parametrize(("gap", "less"), [(0.0, False), (0.01, False), (0.1, True)])
def test_noise_is_judged_by_pairs(gap: float, less: bool) -> None:
    """Prompts differ more than checkpoints do: only the difference on the same prompt counts."""
    hard = np.linspace(0, 1, 10)
    assert clearly_less(hard, hard + gap + NOISE - NOISE.mean()) is less
