"""The bot's token, in a wrapper that no log, error or repr shows, and log lines without it."""

from __future__ import annotations

import copy
import json
import logging
import os
import re
import sqlite3
import traceback
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType

from telegram.error import TelegramError

from bot.errors import ConfigError, UserError

VARIABLE = "TELEGRAM_BOT_TOKEN"

MISSING = f"""\
Stickersmith needs the token of a Telegram bot in {VARIABLE}, and there is none.

  To see it work now, without Telegram:   make demo
  To run it on Telegram:
    1. In Telegram, write /newbot to @BotFather and follow him; he answers with a token.
    2. {VARIABLE}=<that token> make run
"""

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]

# Errors whose texts come from programs, not from people. ValueError and KeyError quote what they stumble on.
_PLAIN = (OSError, sqlite3.Error, TelegramError, ConfigError, UserError, MemoryError, RecursionError)

_QUOTED = re.compile(r"\".*\"|(?<!\w)'.*'", re.DOTALL)  # not the sign in can't


@dataclass(frozen=True)
class Token:
    """A bot's token. Only ``reveal()`` gives it; formatting, comparing and logging do not."""

    _text: str = field(repr=False)

    def reveal(self) -> str:
        """The token itself, for the one call that needs it."""
        return self._text

    def __str__(self) -> str:
        return "<token>"


def take_token() -> Token:
    """The token from the environment, where it is removed so that no child process inherits it."""
    text = os.environ.pop(VARIABLE, "").strip()
    if not text:
        raise ConfigError(MISSING)
    if not re.fullmatch(r"[0-9]+:[A-Za-z0-9_-]+", text):
        raise ConfigError(f"{VARIABLE} is no token: @BotFather's look like 123456789:AAbbCC_dd-ee")
    return Token(text)


class Scrubbed(logging.Formatter):
    """Log lines without the token, in any encoding of URLs, and without the words of people.

    HTTP errors hold URLs with the token. Errors of other modules may quote what they stumbled on: of those
    only the kind and the lines of code are logged.
    """

    def __init__(self, token: Token) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._token = _in_any_encoding(token.reveal())

    def format(self, record: logging.LogRecord) -> str:
        """The formatted record, its traceback included."""
        return self._token.sub("<token>", self.text(_clean(record)))

    def text(self, record: logging.LogRecord) -> str:
        """A cleaned record as a line, which may still hold the token."""
        return super().format(record)

    def formatException(self, ei: ExcInfo) -> str:
        """The traceback of an error and of its causes."""
        error = ei[1]
        parts: list[str] = []
        seen: set[int] = set()
        while error is not None and id(error) not in seen:
            seen.add(id(error))
            text = f": {_unquoted(error)}" if isinstance(error, _PLAIN) else ""
            frames = "".join(traceback.format_tb(error.__traceback__))
            parts.append(f"Traceback (most recent call last):\n{frames}{type(error).__qualname__}{text}")
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\nwhich came from:\n".join(parts)


class ScrubbedJson(Scrubbed):
    """The same as one JSON object a line, for programs that collect logs."""

    def text(self, record: logging.LogRecord) -> str:
        """A cleaned record as JSON: time (ISO 8601, UTC), level, logger, message, error with its traceback."""
        at = datetime.fromtimestamp(record.created, UTC)
        fields = {
            "time": at.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            fields["error"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False)


FORMATS = {"text": Scrubbed, "json": ScrubbedJson}


def _clean(record: logging.LogRecord) -> logging.LogRecord:
    """A copy without what other handlers or asyncio have put into it, and without what Telegram's errors quote."""
    record = copy.copy(record)  # other handlers get it as it was
    if isinstance(record.args, tuple):
        record.args = tuple(_unquoted(arg) if isinstance(arg, TelegramError) else arg for arg in record.args)
    record.exc_text = None  # what another handler may have formatted
    if record.name == "asyncio":  # behind its first line it shows tasks with their errors
        record.msg, record.args = record.getMessage().partition("\n")[0], None
    return record


def _in_any_encoding(token: str) -> re.Pattern[str]:
    """Each character as it is or percent-encoded, once or twice; the secret half also without its id."""
    id, _, secret = token.partition(":")
    letters = "".join(f"(?:{re.escape(c)}|%(?:25)?{ord(c):02x})" for c in secret)
    return re.compile(rf"(?:{id}(?::|%(?:25)?3a))?{letters}", re.IGNORECASE)


def _unquoted(error: BaseException) -> str:
    """An error's text. What Telegram quotes in it, such as a tag that it cannot parse, may be a person's words."""
    return _QUOTED.sub('"…"', str(error)) if isinstance(error, TelegramError) else str(error)
