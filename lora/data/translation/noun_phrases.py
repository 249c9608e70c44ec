"""Reads the things that a text names behind "without": noun phrases, joined by "and" or "or"."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from lora.data.translation.dictionary import longest
from lora.data.translation.grammar import GENITIVE, NOMINAL, Word
from lora.data.translation.language import script
from lora.data.translation.lexicon import ADJECTIVES, english_lists, kinds
from lora.data.translation.stems import fold, is_word

MOST_WORDS = 5  # of one thing
JOINER = 0x200D  # between the parts of an emoji
DOUBLING = re.compile("[^aeiou]*[aeiou][^aeiouwxy]")  # "sit" is "sitting"; so "hats" is not of "hating"
JOINING = ("and", "or", "nor")
HUSHED, VELAR = "жшчщ", "кгх"  # Russian consonants behind which other vowels are written


class NounPhrases:
    """What stands from ``start`` on in a text's tokens: ``items`` as written, ``end`` is the next token's place.

    ``stops`` are words that stand behind a thing and belong to "without": "बिना टोपी के".
    """

    def __init__(
        self, text: list[str], start: int, by_script: dict[str, str], stops: tuple[str, ...] = ()
    ) -> None:
        self._text = text
        self._by_script = by_script
        self._stops = stops
        self._words: list[Word] = []  # of the thing that is being read
        self._begin = start
        self.end = start
        self.items: list[str] = []
        self._read(start)
        self._skip_joining()
        if self.items and (place := self._next(self.end)) < len(text) and text[place] in stops:
            self.end = place + 1

    def _read(self, place: int) -> None:
        while (place := self._next(place)) < len(self._text) and len(self._words) < MOST_WORDS:
            if self._text[place] == "," and self._words and (after := self._list_goes_on(place + 1)):
                self._close()
                place = after
                self._begin = place
                continue
            if not _says_something(self._text[place]) or self._text[place] in self._stops:
                break
            used, word = self._word(place)
            if word.english in JOINING and self._words and self._goes_on(place + used):
                self._close()
                self._begin = place + used
            elif word.english not in JOINING and self._belongs(word):
                self._words.append(word)
                self.end = place + used
            else:
                break
            place += used
        self._close()

    def _close(self) -> None:
        """The thing that was read ends here."""
        if self._words:
            self.items.append("".join(self._text[self._begin : self.end]).strip())
        self._words = []

    def _belongs(self, word: Word) -> bool:
        """Whether a word is of the same thing as those before it."""
        nouns = any(one.kind not in ADJECTIVES for one in self._words)
        if word.english == "of":
            return nouns
        if word.kind in ("verb", "adverb", "dropped"):
            return not nouns
        if word.kind not in NOMINAL:
            return False
        described = bool(self._words) and self._words[-1].kind in ADJECTIVES
        return not nouns or described or not self._is_slavic(word) or _in_genitive(word)

    def _goes_on(self, place: int) -> bool:
        """Whether another thing that is left out follows an "and"."""
        place = self._next(place)
        if place >= len(self._text) or not _says_something(self._text[place]):
            return False
        _, word = self._word(place)
        acts = word.source.endswith("ing") and word.source not in english_lists()["ing"]
        named = word.kind in (*NOMINAL, "dropped") and not acts
        return named and (not self._is_slavic(word) or _in_genitive(word))

    def _list_goes_on(self, place: int) -> int:
        """The place of another thing that is left out behind a comma: in the genitive, or listed with "or"; else 0."""
        start = self._next(place)
        if start < len(self._text) and is_word(self._text[start]):
            used, first = self._word(start)
            if first.english in ("or", "nor") and self._goes_on(start + used):
                return start + used
        if not self._goes_on(place):
            return 0
        _, first = self._word(start)
        if self._is_slavic(first):
            of_one = first.inflected and not first.source.endswith(
                ("ы", "и", "а", "я")
            )  # not also of several things
            return place if of_one else 0
        begin = place
        while (place := self._next(place)) < len(self._text):
            used, word = self._word(place)
            if word.english in ("or", "nor"):
                return begin if self._goes_on(place + used) else 0
            if self._text[place] != "," and word.kind not in (*NOMINAL, "dropped"):
                break
            place += used
        return 0

    def _skip_joining(self) -> None:
        """An "and" in front of "with" or "without" has nothing to join any more."""
        place = self._next(self.end)
        if not self.items or place >= len(self._text) or self._word(place)[1].english not in ("and", "but"):
            return
        after = self._next(place + self._word(place)[0])
        if after < len(self._text) and self._word(after)[1].english in ("with", "without"):
            self.end = after

    def _next(self, place: int) -> int:
        """The place of the next token that is no white space."""
        while place < len(self._text) and self._text[place].isspace():
            place += 1
        return place

    def _word(self, place: int) -> tuple[int, Word]:
        return word_at(self._text[place:], self._by_script.get(script(self._text[place]), "en"))

    def _is_slavic(self, word: Word) -> bool:
        return self._by_script.get(script(word.source)) in GENITIVE


def word_at(left: list[str], language: str) -> tuple[int, Word]:
    """How many tokens the word at the start takes, and what it is."""
    if language == "en":
        return 1, _english(left[0])
    used, found = longest(left, language)
    return used, found[-1] if found else Word(english=left[0], kind="foreign", source=fold(left[0]))


def nominative(words: list[Word]) -> str:
    """Russian adjectives and one noun in the nominative; "" if the words are others, or the plural of "платье"."""
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


@cache
def _english(token: str) -> Word:
    word = fold(token)
    if word in JOINING or word in english_lists()["end"]:
        return Word(english=word, kind="joining", source=word)
    kind = kinds().get(word) or ("verb" if _is_third_person(word) else "noun")
    return Word(english=word, kind=kind, source=word, base=word)


def _is_third_person(word: str) -> bool:
    """Whether an English word is like "sits": the hand-made words have "sitting"."""
    bare = word[:-2] if word.endswith(("shes", "ches", "sses")) else word.removesuffix("s")
    doubled = bare + bare[-1:]
    forms = (doubled,) if DOUBLING.fullmatch(bare) else (bare, doubled, bare.removesuffix("e"))
    return bare != word and any(kinds().get(form + "ing") == "verb" for form in forms)


def _in_genitive(word: Word) -> bool:
    """Whether a word of a Slavic language may go with "without": not if it stands as a dictionary has it."""
    if word.kind in ADJECTIVES:
        return word.source.endswith(("ого", "его", "ой", "ей", "ых", "их", "ego", "ej", "ych", "ich"))
    return word.kind == "foreign" or word.inflected or word.source.endswith(tuple("оеиуюыэ"))


def _says_something(token: str) -> bool:
    """Whether a token is a word or of an emoji."""
    return is_word(token) or unicodedata.category(token)[0] in "SM" or ord(token) == JOINER
