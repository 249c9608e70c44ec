"""Emoji and search words for a sticker, from its prompt in any language."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cache

from lora.data.translation import table, translate
from lora.data.translation.language import languages_of, script
from lora.data.translation.lexicon import ADJECTIVES, english_lists, kinds, lexicon
from lora.data.translation.stems import fold, is_word, tokens

MAX_KEYWORDS, MAX_CHARACTERS = 20, 64  # Telegram's limits for a sticker's search words: how many, in all
LONGEST = 4  # words of an emoji's name that is looked up as one
_FACE = re.compile(r" (face|button)$|^(face with|person) ")
# Usual words that the annotations give to several emoji or to none, and the one that people mean.
USUAL = {
    "car": "🚗", "bird": "🐦", "book": "📖", "phone": "📱", "star": "⭐", "sun": "☀️", "moon": "🌙",
    "heart": "❤️", "tree": "🌳", "flower": "🌸", "fish": "🐟", "coffee": "☕", "tea": "🍵", "plane": "✈️",
    "airplane": "✈️", "train": "🚂", "truck": "🚚", "bike": "🚲", "clock": "🕐", "hat": "🎩",
    "dinosaur": "🦕", "house": "🏠", "ball": "⚽", "cake": "🎂", "gift": "🎁", "sweater": "🧥", "rain": "🌧️",
    "snow": "❄️", "drum": "🥁", "money": "💰", "umbrella": "☂️", "glass": "🥛", "music": "🎵", "smile": "🙂",
    "love": "❤️", "fire": "🔥", "dog": "🐶", "cat": "🐱", "mouse": "🐭", "bear": "🐻", "rabbit": "🐰",
    "hare": "🐰", "bunny": "🐰", "kitten": "🐱", "puppy": "🐶", "cow": "🐮", "pig": "🐷", "monkey": "🐵",
    "horse": "🐴", "burger": "🍔", "wine": "🍷", "beer": "🍺", "juice": "🧃", "dragon": "🐉", "king": "🤴",
    "queen": "👸", "egg": "🥚", "fries": "🍟", "grapes": "🍇", "cherry": "🍒", "donut": "🍩", "sailboat": "⛵",
    "hippo": "🦛", "rhino": "🦏", "snowman": "⛄", "doctor": "🧑‍⚕️", "cook": "🧑‍🍳", "astronaut": "🧑‍🚀",
    "teacher": "🧑‍🏫", "sofa": "🛋️", "bed": "🛏️", "grandmother": "👵", "grandfather": "👴",
    "hedgehog": "🦔", "pillow": "🛏️", "gnome": "🧙", "cup of coffee": "☕", "balloon": "🎈", "chicken": "🐔",
    "rooster": "🐓", "crocodile": "🐊", "whale": "🐳", "turtle": "🐢", "cloud": "☁️", "camera": "📷",
    "rocket": "🚀", "ship": "🚢", "boat": "⛵", "glasses": "👓", "key": "🔑", "candle": "🕯️", "orange": "🍊",
    "angry": "😠", "sad": "😢", "happy": "😊", "sleepy": "😴", "enamored": "😍", "surprised": "😮",
    "scared": "😱", "tired": "😫",
}  # fmt: skip


def emoji_for(text: str, count: int = 3, language_hint: str | None = None) -> list[str]:
    """The best emoji for a prompt, the best first. A thing goes before a mood, the first thing before the second."""
    words = [
        _singular(fold(token)) for token in tokens(translate(text, language_hint).english) if is_word(token)
    ]
    words = [word for word in words if word not in ("a", "an", "the")]
    found: list[tuple[float, str]] = []
    place = 0
    while place < len(words):
        used, chars = _named(words[place:])
        is_thing = words[place] not in _moods() or used > 1 or len(words) == 1
        found += [(3 * is_thing - 0.1 * place - i, char) for i, char in enumerate(chars[:count])]
        place += used
    best = sorted(found, key=lambda item: -item[0])
    return list(dict.fromkeys(char for _, char in best))[:count]


def keywords_for(text: str, language: str | None = None) -> list[str]:
    """Search words in the person's language and in English, in turn, within Telegram's limits."""
    english = translate(text, language).english
    own = _content(text, language)
    theirs = [_singular(word) for word in _content(english, "en")]
    first = emoji_for(text, 1, language)
    hint = (language or "en").split("-")[0]
    extra = [table.names(hint).get(char, "") for char in first] + [
        _by_emoji().get(char, "") for char in first
    ]
    mixed = [word for pair in _in_turn(own, theirs) for word in pair]
    return _fitting([*mixed, *extra])


def _fitting(words: list[str]) -> list[str]:
    """The words that fit, without repeats, in their order."""
    found: list[str] = []
    for word in dict.fromkeys(word.replace(",", " ").strip() for word in words):
        if word and len(found) < MAX_KEYWORDS and sum(map(len, found)) + len(word) <= MAX_CHARACTERS:
            found.append(word)
    return found


def _in_turn(own: list[str], theirs: list[str]) -> list[tuple[str, str]]:
    longest = max(len(own), len(theirs), 0)
    pad = [""] * longest
    return list(zip([*own, *pad][:longest], [*theirs, *pad][:longest], strict=True))


def _content(text: str, language: str | None) -> list[str]:
    """The words of a text that one would search for: nouns first, then the others."""
    by_script = languages_of(text, language)
    nouns, others = [], []
    for token in filter(is_word, tokens(text)):
        word, spoken = fold(token), by_script.get(script(token), "en")
        if spoken == "en":
            if word not in english_lists()["function"]:
                nouns.append(word)
            continue
        entry = lexicon(spoken).find(word)
        if entry is None or entry.kind == "noun":
            nouns.append(entry.base if entry and " " not in entry.base else word)
        elif entry.kind in (*ADJECTIVES, "verb"):
            others.append(word)
    return [*nouns, *others]


def _named(words: list[str]) -> tuple[int, list[str]]:
    """How many words at the start an emoji is called by, and which emoji, the best first. One word at least."""
    for count in range(min(LONGEST, len(words)), 0, -1):
        phrase = " ".join(words[:count])
        usual = [USUAL[phrase]] if phrase in USUAL else []
        chars = (
            usual
            + _by_name().get(phrase, [])
            + (_by_keyword().get(phrase, []) if count == 1 or usual else [])
        )
        if chars:
            return count, list(dict.fromkeys(chars))
    return 1, []


def _singular(word: str) -> str:
    """The word without its plural ending, if an emoji is called so."""
    if word in _by_name() or word in USUAL:
        return word
    for ending, instead in (("ies", "y"), ("es", ""), ("s", "")):
        short = word.removesuffix(ending) + instead if word.endswith(ending) else ""
        if short and (short in USUAL or short in _by_name() or short in _by_keyword()):
            return short
    return word


@cache
def _by_name() -> dict[str, list[str]]:
    """Emoji by their whole name, and by it without "face": cat, cat face."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in table.emoji_rows():
        found[row.name].append(row.emoji)
    for row in table.emoji_rows():
        short = _FACE.sub("", row.name)
        if short != row.name and row.emoji not in found[short]:
            found[short].append(row.emoji)
    return dict(found)


@cache
def _by_keyword() -> dict[str, list[str]]:
    """Emoji by keyword; first those of fewest keywords, whom each says most about."""
    found: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for i, row in enumerate(table.emoji_rows()):
        for word in row.keywords:
            found[word].append((word not in row.name.split(), len(row.keywords) * 10_000 + i, row.emoji))
    return {word: [char for *_, char in sorted(rows)] for word, rows in found.items()}


@cache
def _by_emoji() -> dict[str, str]:
    return {row.emoji: row.name for row in table.emoji_rows()}


@cache
def _moods() -> frozenset[str]:
    """English words that describe and name no thing, and words that do nothing."""
    return frozenset(word for word, kind in kinds().items() if kind != "noun") | english_lists()["function"]
