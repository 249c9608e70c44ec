"""Prompts for measuring an adapter: ordinary things that no caption of its samples names. No torch here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

THINGS = (
    "a cat", "a red car", "a rocket", "a tree", "a dog", "a house", "a cup of coffee", "a robot", "a bicycle",
    "an owl", "a pizza", "a snowman", "a guitar", "a rabbit", "a sailboat", "a rose", "a dragon", "a camera",
    "a penguin", "a cherry", "a train", "a horse", "a star", "a clock", "an elephant", "a carrot", "a lion",
    "a drum", "a snail", "a tractor", "a moon", "a whale", "a pencil", "a fox", "a lemon", "a bear", "a key",
    "a tomato", "a butterfly", "a gift", "a frog", "an apple", "a shoe", "a helicopter", "a bell", "a cookie",
    "a crab", "a hat", "a pineapple", "a book",
)  # fmt: skip
SMALL_WORDS = frozenset(("a", "an", "the", "of", "and", "with", "on", "in", "its", "at", "to"))


class PromptError(Exception):
    """These prompts cannot measure an adapter; the message says why."""


def new_prompts(captions: Iterable[str], count: int) -> list[str]:
    """The first ``count`` of THINGS that share no word with a caption; the same captions always give the same ones.

    Raises PromptError if fewer than ``count`` are left.
    """
    named = {stem for caption in captions for stem in _stems(caption)}
    found = [thing for thing in THINGS if not named & _stems(thing)]
    if len(found) < count:
        raise PromptError(
            f"only {len(found)} of {len(THINGS)} ordinary things are in no caption: give prompts"
        )
    return found[:count]


def check_new(prompts: Sequence[str], captions: Iterable[str], keyword: str) -> None:
    """Raise PromptError if a prompt equals a training caption without keyword, case, articles and punctuation."""
    known = {plain(caption, keyword) for caption in captions}
    for prompt in prompts:
        if plain(prompt, keyword) in known:
            raise PromptError(
                f"{prompt!r} is a training caption: it would only show what was learned by heart"
            )


def plain(text: str, keyword: str) -> tuple[str, ...]:
    """The words of a caption in lower case and in order, without keyword and articles."""
    words = re.findall(r"\w+", text.lower().replace("’s", "").replace("'s", ""))
    return tuple(word for word in words if word not in ("a", "an", "the", keyword.lower()))


def _stems(text: str) -> set[str]:
    """The words as rough singulars, so that "cherries" equals "cherry" and "wolf's" equals "wolf"."""
    words = re.findall("[a-z]+", text.lower().replace("’s", "").replace("'s", ""))
    return {_stem(word) for word in words if word not in SMALL_WORDS}


def _stem(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word.removesuffix("s") if len(word) > 3 else word
