"""Commands as people write them: in Latin letters, or as words of a language, with a slash or as a plain text."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from bot.locales import LANGUAGES


def command_named(name: str) -> str:
    """The command that a name stands for: "sticker" for "стикер". An unknown name stays as it is."""
    return named().get(name.lower(), name.lower())


def says(command: str) -> Callable[[str], bool]:
    """Whether a text is nothing but a name of this command, without a slash."""

    def said(text: str) -> bool:
        word = text.strip().strip(".!?").casefold()
        return word == command or named().get(word) == command

    return said


@cache
def named() -> dict[str, str]:
    """The command of each word that stands for one, in all languages of the bot."""
    return {
        word: command
        for language in LANGUAGES.values()
        for command, words in language.COMMAND_WORDS.items()
        for word in words.split()
    }
