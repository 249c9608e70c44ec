"""Takes the negative prompt out of a prompt in any language: what follows "without" and "no".

A text encoder knows no negation: "a fox without a hat" is a fox with a hat to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lora.data.captions import normalise
from lora.data.translation.dictionary import in_languages, longest
from lora.data.translation.language import languages_of, script
from lora.data.translation.lexicon import english_lists, is_english, lexicon
from lora.data.translation.negation_words import (
    BEHIND,
    ENDINGS,
    HANGING,
    HAS_NO,
    NEGATIONS,
    NO,
    NOT_AFTER_NO,
    NOT_BEFORE_NO,
    NOT_IN,
    OWNED_BY,
    PREPOSITIONS,
    PRONOUNS,
    SAME,
    SIGNS,
    WHOSE,
    WITHOUT,
    WORN,
)
from lora.data.translation.noun_phrases import NounPhrases, word_at
from lora.data.translation.stems import fold, is_word, tokens

QUOTES = "\"'«“„‘"
CLAUSE_ENDS = ",.;:!?\n"
THANKS = re.compile(r"[\s,]+(?:please|pls|plz|thanks|thank you|thx)\Z", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What shall not be there: as written, in English, and the words of it that could not be translated."""

    written: str = field(repr=False)
    english: str = field(repr=False)
    unknown: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A prompt in two. ``wanted`` is what it should show, in the words of the text; "" if there is nothing.

    ``said_no``: a thing was named with "no", as slogans do: "no money".
    """

    wanted: str = field(repr=False)
    things: tuple[Thing, ...] = field(default=(), repr=False)
    said_no: bool = False

    @property
    def written(self) -> str:
        """The negative prompt in the words of the text."""
        return ", ".join(thing.written for thing in self.things)

    @property
    def english(self) -> str:
        """The negative prompt in English."""
        return ", ".join(thing.english for thing in self.things)


def split(text: str, language_hint: str | None = None) -> Parts:
    """The prompt without its negative prompt. A text that has none comes back as it is.

    "Without a background" is left out: every drawing is cut out.
    """
    reader = _Reader(text, language_hint)
    reader.read()
    wanted = re.sub(r"\s+([,.;:!?])", r"\1", " ".join("".join(reader.kept).split())).strip(" ,;")
    if not reader.found or (reader.took_first and _goes_on(wanted, reader)):
        return Parts(wanted=text)
    things = (_thing(written, reader.by_script) for written in reader.found)
    return Parts(
        wanted=wanted if _shows_something(wanted, reader) else "",
        things=tuple(one for one in things if not one.english.endswith("background")),
        said_no=reader.said_no,
    )


def _goes_on(wanted: str, reader: _Reader) -> bool:
    """Whether the words behind what was taken belong to it: "no rest for the wicked", "no face from a film"."""
    left = tokens(wanted)
    word = word_at(left, reader.by_script.get(script(left[0]), "en"))[1] if left else None
    return word is not None and (word.kind == "preposition" or word.english in PREPOSITIONS)


def _shows_something(wanted: str, reader: _Reader) -> bool:
    """Whether a text has a word that can be drawn, or an emoji."""
    english = in_languages(normalise(wanted), reader.by_script).english
    words = [fold(token) for token in tokens(english) if is_word(token)]
    return not english.isascii() or any(word not in SAME | english_lists()["end"] for word in words)


def _thing(written: str, by_script: dict[str, str]) -> Thing:
    written = THANKS.sub("", written)
    found = in_languages(normalise(written), by_script, "without")
    return Thing(written=written, english=found.english, unknown=found.unknown)


class _Reader:
    """Reads a text once. ``kept`` are the tokens of what is wanted, ``found`` the things that are not."""

    def __init__(self, text: str, hint: str | None) -> None:
        self.kept: list[str] = []
        self.found: list[str] = []
        self.took_first = self.said_no = False  # whether the text begins with a thing; whether "no" names one
        self._left = tokens(text)
        self._hint = (hint or "").split("-")[0].lower()
        self.by_script = languages_of(text, hint)

    def read(self) -> None:
        """Read all of the text."""
        while self._left:
            if not (self._take_in_front() or self._take_behind()):
                self.kept.append(self._left.pop(0))

    def _take_in_front(self) -> bool:
        """Take "without a hat" and the like; False if the text goes on with something else."""
        for words, allowed in (
            (WITHOUT, self._may_be_without),
            (NO, self._may_be_no),
            (NOT_IN, self._may_be_without),
            (HAS_NO, self._has_owner),
        ):
            if not (used := self._says(words)) or self._quoted() or self._is_phrase(used) or not allowed():
                continue
            things, is_no = NounPhrases(self._left, used, self.by_script), words is NO
            if not things.items or _is_named_so(things.items, is_no):
                continue
            if words is NOT_IN and not self._is_worn(things.items[0]):
                continue
            if words is HAS_NO:
                self._drop_owned_by()
            self.took_first |= not any(map(is_word, self.kept))
            self.said_no |= is_no
            self.found += things.items
            self._left = self._left[things.end :]
            self._trim()
            return True
        return False

    def _take_behind(self) -> bool:
        """Take "kalap nélkül" and "şapkasız"; False if the text goes on with something else."""
        language, word = self._language(self._left[0]), fold(self._left[0])
        bare = [token for token in self.kept if not token.isspace()]
        if word == BEHIND.get(language) and bare and is_word(bare[-1]):
            while self.kept.pop().isspace():
                pass
            self.found.append(bare[-1])
        elif (ending := ENDINGS.get(language)) and (cut := re.fullmatch(f"(.+){ending}", word)):
            words = lexicon(language)
            if words.find_form(word) or not (thing := words.find(cut[1])) or thing.kind != "noun":
                return False
            self.found.append(cut[1])
        else:
            return False
        self._left.pop(0)
        return True

    def _says(self, words: dict[str, str]) -> int:
        """How many tokens at the start are one of these words of the text's language, or of the hint's; else 0."""
        language = self._language(self._left[0])
        for count in (3, 1):
            said = fold("".join(self._left[:count]))
            if said in words.get(language, "").split("|"):
                return count
            if said in words.get(self._hint, "").split("|") and not is_english(said):
                self.by_script[script(said)] = self._hint
                return count
        return 0

    def _language(self, token: str) -> str:
        return self.by_script.get(script(token), "en")

    def _quoted(self) -> bool:
        return bool(self.kept) and self.kept[-1] in QUOTES

    def _is_phrase(self, used: int) -> bool:
        """Whether the dictionary has the word with what follows: "без сил" is tired."""
        count, found = longest(self._left, self._language(self._left[0]))
        return bool(found) and count > used

    def _may_be_no(self) -> bool:
        words = [fold(token) for token in self.kept if is_word(token)]
        before = next((fold(token) for token in reversed(self.kept) if not token.isspace()), "")
        behind = fold(self._left[2]) if len(self._left) > 2 and self._left[1].isspace() else ""
        named = before in NOT_BEFORE_NO or "yes" in words
        return not (named or behind in NOT_AFTER_NO or behind.isdigit())

    def _may_be_without(self) -> bool:
        clause: list[str] = []
        for token in self.kept:
            clause = [] if token in CLAUSE_ENDS else [*clause, fold(token)]
        return NEGATIONS.isdisjoint(clause)

    def _has_owner(self) -> bool:
        """Whether "у" and a noun stand in front, or "у которого"; "у меня нет денег" shows nobody."""
        words = [fold(token) for token in self.kept if not token.isspace()]
        return len(words) > 1 and words[-2] == OWNED_BY and is_word(words[-1]) and words[-1] not in PRONOUNS

    def _drop_owned_by(self) -> None:
        """Take "у" away from in front of the owner, and all of "у которого"."""
        last = max(place for place, token in enumerate(self.kept) if fold(token) == OWNED_BY)
        whose = any(fold(token) in WHOSE for token in self.kept[last:])
        self.kept[last : None if whose else last + 1] = []

    def _is_worn(self, written: str) -> bool:
        """Whether somebody wears the thing: "не в шапке"; "не в духе" and "not in Kansas" are no clothes."""
        return not WORN.isdisjoint(_thing(written, self.by_script).english.split()[-1:])

    def _trim(self) -> None:
        """Take away what would hang at the seam: "with", "and", a comma."""
        while self.kept and (self.kept[-1].isspace() or self.kept[-1] == "," or self._hangs(self.kept[-1])):
            self.kept.pop()
        self.kept.append(" ")

    def _hangs(self, token: str) -> bool:
        return word_at([token], self._language(token))[1].english in HANGING


def _is_named_so(items: list[str], is_no: bool) -> bool:
    """Whether the word belongs to a name, "no entry sign", or to nothing that can be drawn, "without you"."""
    words = fold(items[-1]).split()
    return words[-1] in SIGNS if is_no else len(words) == 1 and words[0] in PRONOUNS
