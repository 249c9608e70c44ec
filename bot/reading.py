"""One stored update to python-telegram-bot's object, and whose it is. Nothing here trusts its content."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from telegram import Bot, Message, Update

from lora.data.visible import visible

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Author:
    """Who has made an update. ``private``: in their chat with the bot."""

    id: int
    username: str | None = field(repr=False)
    language: str
    private: bool


FILES = frozenset(
    ["animation", "audio", "document", "paid_media", "photo", "sticker", "video", "video_note", "voice"]
)
FILE_FIELDS = {  # what handlers read of a document, photo or sticker; the library makes texts of the ids
    "file_size": int | None,
    "file_name": str | None,
    "mime_type": str | None,
    "emoji": str | None,
    "set_name": str | None,
}
MAX_ID = 2**63 - 1  # the largest number that SQLite stores


def read(body: str, bot: Bot | None) -> Update | None:
    """The update in a JSON text; None if the library cannot read it or its parts are of wrong types."""
    try:
        update = Update.de_json(_readable(json.loads(body)), bot)
        _check(update)
    except Exception:  # the library raises whatever its own code stumbles on
        return None
    return update


def owner(update: Json) -> int:
    """Whose updates this one stays in order with: a group's, else the person's; 0 where neither is known."""
    for part in update.values():
        if not isinstance(part, dict):
            continue
        about = part.get("message") if "message" in part else part
        chat = _id(about.get("chat")) if isinstance(about, dict) else None
        if chat is not None and chat < 0:
            return chat
        if (person := _id(part.get("from"))) is not None:
            return person
        if chat is not None:
            return chat
    return 0


def author(update: Json) -> Author | None:
    """Who has made an update; None where Telegram names nobody, as for a channel's post."""
    for part in update.values():
        user = (part.get("from") or part.get("user")) if isinstance(part, dict) else None
        if not isinstance(user, dict) or (id := _id(user)) is None:
            continue
        username, language = user.get("username"), user.get("language_code")
        return Author(
            id=id,
            username=username if isinstance(username, str) else None,
            language=language if isinstance(language, str) else "en",
            private=isinstance(part.get("chat"), dict) and _id(part["chat"]) == id,
        )
    return None


def has_file(update: Json) -> bool:
    """Whether it is a new message with a file: a picture, a sticker, a document, a video or the like."""
    message = update.get("message")
    return isinstance(message, dict) and not FILES.isdisjoint(message)


def _id(part: object) -> int | None:
    id = part.get("id") if isinstance(part, dict) else None
    return id if _is_id(id) else None


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < MAX_ID


def _check(update: Update) -> None:
    """Raise TypeError unless what handlers read first has the documented types. The library checks none."""
    chat, user, message = update.effective_chat, update.effective_user, update.effective_message
    if chat is not None and not _is_id(chat.id):
        raise TypeError("chat")
    if user is not None:
        good = _is_id(user.id) and isinstance(user.first_name, str)
        texts = (user.username, user.language_code)
        if not good or not all(isinstance(text, str | None) for text in texts):
            raise TypeError("user")
    if isinstance(message, Message):
        _check_message(message)
    query = update.callback_query
    if query is not None and not (isinstance(query.id, str) and isinstance(query.data, str | None)):
        raise TypeError("callback query")
    asked = update.inline_query
    if user is None and (query is not None or asked is not None):
        raise TypeError("a query of nobody")
    if asked is not None and not all(isinstance(text, str) for text in (asked.id, asked.query, asked.offset)):
        raise TypeError("inline query")


def _check_message(message: Message) -> None:
    """Raise TypeError unless date, texts, file and the message that it replies to have the documented types."""
    texts = (message.text, message.caption, message.media_group_id)
    if not _is_id(message.message_id) or not all(isinstance(text, str | None) for text in texts):
        raise TypeError("message")
    if not isinstance(message.date, datetime):
        raise TypeError("date")
    for file in filter(None, (message.document, message.sticker, *message.photo)):
        for name, type in FILE_FIELDS.items():
            if hasattr(file, name) and not isinstance(getattr(file, name), type):
                raise TypeError(name)
    if message.reply_to_message is not None:
        _check_message(message.reply_to_message)


def _readable(value: Any) -> Any:
    """The same with a question mark for each half of a pair, which is no text that can be stored.

    Characters that nobody sees are left out: offsets of entities, which nothing here reads, may be wrong then.
    """
    if isinstance(value, str):
        return visible(value if value.isascii() else value.encode("utf-8", "replace").decode())
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if isinstance(value, dict):
        return {key: _readable(item) for key, item in value.items()}
    return value
