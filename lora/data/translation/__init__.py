"""Prompts and captions in any language to English, offline. A translator is one line in ``TRANSLATORS``.

Imports nothing heavy: the tables and translators load at the first use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Translation:
    """A text in English. ``unknown`` are its words that stayed as they were; ``language`` is "und" if unclear."""

    english: str
    unknown: tuple[str, ...]
    language: str


class Translator(Protocol):
    """Turns a text into English. English itself comes back unchanged, with language "en"."""

    def translate(self, text: str, language_hint: str | None = None) -> Translation:
        """``language_hint`` is the person's language ("ru", "pt-br"). It decides only what the words leave open."""


class TranslatorError(Exception):
    """A translator cannot be loaded; the message tells the operator what to do."""


def _dictionary(folder: Path | None) -> Translator:
    from lora.data.translation.dictionary import Dictionary

    return Dictionary()


def _transformers(folder: Path | None) -> Translator:
    from lora.data.translation.transformers_folder import TransformersFolder

    if folder is None:
        raise TranslatorError("translator 'transformers' needs a folder")
    return TransformersFolder(folder)


# Name to loader. A loader gets the operator's folder; the dictionary needs none.
TRANSLATORS: dict[str, Callable[[Path | None], Translator]] = {
    "dictionary": _dictionary,
    "transformers": _transformers,
}


@cache
def translator(name: str = "dictionary", folder: Path | None = None) -> Translator:
    """The translator of this name, loaded once. Raises TranslatorError."""
    if name not in TRANSLATORS:
        raise TranslatorError(f"no translator {name!r}; there are {', '.join(TRANSLATORS)}")
    return TRANSLATORS[name](folder)


def translate(text: str, language_hint: str | None = None) -> Translation:
    """The text in English, by the bundled dictionary."""
    return translator().translate(text, language_hint)
