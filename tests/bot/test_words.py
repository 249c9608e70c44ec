"""All that the bot says exists, is valid for Telegram, and keeps people's words apart from markup."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

from bot import handlers, progress, sticker_buttons, sticker_options
from bot.locales import LANGUAGES
from bot.routes import Command
from bot.tables.pack_changes import ChangeKind
from bot.words import Html, Language, Words, clip
from lora.adapters import layer_names
from lora.data.pictures import PICTURE_ERRORS
from lora.data.zip_folder import ZIP_ERRORS
from lora.jobs import JOB_ERRORS, DrawOptions

BOT = Path(__file__).parents[2] / "bot"
COUNTS = (0, 1, 2, 5, 11, 12, 21, 22, 25, 101, 111, 112)
# Texts that are the same in every language: names, numbers and marks.
UNTRANSLATED = {"button-cfg", "cancel-draw", "draw-bar", "sample-line", "style-line"}
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
    made |= {f"zip-{code}" for code in ZIP_ERRORS}
    made |= {f"adapter-{reason}" for reason in layer_names.REASONS}
    made |= {f"keyword-{code}" for code in KEYWORD_PROBLEMS} | {f"menu-{name}" for name in handlers.MENU}
    made |= {"option-n", "train-done", "train-cancelled", "draw-cancelled", "cutout-cancelled"}
    made |= {f"option-{name}" for name in sticker_options.KNOWN}
    made |= {f"button-cfg-{name}" for name in sticker_buttons.SWEEP}
    made |= {f"button-strength-{name}" for name in sticker_buttons.STRENGTHS}
    made |= {f"{what}-outline-{name}" for name in progress.OUTLINES for what in ("button", "cut")}
    made |= {f"cut-{name}" for name in sticker_buttons.CUTOUTS if name != DrawOptions.cutout}
    made |= {f"button-cutout-{name}" for name in sticker_buttons.CUTOUTS}
    made |= {f"pack-what-{kind}" for kind in ChangeKind if kind != ChangeKind.DROP}
    assert made <= texts
    assert texts - made <= keys_in_code()


def test_every_menu_entry_is_a_command() -> None:
    """The app's menu offers nothing that the bot does not know."""
    commands = {route.name for route in handlers.ROUTES if isinstance(route, Command)}
    assert set(handlers.MENU) <= commands


@pytest.mark.parametrize("language", LANGUAGES)
def test_tags_are_those_that_telegram_knows_and_closed(language: str) -> None:
    """One unclosed tag makes Telegram refuse the whole message. A tag that spans lines could lose its end."""
    for key, text in LANGUAGES[language].TEXTS.items():
        for line in text.split("\n"):
            opened: list[str] = []
            for slash, name in re.findall(r"<(/?)(\w+)", line):
                assert name in {"b", "i", "code", "a"}, key
                if slash:
                    assert opened.pop() == name, key
                else:
                    opened.append(name)
            assert not opened, key
        assert not re.search(r"&(?!lt;|gt;|amp;|quot;)", text), key


