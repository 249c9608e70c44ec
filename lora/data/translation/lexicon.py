"""What one language's words are called in English: the hand-made words first, then the table made of CLDR.

The hand-made words are ``words/xx.txt``: sections of lines ``English: form, form``. A form is looked up as it is
written, then by its stems.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lora.data.translation import table
from lora.data.translation.stems import fold, stem, stems

WORDS = Path(__file__).parent / "words"
LONGEST = 4  # words of a phrase that is looked up as one
ADJECTIVES = ("colour", "size", "material", "adjective")
GROUP = ("mass", "plural", "container", "function")  # sections of english.txt that are plain lists


# How adjectives end, by which they are told from nouns and verbs with the same stem.
SLAVIC_ENDINGS = {
    "ru": tuple("ый ий ой ая яя ое ее ые ие ого его ому ему ую юю ым им ых их ыми ими ом".split()),
    "uk": tuple("ий ій а я е є і ого ому у ю им их ими".split()),
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What a form stands for. ``base`` is the form as a dictionary has it; ``kind`` is a section of ``words``."""

    english: str
    kind: str
    base: str


class Lexicon:
    """The words of one language, by form and by stems."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._forms: dict[str, Entry] = {}
        self._stems: dict[str, list[Entry]] = {}
        for kind, english, forms in sections(language):
            for form in forms:
                entry = Entry(english, kind, form)
                self._forms.setdefault(form, entry)
                for other in (form, *_adjective_forms(form, kind, language)):
                    self._stems.setdefault(stems(other, language), []).append(entry)
        by_hand = set(self._stems)
        for form, key, english in table.pairs(language) if language in table.languages() else ():
            entry = Entry(english, kind_of(english), form)
            self._forms.setdefault(form, entry)
            if key not in by_hand:
                self._stems.setdefault(key, []).append(entry)

    def find(self, phrase: str) -> Entry | None:
        """The entry of a folded word or phrase; of several with its stems, one whose kind its ending allows."""
        if phrase in self._forms:
            return self._forms[phrase]
        found = self._stems.get(stems(phrase, self.language), [])
        if len(found) < 2 or self.language not in SLAVIC_ENDINGS:
            return found[0] if found else None
        like_adjective = phrase.endswith(SLAVIC_ENDINGS[self.language])
        fitting = [entry for entry in found if (entry.kind in ADJECTIVES) == like_adjective]
        return (fitting or found)[0]

    def find_form(self, form: str) -> Entry | None:
        """The entry of a folded word exactly as it is written."""
        return self._forms.get(form)

    def __contains__(self, word: str) -> bool:
        return self.find(word) is not None

    def strength(self, word: str) -> float:
        """How sure it is that a folded word belongs to this language: 1 as written, less by its stem, 0 unknown."""
        if word in self._forms:
            return 1.0
        return 0.8 if stem(word, self.language) in self._stems else 0.0


def _adjective_forms(form: str, kind: str, language: str) -> list[str]:
    """Forms of a Russian adjective whose stems Snowball's rules may take for others: "злой" and "злая"."""
    if language != "ru" or kind not in ADJECTIVES or not form.endswith(("ый", "ий", "ой")):
        return []
    return [form[:-2] + ending for ending in ("ая", "ого", "ые")]


@cache
def lexicon(language: str) -> Lexicon:
    """The words of a language, read once."""
    return Lexicon(language)


def sections(language: str) -> list[tuple[str, str, list[str]]]:
    """(kind, English, forms) of every line of the hand-made words; none for a language without such a file."""
    path, kind, found = WORDS / f"{language}.txt", "", []
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
        if line.startswith("["):
            kind = line.strip("[]")
        elif ":" in line and not line.startswith("#"):
            english, forms = line.split(":", 1)
            found.append((kind, english.strip(), [fold(form.strip()) for form in forms.split(",")]))
    return found


def kind_of(english: str) -> str:
    """The kind of an English word that no hand-made line speaks of."""
    known = _kinds().get(english)
    return known or ("verb" if re.fullmatch(r"[a-z]{2,}[^aeiou]ing|[a-z]{3,}ing", english) and english not in _ING_NOUNS else "noun")


_ING_NOUNS = {"building", "string", "spring", "king", "ring", "wing", "painting", "wedding", "sling", "earring",
              "evening", "morning", "lightning", "ceiling", "clothing", "duckling", "pudding", "duckling", "swing",
              "dumpling", "thing", "stocking", "sibling", "bowling", "boxing"}  # fmt: skip


@cache
def _kinds() -> dict[str, str]:
    """English words to their kind, from every hand-made file. Nouns come last, so that "orange" is a colour."""
    found: dict[str, str] = {}
    for path in sorted(WORDS.glob("??.txt")):
        for kind, english, _ in sections(path.stem):
            if kind in (*ADJECTIVES, "verb", "noun"):
                found.setdefault(english, kind)
    return found


@cache
def english_lists() -> dict[str, frozenset[str]]:
    """The plain lists of ``english.txt`` by section. ``mass`` and ``plural`` are single words here."""
    found: dict[str, list[str]] = {}
    kind = ""
    for line in (WORDS / "english.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            kind = line.strip("[]")
        elif line and not line.startswith("#") and kind in GROUP:
            found.setdefault(kind, []).extend(line.split())
    return {kind: frozenset(words) for kind, words in found.items()}


@cache
def irregular_plurals() -> dict[str, str]:
    """English nouns whose plural follows no rule."""
    text = (WORDS / "english.txt").read_text(encoding="utf-8").split("[irregular]")[1].split("[")[0]
    rows = (line.split() for line in text.strip().splitlines())
    return {" ".join(row[: len(row) // 2]): " ".join(row[len(row) // 2 :]) for row in rows}


@cache
def english_words() -> frozenset[str]:
    """Every English word that the tables know, in lower case."""
    texts = [row.name for row in table.annotations()]
    texts += [word for row in table.annotations() for word in row.keywords]
    texts += [english for path in WORDS.glob("??.txt") for _, english, _ in sections(path.stem)]
    words = {word for text in texts for word in re.findall(r"[a-z]+", text.lower())}
    return frozenset(words | set().union(*english_lists().values()) | set(irregular_plurals().values()))


def is_english(word: str) -> bool:
    """Whether a folded word is English: known as it is, or without a usual ending."""
    known = english_words()
    if word in known or not word.isascii():
        return word in known
    parts = [word.removesuffix(end) for end in ("'s", "s", "es", "ed", "ing", "ly", "er", "y") if word.endswith(end)]
    parts += [part + "e" for part in parts] + [part[:-1] for part in parts if part[-1:] == part[-2:-1]]
    return any(len(part) > 2 and part in known for part in parts)
