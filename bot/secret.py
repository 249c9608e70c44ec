"""The bot's token, in a wrapper that no log, error or repr shows, and a log that would not either."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass, field

from bot.errors import ConfigError

VARIABLE = "TELEGRAM_BOT_TOKEN"

MISSING = f"""\
Stickersmith needs the token of a Telegram bot in {VARIABLE}, and there is none.

  To see it work now, without Telegram:   make demo
  To run it on Telegram:
    1. In Telegram, write /newbot to @BotFather and follow him; he answers with a token.
    2. {VARIABLE}=<that token> make run
"""


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
    """Log lines without the token, wherever it came from: HTTP errors hold URLs that contain it."""

    def __init__(self, token: Token) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._token = token

    def format(self, record: logging.LogRecord) -> str:
        """The formatted record, its traceback included."""
        return super().format(record).replace(self._token.reveal(), "<token>")
