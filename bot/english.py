"""Prompts and captions in English, which is all that the models read. Their person's own words are kept beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lora.data import captions
from lora.data.translation import translate


@dataclass(frozen=True, kw_only=True)
class English:
    """A prompt or a caption in English.

    ``original`` is what the person wrote, None if it was English. ``unknown`` are the words of it that could not be
    translated, joined by commas; they stand in ``text`` as they were written.
    """

    text: str = field(repr=False)
    original: str | None = field(default=None, repr=False)
    unknown: str = field(default="", repr=False)


def in_english(written: str, keyword: str, language: str) -> English:
    """What a person wrote, in English. English comes back as it is, but for ``captions.normalise``.

    ``language`` is the person's; it decides only what the words leave open. ``keyword`` is not translated. A text
    that had to be translated comes back without it.
    """
    plain = captions.normalise(written)
    words = captions.without_keyword(plain, keyword)
    found = translate(words, language)
    unknown = ", ".join(found.unknown)
    if found.english == words:
        return English(text=plain, unknown=unknown)
    return English(text=found.english, original=" ".join(written.split()), unknown=unknown)


def nothing_known(written: str, english: English) -> bool:
    """Whether none of the words could be translated: what would be drawn is noise."""
    for word in english.unknown.split(", "):
        written = written.replace(word, " ")
    return bool(english.unknown) and not any(map(str.isalnum, written))
