"""Takes out of a prompt what a reply leaves out: "a cat in a hat" and "without a hat" is a cat.

The negative prompt alone does not do it: a prompt that names the hat draws it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace

from bot.english import English, in_english
from lora.data.translation.lexicon import ADJECTIVES, kinds
from lora.data.translation.stems import stem

ARTICLES = frozenset(("a", "an", "the", "his", "her", "its", "their", "some"))
WORN = frozenset(("with", "in", "wearing", "having"))  # "with" can stand for each of them
LINKS = WORN | {"on", "under", "holding", "behind", "near", "among", "wears", "has", "holds", "carrying"}
JOINS = frozenset(("and", "or", ","))
RELATIVES = frozenset(("that", "who", "which", "is"))
MOST_LOOKS = 4  # words between the article and the thing
MOST_WRITTEN = 6  # words that stand for the thing in what a person wrote


def leave_out(prompt: English, things: Iterable[str], language: str) -> English:
    """The prompt without its mentions of these English things. What nothing would be left of stays."""
    words = re.findall(r"[^\s,]+|,", prompt.text)
    for thing in things:
        words = _without(words, _bare(thing.lower().split())) or words
    text = " ".join(words).replace(" ,", ",")
    if text == " ".join(prompt.text.replace(",", " , ").split()).replace(" ,", ","):
        return prompt
    original = None if prompt.original is None else _written(prompt.original, text, language)
    return replace(prompt, text=text, original=original)


def _without(words: list[str], thing: list[str]) -> list[str]:
    """The words without each mention of the thing."""
    end = len(thing)
    while thing and end <= len(words):
        if _is(words[end - len(thing) : end], thing) and not _is_noun(words[end : end + 1]):
            start, stop, instead = _mention(words, end - len(thing), end)
            if start < stop:
                words, end = [*words[:start], *instead, *words[stop:]], len(thing) - 1
        end += 1
    return words


def _mention(words: list[str], start: int, end: int) -> tuple[int, int, list[str]]:
    """From where to where a mention goes whose thing is from ``start`` to ``end``, and what stands there instead.

    (0, 0, []) if the prompt is about the thing itself: "a hat on a table".
    """
    start = _noun_phrase(words, start)
    before = words[start - 1].lower() if start else ""
    joined = words[end : end + 1] in (["and"], ["or"])
    if before in LINKS and joined:  # "in a hat and glasses"
        return (start - 1, end + 1, ["with"]) if before in WORN else (start, end + 1, [])
    if before in LINKS:
        start -= 1
        while start > 1 and words[start - 1].lower() in RELATIVES | JOINS:
            start -= 1
        return start, end, []
    if before in JOINS and start > 1:
        return start - 1, end, []
    if not before and words[end : end + 1] and words[end] in JOINS:
        return start, end + 1, []
    return 0, 0, []


def _noun_phrase(words: list[str], start: int) -> int:
    """Where the article and the looks of the thing begin."""
    at = start
    while at and start - at < MOST_LOOKS and words[at - 1].lower() not in ARTICLES | LINKS | JOINS:
        at -= 1
        if words[at - 1 : at] == ["and"] and at > 1 and kinds().get(words[at - 2].lower()) in ADJECTIVES:
            at -= 1  # "in a blue and white hat"
    return at - 1 if at and words[at - 1].lower() in ARTICLES else at


def _is(words: list[str], thing: list[str]) -> bool:
    return [stem(word.lower().strip(".!?"), "en") for word in words] == [stem(word, "en") for word in thing]


def _is_noun(words: list[str]) -> bool:
    """Whether a noun follows, which makes the thing a part of its name: "in a hat shop"."""
    return bool(words) and kinds().get(words[0].lower().strip(".!?")) == "noun"


def _bare(words: list[str]) -> list[str]:
    return words[1:] if words and words[0] in ARTICLES else words


def _written(original: str, text: str, language: str) -> str | None:
    """What a person wrote without the words that are left out: what is left says ``text``. None if none does."""
    words = original.split()
    for count in range(1, min(MOST_WRITTEN, len(words) - 1) + 1):
        for at in range(len(words) - count + 1):
            rest = " ".join([*words[:at], *words[at + count :]]).strip(" ,")
            if in_english(rest, "", language).text.replace(" ,", ",") == text:
                return rest
    return None
