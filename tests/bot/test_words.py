"""All that the bot says exists, is valid for Telegram, and keeps people's words apart from markup."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from bot import handlers
from bot.locales import LANGUAGES
from bot.routes import Command
from bot.words import Html, Words, clip
from lora.data.pictures import PICTURE_ERRORS
from lora.jobs import JOB_ERRORS

BOT = Path(__file__).parents[2] / "bot"
KEYWORD_PROBLEMS = ("empty", "characters", "ordinary", "too-many-tokens")


def keys_in_code() -> set[str]:
    """Every string in the code that is written like a key of the locales."""
    found: set[str] = set()
    for path in [*BOT.glob("*.py"), *(BOT / "handlers").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_used_and_every_used_text_exists(language: str) -> None:
    """No key is missing when it is needed, and none is left over."""
    texts = set(LANGUAGES[language].TEXTS)
    made = {f"error-{code}" for code in JOB_ERRORS} | {f"picture-{code}" for code in PICTURE_ERRORS}
    made |= {f"keyword-{code}" for code in KEYWORD_PROBLEMS} | {f"menu-{name}" for name in handlers.MENU}
    made |= {"option-seed", "option-n", "train-done", "train-cancelled", "draw-cancelled"}
    assert made <= texts
    assert texts - made <= keys_in_code()


def test_every_menu_entry_is_a_command() -> None:
    """The app's menu offers nothing that the bot does not know, with texts that Telegram takes."""
    commands = {route.name for route in handlers.ROUTES if isinstance(route, Command)}
    assert set(handlers.MENU) <= commands
    for name in handlers.MENU:
        assert 1 <= len(Words("en").plain(f"menu-{name}")) <= 256


def test_tags_are_those_that_telegram_knows_and_closed() -> None:
    """One unclosed tag makes Telegram refuse the whole message."""
    for key, text in LANGUAGES["en"].TEXTS.items():
        tags = re.findall(r"<(/?)(\w+)", text)
        assert {name for _, name in tags} <= {"b", "i", "code", "a"}, key
        opened = [name for slash, name in tags if not slash]
        assert sorted(opened) == sorted(name for slash, name in tags if slash), key


def test_values_cannot_become_markup() -> None:
    """A name like <b> is shown, not obeyed; only what the bot itself has made as HTML passes."""
    words = Words("en")
    assert "&lt;b&gt;&amp;" in words("sample-called", number=1, caption="<b>&")
    assert "<b>" in words("cancel-draw", prompt=Html("<b>"), cfg="5")
    assert words.plain("cancel-draw", prompt="<b>&", cfg="5") == "<b>& · CFG 5"
    assert "{n}" in words("cancel-draw", prompt="{n}", cfg="5")


@pytest.mark.parametrize(
    ("n", "told"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (22, "22nd")]
)
def test_ranks(n: int, told: str) -> None:
    """English ranks."""
    assert f"You are {told} in line" in Words("en")("queue-place", place=n, about=Html(""))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.2, "5 seconds"), (41, "45 seconds"), (60, "1 minute"), (350, "6 minutes"), (7200, "2 hours")],
)
def test_durations(seconds: float, told: str) -> None:
    """Times are as exact as people need them."""
    assert Words("en").duration(seconds) == told


def test_an_unknown_language_is_english() -> None:
    """Nobody gets keys instead of texts."""
    assert Words("tlh")("cancelled") == Words("en-GB")("cancelled") == "Cancelled."


def test_clipping() -> None:
    """A clipped text is no longer than asked for and shows that it was cut."""
    assert clip("short", 10) == "short"
    assert clip("a" * 50, 10) == "a" * 9 + "…"
