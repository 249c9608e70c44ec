"""The bundled translator: words and phrases looked up in ``lexicon``, put together by ``grammar``. No network."""

from __future__ import annotations

import re
from dataclasses import replace

from lora.data.translation import Translation
from lora.data.translation.grammar import NOMINAL, Word, sentence
from lora.data.translation.language import languages_of, script
from lora.data.translation.lexicon import (
    ADJECTIVES,
    LONGEST,
    Entry,
    english_lists,
    is_english,
    lexicon,
    russian_names,
)
from lora.data.translation.negation_words import WORN
from lora.data.translation.stems import fold, is_word, tokens

PARTICIPLE = re.compile(
    r"[ущюяа]щ(ий|ая|ее|ие|его|ей|ую|им|ем|их|ими|ему)(ся)?$|вш(ий|ая|ее|ие|его|ей|ую|им|ем)(ся)?$"
)
NOMINATIVE_PARTICIPLE = re.compile("(щ|вш)(ий|ая|ее|ие)(ся)?$")
# Endings that make a word small, and what may stand in their place: "слоник" is "слон".
DIMINUTIVES = {
    "ru": (("очка", "ка"), ("очка", "а"), ("ечка", "ка"), ("ьчик", ""), ("ушка", "а"), ("юшка", "я"),
           ("ышко", "о"), ("енок", ""), ("онок", ""),
           ("чик", ""), ("ик", ""), ("ок", ""), ("ек", ""), ("ка", "а"), ("ка", ""), ("ко", "о"),
           ("ьишка", "ей"), ("ишка", "")),
    "de": (("chen", ""), ("chen", "e"), ("lein", ""), ("lein", "e")),
    "es": (("cito", ""), ("cita", ""), ("ito", "o"), ("ita", "a"), ("ito", ""), ("illo", "o"), ("illa", "a")),
    "pt": (("zinho", ""), ("zinha", ""), ("inho", "o"), ("inha", "a")),
    "it": (("ino", "o"), ("ina", "a"), ("etto", "o"), ("etta", "a")),
}  # fmt: skip
GERMAN_ONE = frozenset(
    ("ein", "eine", "einen", "einem", "einer", "eines", "dem", "des")
)  # "einen Bären" is one
SOFTENED = {"ч": "к", "ж": "гд", "ш": "х"}  # before a Russian diminutive: "волчок" is "волк"
# A Russian name in Latin letters, as passports have it but for "ya", "yu" and "yo"
LETTERS = dict(zip(
    "абвгдежзийклмнопрстуфхцчшщъыьэюяё",
    ("a b v g d e zh z i y k l m n o p r s t u f kh ts ch sh shch - y - e yu ya yo").replace("-", "_").split(),
    strict=True,
)) | {"ъ": "", "ь": ""}  # fmt: skip
CASES_OF_NAMES = {"а": "ы и е у ой ою ей", "я": "и е ю ей ею", "й": "я ю ем е и", "ь": "я ю ем е и ью"}
ENDS_OF_CASES = ("ом", "ем", "ам", "ами", "ах", "ов")
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
    of_one = False
    while left:
        token = left[0]
        if not is_word(token):
            left = left[1:]
            if not token.isspace():
                words.append(Word(english=token, kind="mark", source=token))
            continue
        language = by_script.get(script(token), "")
        used, found = longest(left, language)
        if used == 1 and (name := _name(token, words)):
            whose = bool(words) and words[-1].kind == "noun"  # "портрет Ани"
            base = fold(name if whose else token)
            found = [Word(english=spelt(name), kind="noun", source=fold(token), base=base)]
        if not found:
            word = _kept(token)
            if (word.kind == "foreign" and not is_english(fold(token)) and script(token) != "LATIN") or (
                language not in ("", "en") and word.kind == "foreign" and not is_english(fold(token))
            ):
                unknown.append(token)
            found = [word]
        else:
            strange = (
                word.source for word in found if word.kind == "foreign" and not is_english(word.source)
            )
            unknown += [word for word in strange if script(word) != "LATIN" or script(token) == "LATIN"]
        of_one = (of_one or fold(token) in GERMAN_ONE) and language == "de"
        if of_one and any(word.kind == "noun" for word in found):
            found, of_one = [replace(word, base=word.source) for word in found], False
        words += [word for word in found if word.kind != "dropped"]
        left = left[used:]
    return _governed(words), unknown


def _name(token: str, before: list[Word]) -> str:
    """A Russian name in the nominative: one that is known, or whatever stands behind "по имени"; "" if it is none."""
    if script(token) != "CYRILLIC":
        return ""
    names, word = russian_names(), token.lower()
    if before and before[-1].english == "named":
        return word
    if not before or not token[0].isupper():  # "Машу лапой" begins with no name
        return word if fold(word) in names["known"] else ""
    known = names["known"] | names["capital"]
    for cut in (0, 1, 2):
        root, ending = word[: len(word) - cut], word[len(word) - cut :]
        for last, endings in CASES_OF_NAMES.items():
            if fold(root + last) in known and (ending in endings.split() or ending == last):
                return root + last
        if fold(root) in known and ending in ("", "а", "у", "ом", "е"):
            return root
    return ""


def spelt(name: str) -> str:
    """A Russian name in Latin letters: "Вася" is "Vasya"."""
    return "".join(LETTERS.get(letter, letter) for letter in name.lower()).capitalize()


