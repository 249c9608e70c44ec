"""New things to draw, for judging an adapter: ordinary ones that none of its samples shows."""

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
_SMALL = frozenset(("a", "an", "the", "of", "and", "with", "on", "in", "its", "at", "to"))


class PromptError(Exception):
    """Prompts that cannot show what an adapter has learned; the message says which and why."""


def new_prompts(captions: Iterable[str], count: int) -> list[str]:
    """The first ``count`` things with no word in any caption, the same ones for the same captions.

    Raises PromptError if the captions name too many of them.
    """
    said = {stem for caption in captions for stem in _stems(caption)}
    found = [thing for thing in THINGS if not said & _stems(thing)]
    if len(found) < count:
        raise PromptError(
            f"only {len(found)} of {len(THINGS)} ordinary things are in no caption: give prompts"
        )
    return found[:count]


def check_new(prompts: Sequence[str], captions: Iterable[str], keyword: str) -> None:
    """Refuse prompts that equal a training caption but for keyword, case, articles and punctuation."""
    known = {plain(caption, keyword) for caption in captions}
    for prompt in prompts:
        if plain(prompt, keyword) in known:
            raise PromptError(
                f"{prompt!r} is a training caption: it would only show what was learned by heart"
            )


def plain(text: str, keyword: str) -> tuple[str, ...]:
    """The words that matter of a caption, in order, without keyword and articles."""
    words = re.findall(r"\w+", text.lower().replace("’s", "").replace("'s", ""))
    return tuple(word for word in words if word not in ("a", "an", "the", keyword.lower()))


def _stems(text: str) -> set[str]:
    """Words as the singular, roughly: enough to see that cherries are cherry, and wolf's is wolf."""
    words = re.findall("[a-z]+", text.lower().replace("’s", "").replace("'s", ""))
    return {_stem(word) for word in words if word not in _SMALL}


def _stem(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word.removesuffix("s") if len(word) > 3 else word
