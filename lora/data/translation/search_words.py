"""Finds pictures by words or emoji, in the language of their prompt, in the searcher's, and in English."""

from __future__ import annotations

import re
from functools import lru_cache

from lora.data.translation import table, translate
from lora.data.translation.emoji_words import emoji_for, keywords_for
from lora.data.translation.lexicon import english_lists
from lora.data.translation.stems import fold, is_word, tokens

MOST_EMOJI = 3  # of a prompt
SHORTEST = 3  # letters: a shorter word of a query must be a whole word


@lru_cache(maxsize=8192)
def words_of(english: str, original: str | None, language: str) -> frozenset[str]:
    """What a picture is found by. ``original`` is its prompt as it was written, None if in English."""
    written = original or english
    found = {*_words(english), *_words(written), *_words(" ".join(keywords_for(written, language)))}
    return frozenset(found | {_bare(char) for char in emoji_for(english, MOST_EMOJI)})


@lru_cache(maxsize=8192)
def words_given(emoji: tuple[str, ...], keywords: tuple[str, ...]) -> frozenset[str]:
    """What a picture is found by as its person has said: emoji, and words in any language."""
    return frozenset({*map(_bare, emoji), *_words(" ".join(keywords))})


def score(query: str, words: frozenset[str], language: str) -> int:
    """How many words and emoji of the query a picture is found by. A word may be typed in part."""
    return sum(
        any(_begins(wanted, word) for wanted in meanings for word in words)
        for meanings in _meanings(query, language)
    )


@lru_cache(maxsize=256)
def _meanings(query: str, language: str) -> tuple[frozenset[str], ...]:
    """For each word and emoji of a query, what it may be called: itself, its English, an emoji's name."""
    found = []
    names = _names()
    for token in re.findall(r"\w+(?:[-']\w+)*|[^\w\s]+", query):
        if is_word(token):
            own = fold(token)
            if own not in english_lists()["function"]:
                found.append(frozenset({own, *_words(translate(token, language).english)}))
            continue
        for char in dict.fromkeys(map(_bare, (token, *token))):
            if char in names:
                name = {names[char]} if " " not in names[char] else set()  # "red heart" is no red thing
                found.append(frozenset({char} | name))
    return tuple(found)


def _words(text: str) -> set[str]:
    return {fold(token) for token in tokens(text) if is_word(token)} - set(english_lists()["function"])


def _begins(wanted: str, word: str) -> bool:
    return word == wanted or (len(wanted) >= SHORTEST and word.startswith(wanted))


def _bare(char: str) -> str:
    """An emoji without the sign that asks for its coloured form, which not every keyboard sends."""
    return char.replace("\ufe0f", "")


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    return {_bare(row.emoji): row.name for row in table.emoji_rows()}
