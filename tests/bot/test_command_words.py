"""Words that stand for commands."""

from __future__ import annotations

import pytest

from bot.command_words import command_named, named, says
from bot.handlers import COMMANDS
from bot.locales import LANGUAGES


def test_each_word_stands_for_one_command() -> None:
    """No language takes a word for something else than another one; no word is a command's own name."""
    words = [
        word for one in LANGUAGES.values() for words in one.COMMAND_WORDS.values() for word in words.split()
    ]
    assert len(words) == len(set(words))
    assert set(named().values()) <= set(COMMANDS)
    assert not set(words) & set(COMMANDS)


@pytest.mark.parametrize(("name", "command"), [("Стикер", "sticker"), ("HELP", "help"), ("фигня", "фигня")])
def test_names_in_any_case(name: str, command: str) -> None:
    """What is unknown stays, to be told as unknown."""
    assert command_named(name) == command


def test_a_plain_word_is_a_command_alone_only() -> None:
    """With other words it is about something else."""
    assert says("help")(" Помощь! ")
    assert not says("help")("помощь лисе")
