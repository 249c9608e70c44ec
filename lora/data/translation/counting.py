"""Whether a number in front of words counts them: "5 coins" does, "5 coin" does not."""

from __future__ import annotations

from lora.data.translation.grammar import ends_like_plural, is_plural
from lora.data.translation.language import languages_of, script
from lora.data.translation.lexicon import ADJECTIVES, irregular_plurals
from lora.data.translation.noun_phrases import word_at
from lora.data.translation.stems import is_word, tokens

CASES = ("ru", "uk", "be")  # languages whose words stand in another case behind a number
UNCHANGING = (
    "и",
    "у",
    "ю",
    "пальто",
    "пианино",
    "кимоно",
    "кофе",
    "какао",
    "манго",
    "авокадо",
)  # ends of words


def may_count(number: int, words: str, language_hint: str | None = None) -> bool:
    """Whether ``number`` may count what the words name first. Where the grammar does not tell, it may."""
    by_script, left, noun = languages_of(words, language_hint), tokens(words), ""
    while left and (left[0].isspace() or is_word(left[0])):
        if left[0].isspace():
            left = left[1:]
            continue
        language = by_script.get(script(left[0]), "en")
        used, word = word_at(left, language)
        described = word.kind in (*ADJECTIVES, "adverb")
        if language in CASES and word.kind == "noun":
            of_one = number % 10 == 1 and number % 100 != 11
            return of_one or word.inflected or word.source.endswith(UNCHANGING)
        if language != "en" and not described:
            return True
        if not described and word.kind != "noun":
            break
        noun, left = (noun if described else word.english), left[used:]
    same = irregular_plurals().get(noun) == noun  # "sheep"
    return not noun or number == 1 or same or is_plural(noun) or ends_like_plural(noun)
