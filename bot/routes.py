"""What a handler can be registered for: a command, a button, or a kind of message."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from telegram import Update
from telegram.ext.filters import BaseFilter

from bot.context import Context

Handler = Callable[[Context], Awaitable[None]]


@dataclass(frozen=True)
class Command:
    """``/name``, also as ``/name@bot``."""

    name: str
    handler: Handler
    admins_only: bool = False

    def matches(self, update: Update) -> bool:
        """Whether the message is this command."""
        return command_of(update) == self.name


@dataclass(frozen=True)
class Press:
    """A button whose data is ``name:`` and then exactly ``data``, a regular expression: by default an id.

    Data that no button of ours has ever had matches nothing, so handlers can rely on its form.
    """

    name: str
    handler: Handler
    data: str = r"\d{1,15}"
    admins_only: bool = False

    def matches(self, update: Update) -> bool:
        """Whether it is one of these buttons that was pressed."""
        query = update.callback_query
        return query is not None and bool(
            re.fullmatch(f"{self.name}:(?:{self.data})", query.data or "", re.A)
        )


@dataclass(frozen=True)
class Edited:
    """A message that its person has changed; with ``command``, only one that is this command now."""

    handler: Handler
    command: str | None = None
    admins_only: bool = False

    def matches(self, update: Update) -> bool:
        """Whether it is the news of such a change."""
        message = update.edited_message
        if message is None:
            return False
        return self.command is None or command_in(message.text or message.caption or "") == self.command


@dataclass(frozen=True)
class Reply:
    """A text that replies to a bot."""

    handler: Handler
    admins_only: bool = False

    def matches(self, update: Update) -> bool:
        """Whether it is such a text, and no command."""
        message = update.message
        replied = message.reply_to_message if message else None
        if message is None or replied is None or replied.from_user is None or not replied.from_user.is_bot:
            return False
        return bool(message.text) and command_in(message.text or "") is None


@dataclass(frozen=True)
class Kind:
    """Any message that passes a filter of python-telegram-bot."""

    filter: BaseFilter
    handler: Handler
    admins_only: bool = False

    def matches(self, update: Update) -> bool:
        """Whether the filter lets the message through."""
        return update.message is not None and bool(self.filter.check_update(update))


@dataclass(frozen=True)
class Text:
    """A text, not a command, that ``form`` says yes to."""

    form: Callable[[str], bool]
    handler: Handler
    admins_only: bool = False

    def matches(self, update: Update) -> bool:
        """Whether it is a new text of this form."""
        text = update.message.text if update.message else None
        return text is not None and command_of(update) is None and self.form(text)


Route = Command | Press | Edited | Reply | Text | Kind


def command_of(update: Update) -> str | None:
    """The command that a message, or its caption, is, without slash and bot; None for any other update."""
    message = update.message
    return command_in((message.text or message.caption if message else None) or "")


def command_in(text: str) -> str | None:
    """The command that a text is, without slash and bot."""
    found = re.match(r"/([A-Za-z0-9_]+)(@\w+)?(\s|$)", text)
    return found[1].lower() if found else None


def is_for(text: str, username: str) -> bool:
    """Whether a command names no other bot than this."""
    found = re.match(r"/[A-Za-z0-9_]+@(\w+)", text)
    return found is None or found[1].lower() == username.lower()
