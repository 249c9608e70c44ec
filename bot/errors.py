"""Errors named for who reads them, and the token kept out of all of them."""

from __future__ import annotations


class UserError(Exception):
    """Something the person can mend. ``key`` and ``params`` name a text in ``locales/``."""

    def __init__(self, key: str, **params: object) -> None:
        super().__init__(key)
        self.key = key
        self.params = params


class ConfigError(Exception):
    """Something the operator can mend: which setting, its value, what is allowed."""


class Token:
    """The bot's token. It shows itself only when asked for by name."""

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The token itself, for the one place that talks to Telegram."""
        return self._value

    def scrub(self, text: str) -> str:
        """``text`` without the token: the Bot API has it in every address."""
        return text.replace(self._value, "<token>") if self._value else text

    def __repr__(self) -> str:
        return "Token(<hidden>)"

    __str__ = __repr__
