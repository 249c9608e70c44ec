"""Texts in the person's language. Values are escaped for HTML on the way in, so people's words stay words."""

from __future__ import annotations

import html
import itertools
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bot.errors import Buttons
from bot.locales import LANGUAGES
from lora.data.visible import visible


class Html(str):
    """A value that is HTML already."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Language:
    """One language: its texts by key, and its rules. A module of ``bot.locales`` has them in capitals or by name."""

    texts: Mapping[str, str]
    example_prompts: Mapping[str, str]  # English -> this language
    decimal_mark: str
    date_form: str  # for strftime
    plural_forms: int  # in each text that counts
    plural: Callable[[int, Sequence[str]], str]  # (number, forms) -> the right form
    ordinal: Callable[[int], str]

    @classmethod
    def of(cls, code: str) -> Language:
        """The language of a client's code such as "ru" or "pt-BR"; English if the bot does not speak it."""
        found = LANGUAGES.get(re.split("[-_]", code.lower())[0], LANGUAGES["en"])
        return cls(
            texts=found.TEXTS,
            example_prompts=found.EXAMPLE_PROMPTS,
            decimal_mark=found.DECIMAL_MARK,
            date_form=found.DATE_FORM,
            plural_forms=found.PLURAL_FORMS,
            plural=found.plural,
            ordinal=found.ordinal,
        )


class Words:
    """The texts of one language. ``words(key, name=value)`` is HTML, ``words.plain(...)`` is for buttons.

    ``example_prompt`` (English) is for the texts that give one; without it such a text raises KeyError.
    """

    def __init__(self, language: str = "en", *, example_prompt: str | None = None) -> None:
        self._language = Language.of(language)
        self._always: dict[str, object] = {}  # values that every text may use
        if example_prompt is not None:
            own = self._language.example_prompts.get(example_prompt, example_prompt)
            self._always["example_prompt"] = own

    def __call__(self, key: str, **values: object) -> str:
        """The text as HTML. ``bot.locales`` explains the form of texts."""
        return _Fill(self._language, escape=True).vformat(
            self._language.texts[key], (), self._always | values
        )

    def plain(self, key: str, **values: object) -> str:
        """The text where Telegram knows no HTML: buttons and answers to their presses."""
        return _Fill(self._language, escape=False).vformat(
            self._language.texts[key], (), self._always | values
        )

    def buttons(self, rows: Sequence[Sequence[tuple[str, str]]]) -> Buttons:
        """Rows of (key, callback data) with the keys' texts in their place."""
        return [[(self.plain(key), data) for key, data in row] for row in rows]

    def number(self, value: float, digits: int | None = None) -> str:
        """A number with the language's decimal mark: with so many digits behind it, or as few as possible."""
        shown = f"{value:g}" if digits is None else f"{value:.{digits}f}"
        return shown.replace(".", self._language.decimal_mark)

    def date(self, at: float) -> str:
        """A moment (seconds since 1970) in UTC, as the language writes it: day and time."""
        return datetime.fromtimestamp(at, UTC).strftime(self._language.date_form)

    def duration(self, seconds: float) -> str:
        """A time as people say it, rounded up: 40 seconds, 6 minutes, 2 hours."""
        if seconds < 55:
            return self("seconds", n=max(5, -int(-seconds // 5) * 5))
        if seconds < 90 * 60:
            return self("minutes", n=max(1, round(seconds / 60)))
        return self("hours", n=round(seconds / 3600))

    def relative(self, seconds: float) -> str:
        """When something will be: in 40 seconds, in 6 minutes, in 2 hours."""
        if seconds < 55:
            return self("in-seconds", n=max(5, -int(-seconds // 5) * 5))
        if seconds < 90 * 60:
            return self("in-minutes", n=max(1, round(seconds / 60)))
        return self("in-hours", n=round(seconds / 3600))


def clip(text: str, length: int = 200) -> str:
    """A text cut to a length that a message has room for."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def fitted(text: str, most: int = 4096) -> str:
    """HTML of at most ``most`` characters as Telegram counts them: without tags, in units of UTF-16.

    Whole lines are left out from the end; a tag of our texts never spans lines.
    """
    if 2 * len(text) <= most:  # a character is at most two units
        return text
    lines = text.split("\n")
    ends = list(itertools.accumulate(_length(line) + 1 for line in lines))  # with their line ends
    if ends[-1] - 1 > most and len(lines) > 1:
        fitting = sum(end < most for end in ends)  # leaves room for the sign that something is left out
        lines = [*lines[: max(1, fitting)], "…"]
    shown = "\n".join(lines)
    if _length(shown) <= most:
        return shown
    return html.escape(clip(html.unescape(re.sub(r"<[^>]*>", "", shown)), most // 2), quote=False)


def _length(text: str) -> int:
    """How long Telegram finds an HTML text."""
    return len(html.unescape(re.sub(r"<[^>]*>", "", text)).encode("utf-16-le")) // 2


class _Fill(string.Formatter):
    def __init__(self, language: Language, *, escape: bool) -> None:
        self._language = language
        self._escape = escape

    def format_field(self, value: Any, format_spec: str) -> str:
        if "|" in format_spec:
            return f"{value} {self._language.plural(value, format_spec.split('|'))}"
        if format_spec == "ordinal":
            return self._language.ordinal(value)
        if isinstance(value, float):
            return f"{value:g}".replace(".", self._language.decimal_mark)
        text = visible(format(value, format_spec))
        return text if isinstance(value, Html) or not self._escape else html.escape(text, quote=False)