def _governed(words: list[Word]) -> list[Word]:
    """The words with participles as verbs where they stand behind their noun: "зайка, обнимающий морковку"."""
    found: list[Word] = []
    for i, word in enumerate(words):
        before = words[i - 1] if i else None
        behind = words[i + 1] if i + 1 < len(words) else None
        if NOMINATIVE_PARTICIPLE.search(word.source) and before and word.english.endswith("ing"):
            governs = behind is not None and behind.kind not in ("mark", "verb")
            if before.english == "," or (before.kind == "noun" and governs):
                word = replace(word, kind="verb")
        if word.english in ("afraid", "waiting") and behind and behind.kind in NOMINAL:
            word = replace(word, english=f"{word.english} {'of' if word.english == 'afraid' else 'for'}")
        if word.english == "going to" and behind and _is_locative(behind):
            word = replace(word, english="walking in")  # "идёт в шапке"; "идёт в лес" is where to
        found.append(word)
    return found


def _is_locative(word: Word) -> bool:
    """Whether a Russian adjective or noun behind "в" says where or in what, and not where to."""
    if word.kind in ADJECTIVES:
        return word.source.endswith(("ой", "ей", "ом", "ем", "ых", "их"))
    endings = ("е", "ах", "ях") if word.base.endswith(("а", "я")) else ("е", "у", "и", "ах", "ях")
    inflected = word.source != word.base or word.source.endswith("у")  # "лесу" has a line of its own
    return word.english in WORN or (inflected and word.source.endswith(endings))


def longest(left: list[str], language: str) -> tuple[int, list[Word]]:
    """How many tokens the longest known phrase at the start takes, and its words in English."""
    if language in ("", "en"):
        return 1, []
    for count in range(2 * LONGEST - 1, 0, -2):
        piece = left[:count]
        if len(piece) < count or set(piece[1::2]) - {" "}:
            continue
        phrase = fold("".join(piece))
        entry = lexicon(language).find(phrase)
        if entry and (count == 1 or entry.by_hand or not _parted_by_hand(left, count, entry, language)):
            return count, [_word(entry, phrase, language)]
    return 1, _taken_apart(fold(left[0]), language)


def _parted_by_hand(left: list[str], count: int, entry: Entry, language: str) -> bool:
    """Whether a phrase of the table, which has rough associations, says less than the hand-made words do.

    A hand-made phrase begins in it ("кот в шоке" has "в шоке"), or all its words are hand-made ones, and one is a verb
    or a noun that the table's English lacks: "красное платье" is a dancing woman there.
    """
    if language != "ru":
        return False
    words, phrases = lexicon(language), range(2 * LONGEST - 1, 1, -2)
    for place in range(2, count, 2):
        found = (
            words.find(fold("".join(left[place : place + length])))
            for length in phrases
            if len(left) >= place + length > count - 1
            and not set(left[place + 1 : place + length : 2]) - {" "}
        )
        if any(one and one.by_hand for one in found):
            return True
    parts = [one for token in left[:count:2] if (one := words.find(fold(token))) and one.by_hand]
    lost = any(one.kind == "noun" and one.english.split()[-1] not in entry.english for one in parts)
    return len(parts) == (count + 1) // 2 and (lost or any(one.kind == "verb" for one in parts))


def _word(entry: Entry, phrase: str, language: str) -> Word:
    kind = entry.kind
    if kind == "verb" and language in ("ru", "uk", "be") and PARTICIPLE.search(phrase):
        kind = "adjective"
    noun = lexicon(language).noun_beside(phrase) if kind in ADJECTIVES else ""
    return Word(english=entry.english, kind=kind, source=phrase, base=entry.base, noun=noun)


def _taken_apart(word: str, language: str) -> list[Word]:
    """A word that is in no table: joined by dashes, misspelt, a diminutive, or two German words written as one."""
    words = lexicon(language)
    if "-" in word and (joined := _joined(word, language)):
        return joined
    if alike := words.find_alike(word):
        return [_word(alike, word, language)]
    for ending, instead in DIMINUTIVES.get(language, ()):
        for short, base in _shorter(word, ending, instead):
            if len(short) >= LEAST_PART and (entry := words.find_form(short)) and entry.kind == "noun":
                return [Word(english=entry.english, kind="noun", source=word, base=base)]
    return _compound(word) if language == "de" else []


def _joined(word: str, language: str) -> list[Word]:
    """The parts of a word with dashes, if one is known: "кот-бариста". Others stay as they are."""
    parts = word.split("-")
    found = [longest([part], language)[1] for part in parts]
    if not any(found):
        return []
    return [one for part, known in zip(parts, found, strict=True) for one in known or [_kept(part)]]


def _shorter(word: str, ending: str, instead: str) -> list[tuple[str, str]]:
    """The word without a diminutive ending; also with the hard consonant that Russian softens before it.

    Beside it stands the diminutive as a dictionary has it.
    """
    cases = ("иеуы", ("ой", "ей", "ам", "ами", "ах")) if ending[-1] in "ао" else ("аоуеиыя", ENDS_OF_CASES)
    for inflected in ("", *cases[0], *cases[1]):
        whole = ending[:-1] + inflected if inflected and ending[-1] in "ао" else ending + inflected
        if word.endswith(whole):
            root = word[: -len(whole)]
            roots = [root]
            if root[-1:] in SOFTENED:
                roots += [root[:-1] + hard for hard in SOFTENED[root[-1]]]
            return [(one + instead, root + ending) for one in roots]
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
