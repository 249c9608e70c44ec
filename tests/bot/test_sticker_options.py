"""What /sticker understands, and what it says to what it does not."""

from __future__ import annotations

import pytest

from bot import sticker_options
from bot.config import Sticker
from bot.errors import UserError
from bot.words import Words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a fox", ("a fox", 5.0, None, 1)),
        ("a fox --cfg 7", ("a fox", 7.0, None, 1)),
        ("--cfg 7 a fox --seed 42 drinking", ("a fox drinking", 7.0, 42, 1)),
        ("a fox —cfg 7 –n 3", ("a fox", 7.0, None, 3)),  # as phones type it
        ("a fox --cfg=2.5", ("a fox", 2.5, None, 1)),
        ("a fox --CFG 2,5", ("a fox", 2.5, None, 1)),
        ("a fox — sleepy —very", ("a fox — sleepy —very", 5.0, None, 1)),
        ("well-known x--y", ("well-known x--y", 5.0, None, 1)),
        ("a\nfox\n--n 2", ("a fox", 5.0, None, 2)),
    ],
)
def test_options_are_found_wherever_they_stand(
    text: str, expected: tuple[str, float, int | None, int]
) -> None:
    """Order, spelling by phones, and line breaks do not matter; punctuation stays."""
    found = sticker_options.read(text, Sticker())
    assert (found.prompt, found.cfg, found.seed, found.count) == expected


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
        sticker_options.read(text, Sticker())
    assert caught.value.key == key
    told = Words("en")(key, **caught.value.params)
    assert "/sticker a fox" in told.replace("<i>", "")
    assert "“<b>" not in told
