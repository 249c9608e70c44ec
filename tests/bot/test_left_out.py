"""What a reply leaves out of a drawing's prompt."""

from __future__ import annotations

import pytest

from bot.english import English, in_english
from bot.left_out import leave_out


@pytest.mark.parametrize(
    ("prompt", "thing", "left"),
    [
        ("a cat in a hat", "a hat", "a cat"),
        ("a cat wearing a red hat in a forest", "a hat", "a cat in a forest"),
        ("a cat with hats", "a hat", "a cat"),
        ("a cat in a blue and white hat", "the hat", "a cat"),
        ("a cat that wears a hat, red", "hats", "a cat, red"),
        ("a cat in a hat drinking tea", "a hat", "a cat drinking tea"),
        ("a cat in a hat and glasses", "a hat", "a cat with glasses"),
        ("a cat in a hat and a dog", "a hat", "a cat with a dog"),
        ("a cat with glasses and a hat", "a hat", "a cat with glasses"),
        ("a cat with glasses and in a hat", "a hat", "a cat with glasses"),
        ("a cat, hat, glasses", "a hat", "a cat, glasses"),
        ("a hat and a cat", "a hat", "a cat"),
        ("a cat with a hat and a scarf and a hat", "a hat", "a cat with a scarf"),
        ("a mouse in a house with a hat", "a house", "a mouse with a hat"),
    ],
)
def test_the_thing_and_its_looks_are_left_out(prompt: str, thing: str, left: str) -> None:
    """With the word that joins it to the rest; what else the prompt shows stays."""
    assert leave_out(English(text=prompt), [thing], "en").text == left


@pytest.mark.parametrize(
    ("prompt", "thing"),
    [
        ("a hat", "a hat"),
        ("a hat on a table", "a hat"),
        ("a cat in a hat shop", "a hat"),
        ("a cat in a blue hat", "a red hat"),
        ("that chat", "a hat"),
        ("a  cat,red", "a hat"),
    ],
)
def test_what_the_prompt_does_not_add_stays(prompt: str, thing: str) -> None:
    """The only thing, another one, a part of a word."""
    assert leave_out(English(text=prompt), [thing], "en").text == prompt


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ("кот в шляпе", "кот"),
        ("кот в красной шляпе сидит на диване", "кот сидит на диване"),
        ("кот с зонтом и в шляпе", "кот с зонтом"),
        ("un gato con sombrero", "un gato"),
    ],
)
def test_the_persons_own_words_are_left_out_with_it(written: str, left: str) -> None:
    """So the message below the drawing does not tell of a hat."""
    assert leave_out(in_english(written, "", "ru"), ["a hat"], "ru").original == left


def test_own_words_that_cannot_be_cut_are_not_told() -> None:
    """Without "очках" these would say something else."""
    found = leave_out(in_english("кот в очках и шляпе", "", "ru"), ["glasses"], "ru")
    assert (found.text, found.original) == ("a cat with a hat", None)
