"""English words in another language's order to a plain English phrase: adjectives in front, articles, plurals.

It knows no more grammar than a text encoder needs: "a sad fox drinking coffee".
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from lora.data.translation.lexicon import ADJECTIVES, english_lists, english_words, irregular_plurals
from lora.data.translation.plurals import UMLAUTS, WEST_SLAVIC, is_plural_of

NOMINAL = (*ADJECTIVES, "noun", "number", "determiner", "foreign")
ROMANCE = ("es", "fr", "it", "pt", "ca", "ro")  # adjectives stand behind their noun
GENITIVE = (
    "ru",
    "uk",
    "be",
    "pl",
    "cs",
    "sk",
    "sr",
    "hr",
    "lt",
    "el",
)  # a second noun in another case is "of"
RANK = {
    "determiner": 0,
    "number": 1,
    "foreign": 2,
    "size": 4,
    "colour": 6,
    "hair": 6,
    "material": 7,
}  # others: 3
UNIQUE = ("moon", "sun", "sky", "sea", "ocean")
# After these the same Russian form may be of one thing.
OBLIQUE = (
    "from", "without", "by", "for", "around", "in the middle of", "to", "about", "no", "inside", "against", "on top of",
    "instead of", "because of", "afraid of", "waiting for",
)  # fmt: skip
# Russian nouns of men's gender whose plural ends like the genitive of one
PLURALS_IN_A = frozenset(
    ("города", "поезда", "леса", "острова", "паруса", "рога", "глаза", "луга", "колокола", "снега", "тополя")
)
# English verbs without "ing": those that end in e, those that look so, and those with a doubled consonant
WITH_E = re.compile(
    "(^|[^aeiou])[aeiou][^aeiouwxy]$|[aeiouns]c$|[^aeious][aeiou]?[vuzg]$|[^aeioulsw]l$|(b|re)ath$"
)
WITHOUT_E = re.compile("[aeiou].*(en|er|on|it|el)$|[gnw]g$|[aeiou]y$")
DOUBLED = re.compile("([bdgmnpt])\\1$")
VOWEL = re.compile(r"(?!uni|use|uku|ute|eu|one)[aeiou]|hour|honest", re.IGNORECASE)


@dataclass(kw_only=True)
class Word:
    """One word or phrase of the text. ``kind`` is a section of the hand-made words, "foreign" or "mark"."""

    english: str
    kind: str
    source: str  # folded
    base: str = ""  # the form as a dictionary has it
    noun: str = ""  # English of the noun that an adjective is, too: "naranja" is a fruit

    @property
    def inflected(self) -> bool:
        """Whether the form is not the one of a dictionary."""
        return self.base != self.source


@dataclass(kw_only=True)
class _Noun:
    word: Word
    front: list[Word] = field(default_factory=list)
    plural: bool = False


def sentence(words: list[Word], language: str, before: str = "") -> str:
    """The whole text in English, if it stands behind the English word ``before``."""
    parts: list[str] = []
    chunk: list[Word] = []
    for word in _with_adverbs(words):
        if word.kind in NOMINAL:
            chunk.append(word)
            continue
        follows = word.kind == "verb" and not chunk and before.endswith(" to")
        parts += [_phrase(chunk, language, before), _infinitive(word.english) if follows else word.english]
        chunk, before = [], word.english
    parts.append(_phrase(chunk, language, before))
    text = re.sub(r'"\s+([^"]*[^"\s])\s+"', r'"\1"', " ".join(part for part in parts if part))
    return re.sub(r"\s+([,.;:!?)…»])", r"\1", re.sub(r"([(«])\s+", r"\1", text)).strip()


def plural_of(noun: str) -> str:
    """The plural of an English noun, of its last word."""
    if noun in irregular_plurals():
        return irregular_plurals()[noun]
    head, _, last = noun.rpartition(" ")
    if last in irregular_plurals():
        last = irregular_plurals()[last]
    elif re.search("(?<!hu)(?<!sha)(?<!talis)man$", last):
        last = last[:-3] + "men"
    elif re.search(r"(s|x|z|ch|sh)$", last):
        last += "es"
    else:
        last = last[:-1] + "ies" if re.search(r"[^aeiou]y$", last) else last + "s"
    return f"{head} {last}".strip()


def _infinitive(doing: str) -> str:
    """ "get up" of "getting up", "dance" of "dancing"."""
    first, _, rest = doing.partition(" ")
    bare = first.removesuffix("ing")
    if bare in ("ly", "dy", "ty"):
        bare = bare[0] + "ie"
    elif bare != first and WITH_E.search(bare) and not WITHOUT_E.search(bare):
        bare += "e"
    elif bare != first and DOUBLED.search(bare):
        bare = bare[:-1]
    return f"{bare} {rest}".strip()


def is_plural(word: str) -> bool:
    """Whether an English word is a plural: of the list, or with the ending of one on a word that is known."""
    if word in english_lists()["plural"]:
        return True
    if any(many == word and one != word for one, many in irregular_plurals().items()):
        return True
    if not ends_like_plural(word):
        return False
    singulars = (word[:-1], word.removesuffix("es"), word.removesuffix("ies") + "y")
    return any(len(one) > 2 and one != word and one in english_words() for one in singulars)


def ends_like_plural(word: str) -> bool:
    """Whether an English word has the ending of most plurals."""
    return word.endswith("s") and not word.endswith(("ss", "us", "is"))


def _with_adverbs(words: list[Word]) -> list[Word]:
    """ "very" and "sad" become one adjective."""
    found: list[Word] = []
    for word in words:
        if found and found[-1].kind == "adverb" and word.kind in ADJECTIVES:
            adverb = found.pop()
            word = Word(
                english=f"{adverb.english} {word.english}", kind=word.kind, source=word.source, base=word.base
            )
        found.append(word)
    return found


def _phrase(chunk: list[Word], language: str, before: str) -> str:
    """Words without verb and preposition: each noun with what describes it."""
    chunk = _with_noun(chunk)
    nouns: list[_Noun] = []
    waiting: list[Word] = []
    left = sum(word.kind == "noun" for word in chunk)
    for word in chunk:
        if word.kind == "noun":
            nouns.append(_Noun(word=word, front=waiting))
            waiting, left = [], left - 1
        elif nouns and word.kind in ADJECTIVES and (language in ROMANCE or not left):
            nouns[-1].front.append(word)
        else:
            waiting.append(word)
    texts = []
    for i, noun in enumerate(nouns):
        noun.plural = _is_plural(noun, language, before, i > 0)
        texts.append(_joined(noun, nouns[i - 1] if i else None, language))
    return " ".join([*texts, *(word.english for word in waiting)])


def _with_noun(chunk: list[Word]) -> list[Word]:
    """The words with an adjective as the noun that it is, too, if no other word of them is a noun."""
    place = next((i for i, word in enumerate(chunk) if word.noun), -1)
    if place < 0 or any(word.kind in ("noun", "foreign") for word in chunk):
        return chunk
    noun = replace(chunk[place], kind="noun", english=chunk[place].noun)
    return [*chunk[:place], noun, *chunk[place + 1 :]]


def _joined(noun: _Noun, previous: _Noun | None, language: str) -> str:
    """One noun with its article, and "of" if it belongs to the one in front of it."""
    if previous is None:
        return _with_article(noun)
    if previous.word.english in english_lists()["container"] or (
        language in GENITIVE and noun.word.inflected
    ):
        return f"of {_with_article(noun)}"
    return _described(noun)


def _described(noun: _Noun) -> str:
    front = sorted(noun.front, key=lambda word: RANK.get(word.kind, 3))
    name = noun.word.english
    is_one = noun.plural and not ends_like_plural(name)
    haired = name.split()[-1] in english_lists()["people"]
    said = (f"{word.english}-haired" if haired and word.kind == "hair" else word.english for word in front)
    return " ".join([*said, plural_of(name) if is_one else name])


def _with_article(noun: _Noun) -> str:
    text, name = _described(noun), noun.word.english
    if not noun.front and name in UNIQUE:
        return f"the {text}"
    last = name.split()[-1]
    lists = english_lists()
    bare = (
        noun.plural
        or (is_plural(last) and " lifting " not in name)
        or (last in lists["mass"] and " " not in name)
        or name in ("ice cream", "sour cream", "cottage cheese", "toilet paper")
        or last[:1].isupper()
        or any(word.kind in ("determiner", "number") for word in noun.front)
    )
    return text if bare else f"{'an' if VOWEL.match(text) else 'a'} {text}"


def _is_plural(noun: _Noun, language: str, before: str, belongs: bool) -> bool:
    """Whether the noun should be said in the plural; not if its English is one already."""
    name, word = noun.word.english, noun.word
    last = name.split()[-1]
    if is_plural(last) or last in english_lists()["mass"]:
        return False
    front = {item.english for item in noun.front}
    if any(item.kind == "number" and item.english not in ("one", "1") for item in noun.front):
        return True
    if front & {"many", "several", "all"}:
        return True
    if not word.inflected or " " in word.source:
        return False
    source, base = word.source, word.base
    before = "no" if "no" in front else before
    if language in ("ru", "uk", "be"):
        return _slavic_plural(source, base, before, belongs)
    if language in WEST_SLAVIC:
        return _west_slavic_plural(source, base, language, oblique=belongs or before in OBLIQUE)
    if language in ("es", "pt", "fr", "ca"):
        return source.endswith(("s", "x")) and not base.endswith(("s", "x"))
    if language == "it":
        return source.endswith(("i", "e")) and source[:-1] == base[:-1] and base.endswith(("a", "o", "e"))
    if language == "de":
        longer = source.endswith(("e", "en", "er", "n", "s")) and len(source) > len(base)
        return (longer or source.translate(UMLAUTS) == base) and "one" not in front
    return False


def _slavic_plural(source: str, base: str, before: str, belongs: bool) -> bool:
    if base.endswith(("ы", "и", "і")):
        return False  # "усы": the English is what the plural is called
    if base.endswith(("а", "я", "о")) and (source == base[:-1] or re.fullmatch(_with_vowel(base), source)):
        return True  # "обезьян", "роз", "кошек": genitive plural
    if base.endswith(("енок", "онок")):
        return bool(re.search("[яа]т(а|ам|ами|ах)?$", source))
    if source.endswith(("ами", "ями", "ах", "ях", "ам", "ям", "ов", "ев", "ів", "їв")):
        return not source.endswith(("ов", "ев")) or not base.endswith(("ов", "ев"))
    if source.endswith("ей") and base.endswith(("ь", "й", "ж", "ч", "ш", "щ", "е")) and source != base:
        return True
    oblique = belongs or before in OBLIQUE
    if base.endswith(("о", "е")) and source in (base[:-1] + "а", base[:-1] + "я"):
        return not oblique  # "окна" is also of one window
    if source.endswith("ья") and not base.endswith(("ья", "ье")):
        return True  # "стулья", "братья"
    if source in PLURALS_IN_A:
        return not oblique
    if not source.endswith(("ы", "и", "і", "ї")):
        return False
    feminine = base.endswith(("а", "я", "ь"))
    if base.endswith(("ь", "ия", "ие")):
        oblique = oblique or before in ("in", "on", "riding")
    return not (feminine and oblique)


def _west_slavic_plural(source: str, base: str, language: str, *, oblique: bool) -> bool:
    """Whether a Polish, Czech or Slovak form is of several things. "Książki" and "jabłka" are also "of a book"."""
    if is_plural_of(source, base, language):
        return not (oblique and base.endswith(("a", "o", "e")))
    if len(base) > 3 and base.endswith(("a", "o")) and source == base[:-1]:
        return True  # "gwiazd"
    return source.endswith(WEST_SLAVIC[language]) and not base.endswith(source[-2:])


def _with_vowel(base: str) -> str:
    """A pattern of the genitive plural with a vowel that the singular lacks: "кошек" of "кошка", but not "шее"."""
    if base[-2:-1] in "аеиоуыэюя":
        return re.escape(base[:-1])
    return f"{re.escape(base[:-2].removesuffix('ь'))}[оеё]{re.escape(base[-2])}"
