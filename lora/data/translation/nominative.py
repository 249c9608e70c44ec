"""Russian noun phrases as a dictionary has them: "красная шляпа" of "красной шляпе"."""

from __future__ import annotations

from lora.data.translation.grammar import Word
from lora.data.translation.lexicon import ADJECTIVES

HUSHED, VELAR = "жшчщ", "кгх"  # consonants behind which other vowels are written


def nominative(words: list[Word]) -> str:
    """Adjectives and one noun in the nominative; "" if the words are others, or several things whose word is of one."""
    *looks, noun = words
    if noun.kind != "noun" or any(word.kind not in ADJECTIVES for word in looks):
        return ""
    if noun.source.endswith(("ах", "ях", "ами", "ями")) and not noun.base.endswith(("ы", "и")):
        return ""
    return " ".join([*(_agreeing(word.base, noun.base) for word in looks), noun.base])


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
