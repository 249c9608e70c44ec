"""What is said to the bot is no word of the prompt."""

from __future__ import annotations

import time

import pytest

from bot.polite_words import small_talk, without_politeness


@pytest.mark.parametrize(
    ("text", "prompt"),
    [
        ("a cat please", "a cat"),
        ("a cat, please!", "a cat"),
        ("a cat, please, thank you", "a cat"),
        ("please draw me a cute cat", "a cute cat"),
        ("Could you please draw a fox?", "a fox?"),
        ("I'd like a cat, pls", "a cat"),
        ("create two cats", "two cats"),
        ("Hi! Draw me a sticker of a cat", "a cat"),
        ("I want a picture with two cats", "two cats"),
        ("a sticker of a cat", "a cat"),
        ("can you make a sticker of a cat eating pizza", "a cat eating pizza"),
        ("нарисуй мне, пожалуйста, кота", "кота"),
        ("Привет! Нарисуй кота", "кота"),
        ("а теперь нарисуй собаку", "собаку"),
        ("можешь мне нарисовать пингвина?", "пингвина?"),
        ("давай нарисуем кота", "кота"),
        ("мне нужен кот в шляпе", "кот в шляпе"),
        ("хочу стикер с котиком", "котиком"),
        ("Сделай стикер, где кот спит", "кот спит"),
        ("сделай мне, пожалуйста, стикер: лиса спит", "лиса спит"),
        ("картинка с лисой без шапки", "лисой без шапки"),
    ],
)
def test_polite_words_are_left_out(text: str, prompt: str) -> None:
    """In front and at the end."""
    assert without_politeness(text) == prompt


@pytest.mark.parametrize(
    "text",
    [
        "please",
        "thank you",
        "pretty please",
        "a cat saying please",
        "i want a hug",
        "paint the town red",
        "oh please",
        "draw",
        "a bear that says thanks",
        "пожалуйста, лису",
        "hello kitty",
        "give me a hug",
        "нарисуй мне",
        "хочу домой",
        "сделай его красным",
        "стикер",
        "рисунок кота",
        "и кот",
    ],
)
def test_other_texts_stay(text: str) -> None:
    """Where such words are all, or what somebody says."""
    assert without_politeness(text) == text


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ("Thanks!", "talk-thanks"),
        ("thank you so much", "talk-thanks"),
        ("Спасибо большое!", "talk-thanks"),
        ("ок", "talk-changes"),
        ("нет", "talk-changes"),
        ("сделай побольше", "talk-changes"),
        ("bigger", "talk-changes"),
        ("Make it bigger.", "talk-changes"),
        ("Привет!", "talk-hello"),
        ("Hello there", "talk-hello"),
        ("Добрый день", "talk-hello"),
        ("как дела?", "talk-how"),
        ("Привет, бот! Как дела?", "talk-how"),
        ("What’s up?", "talk-how"),
        ("what can you do?", "talk-help"),
        ("Hi, who are you?", "talk-help"),
        ("Что ты умеешь?", "talk-help"),
        ("день", None),
        ("a hello kitty", None),
        ("добрый кот", None),
        ("большое", None),
        ("you", None),
        ("a robot says hello", None),
        ("a bigger hat", None),
        ("make it red", None),
        ("no hat", None),
        ("не в шапке", None),
        ("another one", None),
        ("ещё", None),
        ("", None),
        ("🙏", None),
    ],
)
def test_small_talk_asks_for_no_drawing(said: str, key: str | None) -> None:
    """Only if every word is small talk."""
    assert small_talk(said) == key


def test_a_long_text_is_no_small_talk_and_takes_no_time() -> None:
    began = time.process_time()
    assert small_talk("hi " * 1360 + "x") is None
    assert time.process_time() - began < 0.05
