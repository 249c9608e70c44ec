"""Words on the operator's list are not drawn, in whatever form and language they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.config import Safety, parse
from bot.english import in_english
from bot.errors import ConfigError
from bot.playground import Person
from bot.undrawn_words import listed
from tests.bot.conftest import Stage


@pytest.fixture
def words_file(tmp_path: Path) -> str:
    path = tmp_path / "words.txt"
    path.write_text("# not here\nweapon\nблин\ncarnival mask # a phrase\n", encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("a cat with weapons", True),
        ("a WEAPON", True),
        ("кот ест блины", True),
        ("two carnival masks", True),
        ("a mask at the carnival", False),
        ("a cat with a weapony name", False),
        ("кот с цветком", False),
    ],
)
def test_forms_of_a_word_are_found(written: str, found: bool, words_file: str) -> None:
    """By stems; a phrase only as a whole; a word inside another one is not it."""
    assert listed(in_english(written, "", "en"), words_file) is found


async def test_a_prompt_with_such_a_word_is_refused(stage: Stage, ada: Person, words_file: str) -> None:
    """The person is told, no job is made, and the next prompt is drawn."""
    async with stage.bot(safety=Safety(words_file=words_file)) as running:
        await ada.send("/sticker a fox with weapons")
        await ada.wait_for("something that I do not draw")
        await ada.send("/sticker a fox --no weapons --seed 3")
        await ada.wait_for("seed 3")
        assert len(running.engine.jobs) == 1


def test_a_file_that_cannot_be_read_stops_the_start(tmp_path: Path) -> None:
    """The operator reads which setting it is."""
    with pytest.raises(ConfigError, match=r"safety\.words_file"):
        parse({"safety": {"words_file": str(tmp_path / "missing.txt")}})
