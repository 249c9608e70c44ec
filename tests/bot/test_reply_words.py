"""What a reply in words says of a drawing's prompt."""

from __future__ import annotations

import pytest

from bot.english import English, in_english
from bot.reply_words import added, asks_again, wanted_again
from lora.jobs import DrawOptions

CAT = English(text="a cat", original="кот")


@pytest.mark.parametrize(
    ("said", "text", "original"),
    [
        ("а теперь с шапкой", "a cat with a hat", "кот, а теперь с шапкой"),
        ("в лесу", "a cat in a forest", "кот в лесу"),
        ("wearing a hat", "a cat wearing a hat", "кот wearing a hat"),
        ("собака в лесу", "a dog in a forest", "собака в лесу"),
        ("в", "in", "в"),
        ("сделай его красным", "a cat, red", "кот, сделай его красным"),
        ("а теперь очень грустный!", "a cat, very sad!", "кот, а теперь очень грустный!"),
        ("make it red", "a cat, red", "кот, make it red"),
        ("красная собака", "a red dog", "красная собака"),
    ],
)
def test_prepositions_and_adjectives_add_to_the_prompt(said: str, text: str, original: str) -> None:
    """Other words take its place."""
    found = added(CAT, in_english(said, "", "ru"))
    assert (found.text, found.original) == (text, original)


@pytest.mark.parametrize(
    "said", ["ещё", "другой", "заново", "ещё раз!", "ещё одного, пожалуйста", "another one please", "Again"]
)
def test_again(said: str) -> None:
    """In both languages of the bot."""
    assert asks_again(in_english(said, "", "ru"))


@pytest.mark.parametrize("said", ["more cats", "one cat", "ещё кот", "the same", ""])
def test_other_words_do_not_ask_for_another_drawing(said: str) -> None:
    """They name something to draw, or ask for nothing new."""
    assert not asks_again(in_english(said, "", "ru"))


def test_what_a_reply_wants_again_is_left_out_no_more() -> None:
    """A hat of the negative prompt that the prompt now has."""
    options = DrawOptions(cfg=5, seed=1, negative_prompt="a hat, glasses", negative_written="шляпы, очков")
    found = wanted_again(options, English(text="a cat with a hat"))
    assert (found.negative_prompt, found.negative_written) == ("glasses", "очков")
    found = wanted_again(found, English(text="a cat with glasses"))
    assert (found.negative_prompt, found.negative_written) == ("", "")
    assert wanted_again(options, English(text="a cat in that chat")) == options
