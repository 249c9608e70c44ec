"""The bundled translator: words and phrases looked up in ``lexicon``, put together by ``grammar``. No network."""

from __future__ import annotations

import re

from lora.data.translation import Translation
from lora.data.translation.grammar import Word, sentence
from lora.data.translation.language import languages_of, script
from lora.data.translation.lexicon import ADJECTIVES, LONGEST, Entry, english_lists, is_english, lexicon
from lora.data.translation.stems import fold, is_word, tokens

PARTICIPLE = re.compile(
    r"[ущюяа]щ(ий|ая|ее|ие|его|ей|ую|им|ем|их|ими|ему)(ся)?$|вш(ий|ая|ее|ие|его|ей|ую|им|ем)(ся)?$"
)
# Endings that make a word small, and what may stand in their place: "слоник" is "слон".
DIMINUTIVES = {
    "ru": (("очка", "ка"), ("ечка", "ка"), ("ушка", "а"), ("юшка", "я"), ("ышко", "о"), ("енок", ""), ("онок", ""),
           ("чик", ""), ("ик", ""), ("ок", ""), ("ек", ""), ("ка", "а"), ("ка", ""), ("ко", "о"), ("ишка", "")),
    "de": (("chen", ""), ("chen", "e"), ("lein", ""), ("lein", "e")),
    "es": (("cito", ""), ("cita", ""), ("ito", "o"), ("ita", "a"), ("ito", ""), ("illo", "o"), ("illa", "a")),
    "pt": (("zinho", ""), ("zinha", ""), ("inho", "o"), ("inha", "a")),
    "it": (("ino", "o"), ("ina", "a"), ("etto", "o"), ("etta", "a")),
}  # fmt: skip
SOFTENED = {"ч": "к", "ж": "г", "ш": "х"}  # before a Russian diminutive: "волчок" is "волк"
LEAST_PART = 3  # letters of a part of a compound


class Dictionary:
    """Translates word by word, the longest known phrase first."""

    def translate(self, text: str, language_hint: str | None = None) -> Translation:
        return in_languages(text, languages_of(text, language_hint))


def in_languages(text: str, by_script: dict[str, str], before: str = "") -> Translation:
    """The text in English, if the languages of its scripts are known. ``before``: English of the word before it."""
    foreign = [language for language in by_script.values() if language != "en"]
    scripts = {script(token) for token in tokens(text) if is_word(token)} - {""}
    if scripts <= {"LATIN"} and by_script.get("LATIN", "en") == "en":
        return Translation(english=text, unknown=(), language="en")
    words, unknown = _words(text, by_script)
    language = foreign[0] if foreign else "und"
    return Translation(
        english=sentence(words, language, before), unknown=tuple(dict.fromkeys(unknown)), language=language
    )


def _words(text: str, by_script: dict[str, str]) -> tuple[list[Word], list[str]]:
    """The text's words in English, and those that nobody knows."""
    left, words, unknown = tokens(text), [], []
    while left:
        token = left[0]
        if not is_word(token):
            left = left[1:]
            if not token.isspace():
                words.append(Word(english=token, kind="mark", source=token))
            continue
        language = by_script.get(script(token), "")
        used, found = longest(left, language)
        if not found:
            word = _kept(token)
            if (word.kind == "foreign" and not is_english(fold(token)) and script(token) != "LATIN") or (
                language not in ("", "en") and word.kind == "foreign" and not is_english(fold(token))
            ):
                unknown.append(token)
            found = [word]
        words += [word for word in found if word.kind != "dropped"]
        left = left[used:]
    return words, unknown


def longest(left: list[str], language: str) -> tuple[int, list[Word]]:
    """How many tokens the longest known phrase at the start takes, and its words in English."""
    if language in ("", "en"):
        return 1, []
    for count in range(2 * LONGEST - 1, 0, -2):
        piece = left[:count]
        if len(piece) < count or set(piece[1::2]) - {" "}:
            continue
        phrase = fold("".join(piece))
        if entry := lexicon(language).find(phrase):
            return count, [_word(entry, phrase, language)]
    return 1, _taken_apart(fold(left[0]), language)


def _word(entry: Entry, phrase: str, language: str) -> Word:
    kind = entry.kind
    if kind == "verb" and language in ("ru", "uk", "be") and PARTICIPLE.search(phrase):
        kind = "adjective"
    noun = lexicon(language).noun_beside(phrase) if kind in ADJECTIVES else ""
    return Word(english=entry.english, kind=kind, source=phrase, base=entry.base, noun=noun)


def _taken_apart(word: str, language: str) -> list[Word]:
    """A word that is in no table: joined by dashes, a diminutive, or two German words written as one."""
    words = lexicon(language)
    if "-" in word:
        found = [words.find(part) for part in word.split("-")]
        if all(found):
            return [
                _word(entry, part, language)
                for entry, part in zip(found, word.split("-"), strict=True)
                if entry
            ]
    for ending, instead in DIMINUTIVES.get(language, ()):
        for short in _shorter(word, ending, instead):
            if len(short) >= 3 and (entry := words.find(short)) and entry.kind == "noun":
                return [Word(english=entry.english, kind="noun", source=word, base=word)]
    return _compound(word) if language == "de" else []


def _shorter(word: str, ending: str, instead: str) -> list[str]:
    """The word without a diminutive ending; also with the hard consonant that Russian softens before it."""
    for inflected in ("", *("аоуеиыя" if ending[-1] not in "ао" else "иеуы")):
        whole = ending[:-1] + inflected if inflected and ending[-1] in "ао" else ending + inflected
        if word.endswith(whole):
            root = word[: -len(whole)]
            return [root + instead] + (
                [root[:-1] + SOFTENED[root[-1]] + instead] if root[-1:] in SOFTENED else []
            )
    return []


def _compound(word: str) -> list[Word]:
    """ "Pizzakatze" is a pizza and a cat; an s or n may join the two."""
    words = lexicon("de")
    for cut in range(len(word) - LEAST_PART, LEAST_PART - 1, -1):
        last = words.find(word[cut:])
        first = (
            words.find_form(word[:cut])
            or words.find_form(word[:cut].rstrip("sn"))
            or words.find_form(word[:cut] + "e")
        )
        if first and last and first.kind in ("noun", "colour", "size", "adjective") and last.kind == "noun":
            return [
                Word(english=first.english, kind="material", source=word[:cut], base=word[:cut]),
                Word(english=last.english, kind="noun", source=word[cut:], base=last.base),
            ]
    return []


def _kept(token: str) -> Word:
    """A word that stays as it is: a number, English, or unknown."""
    folded = fold(token)
    if folded.isdigit():
        return Word(english=token, kind="number", source=folded)
    if folded in ("a", "an", "the"):
        return Word(english=token, kind="determiner", source=folded)
    kind = "joining" if folded in english_lists()["function"] and script(token) == "LATIN" else "foreign"
    return Word(english=token, kind=kind, source=folded)
