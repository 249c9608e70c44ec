"""Russian noun phrases as a dictionary has them: "красная шляпа" of "красной шляпе"."""

from __future__ import annotations

import re

from lora.data.translation.grammar import Word
from lora.data.translation.lexicon import ADJECTIVES

HUSHED, VELAR = "жшчщ", "кгх"  # consonants behind which other vowels are written


def nominative(words: list[Word]) -> str:
    """Adjectives and one noun in the nominative; "" if the words are others, or the plural of "платье" and the like."""
    *looks, noun = words
    if noun.kind != "noun" or any(word.kind not in ADJECTIVES for word in looks):
        return ""
    named = noun.base
    if ending := re.search("(?<=.)([ая])(х|ми)$", noun.source):
        root = noun.source[: ending.start()]
        if noun.base.endswith(("о", "е")):
            return ""
        named = root + ("и" if ending[1] == "я" or root[-1] in HUSHED + VELAR else "ы")
    return " ".join([*(_agreeing(word.base, named) for word in looks), named])


def _agreeing(adjective: str, noun: str) -> str:
    """An adjective of men's gender with the ending that goes with a noun."""
    stem, last = adjective[:-2], adjective[-3:-2]
    soft = adjective.endswith("ий") and last not in HUSHED + VELAR
    if noun.endswith(("ы", "и")):
        return stem + ("ие" if soft or last in HUSHED + VELAR else "ые")
    if noun.endswith(("а", "я")):
        return stem + ("яя" if soft else "ая")
    if noun.endswith(("о", "е")):
        return stem + ("ее" if soft or last in HUSHED else "ое")
    return adjective
