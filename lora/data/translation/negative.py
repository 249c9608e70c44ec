"""Takes the negative prompt out of a prompt in any language: what follows "without" and "no".

A text encoder knows no negation: "a fox without a hat" is a fox with a hat to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from lora.data.captions import normalise
from lora.data.translation.dictionary import in_languages
from lora.data.translation.language import script
from lora.data.translation.lexicon import english_lists
from lora.data.translation.negation_reader import Reader
from lora.data.translation.negation_words import PREPOSITIONS, SAME
from lora.data.translation.noun_phrases import word_at
from lora.data.translation.stems import fold, is_word, tokens

THANKS = re.compile(r"[\s,]+(?:please|pls|plz|thanks|thank you|thx)\Z", re.IGNORECASE)

MOST_TOKENS = 600  # words and what is between them; a prompt and its negative prompt have 150 words at most


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What shall not be there: as written, in English, and the words of it that could not be translated.

    Behind "не в" and the like, Russian is written in the nominative.
    """

    written: str = field(repr=False)
    english: str = field(repr=False)
    unknown: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A prompt in two. ``wanted`` is what it should show, in the words of the text; "" if there is nothing.

    ``said_no``: a thing was named as slogans do: "no money", "не надо войны".
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

    So does one of over ``MOST_TOKENS``, which no base reads: reading takes the square of its length, and all wait.
    "Without a background" is left out: every drawing is cut out.
    """
    if len(tokens(text)) > MOST_TOKENS:
        return Parts(wanted=text)
    reader = Reader(text, language_hint)
    reader.read()
    wanted = re.sub(r"\s+([,.;:!?])", r"\1", " ".join("".join(reader.kept).split())).strip(" ,;")
    if not reader.found or (reader.took_first and _goes_on(wanted, reader)):
        return Parts(wanted=text)
    things = (_thing(written, reader) for written in reader.found)
    return Parts(
        wanted=wanted if _shows_something(wanted, reader) else "",
        things=tuple(one for one in things if not one.english.endswith("background")),
        said_no=reader.said_no,
    )


def _goes_on(wanted: str, reader: Reader) -> bool:
    """Whether the words behind what was taken belong to it: "no rest for the wicked", "no face from a film"."""
    left = tokens(wanted)
    word = word_at(left, reader.by_script.get(script(left[0]), "en"))[1] if left else None
    return word is not None and (word.kind == "preposition" or word.english in PREPOSITIONS)


def _shows_something(wanted: str, reader: Reader) -> bool:
    """Whether a text has a word that can be drawn, or an emoji."""
    english = in_languages(normalise(wanted), reader.by_script).english
    words = [fold(token) for token in tokens(english) if is_word(token)]
    return not english.isascii() or any(word not in SAME | english_lists()["end"] for word in words)


def _thing(written: str, reader: Reader) -> Thing:
    named = reader.named.get(written, written)
    written = THANKS.sub("", written)
    found = in_languages(normalise(written), reader.by_script, "without")
    return Thing(written=THANKS.sub("", named), english=found.english, unknown=found.unknown)
