"""Word forms to stems: Snowball's rules (BSD-3-Clause), which need no dictionary. Tokens of a text.

Both sides go through the same rules: the table when it is built (``build_table``) and the text when it is
translated. So a stem only has to be the same for the forms of a word; it need not be a word itself.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache, lru_cache
from typing import Protocol

import snowballstemmer

SNOWBALL = {
    "ca": "catalan", "cs": "czech", "da": "danish", "de": "german", "el": "greek", "en": "english", "es": "spanish",
    "et": "estonian", "fi": "finnish", "fr": "french", "hi": "hindi", "hu": "hungarian", "hy": "armenian",
    "id": "indonesian", "it": "italian", "lt": "lithuanian", "nb": "norwegian", "nl": "dutch", "pl": "polish",
    "pt": "portuguese", "ro": "romanian", "ru": "russian", "sr": "serbian", "sv": "swedish", "tr": "turkish",
}  # fmt: skip
# Languages without rules of Snowball: the longest of these endings is cut off, if three letters stay.
ENDINGS = {
    "uk": "ами ями ові еві ого ому ими ої ою ах ях ам ям ів їв ий ій ая яя ею ем ом ім а я о е є и і ї у ю ь й",
    "be": "амі ямі ага яга аму яму ымі ай ой ях ах ам ям аў яў ы і а я о е э у ю ь",
    "bg": "ите ата ята ът ия та то те ен на но ни и а я о е",
    "sk": "ami ého ému ých ými ách och ov om am ia ie ou ej ý á é í a e i o u y",
}
# Accents, and the vowel signs of Devanagari, which Python takes for no letters
MARKS = r"[\u0300-\u036f\u0900-\u0903\u093a-\u094f\u0951-\u0957\u0962\u0963]"
TOKENS = re.compile(rf"[^\W_]+(?:{MARKS}|['’\-][^\W_]+|[^\W_])*|\s+|.", re.DOTALL)


# What sounds alike in Russian: silent consonants, vowels without stress, doubled letters; and the rest of a word
SOUNDS = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        ("([сз])[тд](?=н)", r"\1"), ("лнц", "нц"), ("вств", "ств"), ("(?<=[жшчщц])о", "е"), ("[еяэы]", "и"),
        ("о", "а"), ("ю", "у"), ("[ьъ]", ""), ("сч|зч", "щ"), (r"(.)\1", r"\1"),
    )
)  # fmt: skip
VOICED = re.compile("[бвгджз](?=[пфктшсхцчщ])")
VOICELESS = str.maketrans("бвгджз", "пфктшс")


class _Stemmer(Protocol):
    def stemWord(self, word: str) -> str: ...


def fold(text: str) -> str:
    """Lower case, composed, with one apostrophe; ё is written е, as most people type it."""
    return unicodedata.normalize("NFC", text.lower()).replace("ё", "е").replace("’", "'")


@lru_cache(maxsize=20_000)
def stem(word: str, language: str) -> str:
    """The stem of one folded word."""
    if language in SNOWBALL:
        return _stemmer(SNOWBALL[language]).stemWord(word)
    for ending in sorted(ENDINGS.get(language, "").split(), key=len, reverse=True):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def stems(phrase: str, language: str) -> str:
    """The stems of a folded phrase's words, one space between them."""
    return " ".join(stem(word, language) for word in phrase.split())


def sound(word: str) -> str:
    """How a folded Russian word sounds, roughly: "сабака" is as "собака", "грусный" as "грустный"."""
    for pattern, instead in SOUNDS:
        word = pattern.sub(instead, word)
    return VOICED.sub(lambda found: found[0].translate(VOICELESS), word)


def tokens(text: str) -> list[str]:
    """A text cut into words, runs of white space, and single other characters; joined they are the text."""
    return TOKENS.findall(text)


def is_word(token: str) -> bool:
    """Whether a token is a word or a number."""
    return token[0].isalnum()


@cache
def _stemmer(name: str) -> _Stemmer:
    found: _Stemmer = snowballstemmer.stemmer(name)
    return found
