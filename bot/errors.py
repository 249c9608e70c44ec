"""Errors that name their reader: a person who chats, or the operator. Anything else is for the log."""

from __future__ import annotations

Buttons = list[list[tuple[str, str]]]  # rows of (label, callback data or link)


class UserError(Exception):
    """The person can do something about it. ``key`` names a text of the locales, ``params`` fill it in.

    ``buttons`` are shown with it. The exception's own text holds only the key, because it may reach a log.
    """

    def __init__(self, key: str, *, buttons: Buttons | None = None, **params: object) -> None:
        super().__init__(key)
        self.key = key
        self.buttons = buttons
        self.params = params


class KeepForLater(Exception):
    """The update stays in the inbox until its person has a style (``inbox.release``)."""


class ConfigError(Exception):
    """The operator's settings are wrong; the message names the key, the value and what is allowed."""
