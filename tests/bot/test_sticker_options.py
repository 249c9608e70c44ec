"""The options of /sticker: how they are written, and the errors."""

from __future__ import annotations

import pytest

from bot import sticker_options
from bot.config import Sticker
from bot.errors import UserError
from bot.words import Words
from lora.jobs import DrawOptions

ANY = 99  # the seed if none is given


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a fox", ("a fox", 5.0, ANY, 1)),
        ("a fox --cfg 7", ("a fox", 7.0, ANY, 1)),
        ("--cfg 7 a fox --seed 42 drinking", ("a fox drinking", 7.0, 42, 1)),
        ("a fox —cfg 7 –n 3", ("a fox", 7.0, ANY, 3)),  # as phones type it
        ("a fox --cfg=2.5", ("a fox", 2.5, ANY, 1)),
        ("a fox --CFG 2,5", ("a fox", 2.5, ANY, 1)),
        ("a fox — sleepy —very", ("a fox — sleepy —very", 5.0, ANY, 1)),
        ("well-known x--y", ("well-known x--y", 5.0, ANY, 1)),
        ("a\nfox\n--n 2", ("a fox", 5.0, ANY, 2)),
    ],
)
def test_options_are_found_wherever_they_stand(text: str, expected: tuple[str, float, int, int]) -> None:
    """Order, spelling by phones, and line breaks do not matter; punctuation stays."""
    found = sticker_options.read(text, Sticker(), seed=ANY)
    assert (found.prompt, found.options.cfg, found.options.seed, found.options.count) == expected


def test_what_the_text_leaves_open_comes_from_the_settings() -> None:
    """The operator's CFG, steps and outline; an option in the text replaces the setting."""
    settings = Sticker(cfg=3.0, steps=9, outline_px=0)
    found = sticker_options.read("a fox --n 2", settings, seed=ANY).options
    assert found == DrawOptions(cfg=3.0, steps=9, outline_px=0, seed=ANY, count=2)
    assert sticker_options.read("a fox --cfg 8", settings, seed=ANY).options.cfg == 8.0


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "sticker-usage"),
        ("--cfg 5", "sticker-usage"),
        ("a fox --cfg", "option-cfg"),
        ("a fox --cfg --seed 3", "option-cfg"),
        ("a fox --cfg 0.5", "option-cfg"),
        ("a fox --cfg 21", "option-cfg"),
        ("a fox --cfg nan", "option-cfg"),
        ("a fox --cfg <b>", "option-cfg"),
        ("a fox --seed -1", "option-seed"),
        ("a fox --seed 99999999999", "option-seed"),
        ("a fox --seed ²", "option-seed"),
        ("a fox --n 5", "option-n"),
        ("a fox --n 0", "option-n"),
        ("a fox --scale 3", "option-unknown"),
    ],
)
def test_what_is_wrong_is_explained_with_an_example(text: str, key: str) -> None:
    """Every refusal shows a /sticker line that works, and holds no unescaped HTML of the person's."""
    with pytest.raises(UserError) as caught:
        sticker_options.read(text, Sticker(), seed=ANY)
    assert caught.value.key == key
    told = Words("en")(key, **caught.value.params)
    assert "/sticker a fox" in told.replace("<i>", "")
    assert "“<b>" not in told
