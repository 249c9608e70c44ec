"""People take turns, in whatever order their jobs come and go."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from bot.tables.jobs import JobKind
from bot.tables.line import InLine
from bot.turns import Turns


def job(id: int, person: int) -> InLine:
    """A draw that waits."""
    return InLine(id, person, JobKind.DRAW, False, False, 0, 20, None, 0)


@pytest.mark.parametrize("seed", range(30))
def test_ten_jobs_of_a_person_delay_another_by_one(seed: int) -> None:
    """One worker; random arrivals of one job or of ten. A lone job waits for one of each other person at most."""
    dice, turns = random.Random(seed), Turns()
    running: InLine | None = None
    begun_since: dict[int, Counter[int]] = {}  # lone waiting job -> whose jobs have begun or gone on since
    lone: dict[int, int] = {}
    waiting, delayed = Counter[int](), 0
    for id in range(0, 2000, 10):
        person = dice.randrange(1, 9)
        many = dice.choice((1, 1, 10))
        for number in range(many):
            turns.add(job(id + number, person))
        if many == 1 and not waiting[person] and (running is None or running.person != person):
            lone[person] = id
            begun_since[id] = Counter([running.person] if running else [])
        elif person in lone:
            begun_since.pop(lone.pop(person))  # not alone any more
        waiting[person] += many
        for _ in range(dice.randrange(4)):
            if running is not None:
                turns.release(running.person)
            running = turns.first(lambda one: True)
            if running is None:
                break
            turns.take(running)
            waiting[running.person] -= 1
            if lone.get(running.person) == running.id:
                del lone[running.person]
                others = begun_since.pop(running.id)
                assert max(others.values(), default=0) <= 1
                delayed += bool(others)
            for counted in begun_since.values():
                counted[running.person] += 1
    assert delayed, "nobody had to wait, so nothing was shown"
