"""What a reply in words to a drawing says of its prompt: again, or something that is added to it."""

from __future__ import annotations

import re

from bot.english import English

AGAIN = frozenset(("again", "another", "more"))
BESIDE = AGAIN | {"one", "please", "once", "do", "it", "draw", "the", "same", "but", "and"}
JOINING = ("but", "and", "now")
ADDING = frozenset(("with", "in", "on", "under", "wearing", "holding", "behind", "near", "among"))


def asks_again(said: English) -> bool:
    """Whether a reply only asks for another drawing: "another one please"."""
    words = _words(said)
    return not AGAIN.isdisjoint(words) and BESIDE.issuperset(words)


def added(prompt: English, said: English) -> English:
    """The prompt with what a reply adds to it, as "now with a hat" does; else what the reply says."""
    words = said.text.split()
    while words and words[0].lower() in JOINING:
        words = words[1:]
    if len(words) < 2 or words[0].lower() not in ADDING:
        return said
    original = None
    if prompt.original or said.original:
        original = f"{prompt.original or prompt.text} {said.original or said.text}"
    unknown = ", ".join(filter(None, (prompt.unknown, said.unknown)))
    return English(text=f"{prompt.text} {' '.join(words)}", original=original, unknown=unknown)


def _words(said: English) -> list[str]:
    return re.findall(r"\w+", said.text.lower())
