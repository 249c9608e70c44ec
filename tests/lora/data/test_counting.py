"""Whether a number counts the words behind it, or is that of a picture."""

from __future__ import annotations

import pytest

from lora.data.translation.counting import may_count


@pytest.mark.parametrize(
    "text",
    ["5 coins", "2 red foxes", "2 fox cubs", "2 sheep", "2 men", "1 fox", "4 gizmos", "3 D glasses", "5 монет",
     "2 монеты", "2 рыжих кота", "21 монета", "3 фыркобряк", "2 такси", "5 in a row"],
)  # fmt: skip
def test_several_things_may_be_counted(text: str) -> None:
    """Also words that nobody knows, or that have one form only."""
    number, words = text.split(" ", 1)
    assert may_count(int(number), words, "ru")


@pytest.mark.parametrize(
    "text",
    ["5 coin", "2 a fox", "2 fox sitting", "3 medal on a ribbon", "5 монета", "11 монета", "2 рыжая лиса", "7 яблоко"],
)  # fmt: skip
def test_one_thing_is_not_counted_by_more(text: str) -> None:
    """By the ending of an English noun, by the case of a Russian one."""
    number, words = text.split(" ", 1)
    assert not may_count(int(number), words, "ru")