def fields(text: str) -> dict[str, str]:
    """The values that a text names, each with its format."""
    return {name: form or "" for _, name, form, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("language", LANGUAGES)
def test_languages_say_the_same(language: str) -> None:
    """The same keys, in them the same values, commands, options and tags, and nothing that was left in English."""
    ours, english = LANGUAGES[language].TEXTS, LANGUAGES["en"].TEXTS
    assert list(ours) == list(english)
    for key, text in ours.items():
        assert set(fields(text)) == set(fields(english[key])), key
        for what in (r"(?<![\w<])/[a-z]+", r"--(?:cfg|seed|n)\b", r"<code>"):
            assert sorted(set(re.findall(what, text))) == sorted(set(re.findall(what, english[key]))), key
        if language != "en":
            assert (text == english[key]) == (key in UNTRANSLATED), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_count_has_all_forms_of_its_language(language: str) -> None:
    """Each text can be filled in with every number, and uses as many forms as the language has."""
    forms = Language.of(language).plural_forms
    for key, text in LANGUAGES[language].TEXTS.items():
        counted = {name: form for name, form in fields(text).items() if form}
        for form in counted.values():
            assert form == "ordinal" or len(form.split("|")) == forms, key
        for n in COUNTS if counted else (1,):
            values = {name: n if name in counted else Html("x") for name in fields(text)}
            told = Words(language)(key, **values)
            assert not re.search(r"[{}|]", told), key


@pytest.mark.parametrize("language", LANGUAGES)
def test_telegram_takes_menu_and_descriptions(language: str) -> None:
    """Telegram's limits of length, and of a small notice that answers a press."""
    words = Words(language)
    assert len(words.plain("description")) <= 512
    assert len(words.plain("short-description")) <= 120
    for name in handlers.MENU:
        assert 1 <= len(words.plain(f"menu-{name}")) <= 256
    for key in LANGUAGES[language].TEXTS:
        if key.startswith("notice-"):
            assert len(words.plain(key)) <= 200


@pytest.mark.parametrize(
    ("n", "told"),
    [
        (1, "1 картинка"),
        (2, "2 картинки"),
        (4, "4 картинки"),
        (5, "5 картинок"),
        (0, "0 картинок"),
        (11, "11 картинок"),
        (12, "12 картинок"),
        (14, "14 картинок"),
        (21, "21 картинка"),
        (22, "22 картинки"),
        (101, "101 картинка"),
        (111, "111 картинок"),
        (1002, "1002 картинки"),
    ],
)
def test_russian_plurals(n: int, told: str) -> None:
    """By the last two digits."""
    assert Words("ru-RU")("samples-page", keyword="x", n=n) == f"<b>x</b>, {told}"


def test_dates_and_numbers_as_the_language_writes_them() -> None:
    """In UTC; a number that a text names has the decimal mark."""
    assert [Words(code).date(0.0) for code in ("en", "ru")] == ["1970-01-01 00:00", "01.01.1970 00:00"]
    told = Words("ru")("admin-disk-95", share=96, used=9.6, budget=10.0)
    assert "9,6 из 10 ГБ" in told


def test_russian_counts_in_whole_sentences() -> None:
    """Verbs and cases agree with the number, too."""
    words = Words("ru")
    assert words("caption-next", number=3, n=1) == "А что на картинке 3? (1 картинка ждёт слов)"
    assert words("caption-next", number=3, n=2) == "А что на картинке 3? (2 картинки ждут слов)"
    assert words("too-few-samples", n=1, min=5, least=20, most=50).startswith("1 картинки мне мало")
    assert words("too-few-samples", n=2, min=5, least=20, most=50).startswith("2 картинок мне мало")
    assert words("pictures-refused", n=1, reason="x") == "Не взял 1 картинку. x"
    assert words("button-checkpoint", step=121) == "после 121 шага"
    assert words("pack-names-refused", n=2).count("2 стикера в него не попали") == 1
    assert words("queue-place", place=3, about=Html("")) == "3-е место в очереди."


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.2, "5 секунд"),
        (41, "45 секунд"),
        (60, "1 минута"),
        (121, "2 минуты"),
        (350, "6 минут"),
        (7200, "2 часа"),
    ],
)
def test_russian_durations(seconds: float, told: str) -> None:
    """The same times as in English."""
    assert Words("ru").duration(seconds) == told


def test_numbers_have_the_decimal_mark_of_the_language() -> None:
    """Without a trailing zero, or with as many digits as asked for."""
    assert (Words("en").number(2.5), Words("ru").number(2.5)) == ("2.5", "2,5")
    assert (Words("en").number(5.0), Words("ru").number(0.1234, 3)) == ("5", "0,123")


def test_values_cannot_become_markup() -> None:
    """A value like <b> is shown as text; only HTML that the bot itself has made is used as markup."""
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
    """An unknown language code gets English texts, not their keys."""
    assert Words("tlh")("cancelled") == Words("en-GB")("cancelled") == "Cancelled."
    assert Words("uk")("cancelled") == Words("")("cancelled") == "Cancelled."
    assert Words("RU_ru")("cancelled") == "Отменено."


def test_clipping() -> None:
    """A clipped text is no longer than asked for and shows that it was cut."""
    assert clip("short", 10) == "short"
    assert clip("a" * 50, 10) == "a" * 9 + "…"
