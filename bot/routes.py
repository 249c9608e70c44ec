"""What a handler can be registered for: a command, a button, or a kind of message."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from telegram import Update
from telegram.ext.filters import BaseFilter

from bot.command_words import command_named
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
class AnyCommand:
    """A command that nothing else has taken."""

    handler: Handler
    admins_only: bool = False

    def matches(self, update: Update) -> bool:
        """Whether the message begins like a command."""
        return command_of(update) is not None


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
    """A text, not a command, that ``form`` says yes to; with ``alone``, only one that replies to nothing."""

    form: Callable[[str], bool]
    handler: Handler
    admins_only: bool = False
    alone: bool = False

    def matches(self, update: Update) -> bool:
        """Whether it is a new text of this form."""
        message = update.message
        if message is None or message.text is None or (self.alone and message.reply_to_message is not None):
            return False
        return command_of(update) is None and self.form(message.text)


Route = Command | AnyCommand | Press | Edited | Reply | Text | Kind


def command_of(update: Update) -> str | None:
    """The command that a message, or its caption, is, without slash and bot; None for any other update."""
    message = update.message
    return command_in((message.text or message.caption if message else None) or "")


def command_in(text: str) -> str | None:
    """The command that a text is, without slash and bot; of a command in another language the Latin name."""
    found = re.match(r"/(\w+)(@\w+)?(\s|$)", text)
    return command_named(found[1]) if found else None


def is_for(text: str, username: str) -> bool:
    """Whether a command names no other bot than this."""
    found = re.match(r"/\w+@(\w+)", text)
    return found is None or found[1].lower() == username.lower()
