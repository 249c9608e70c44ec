"""What the bot has asked people: the next text is the answer, or one that replies to the question."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from bot.store import Store

ANSWER_SECONDS = 3600.0  # later texts are no answers, unless they reply to the question
_ENDED = 0  # in place of an answer: only a reply is one


@dataclass(frozen=True, kw_only=True)
class Question:
    """``kind`` is a key of ``bot.handlers.answers.KINDS``; ``id`` that of the row that the question is about, or 0."""

    person: int
    chat: int
    message_id: int
    kind: str
    id: int
    view: int | None  # the bot's message that shows the pack
    at: float  # seconds since 1970
    answer: int | None  # the message that answered


async def put(
    store: Store, person: int, chat: int, message_id: int, kind: str, id: int, view: int | None = None
) -> None:
    """The bot has asked in this message; an older question is not waited for any more."""
    async with store.transaction():
        await end(store, person)
        await store.change(
            "REPLACE INTO question (person, chat, message_id, kind, id, view, at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            *(person, chat, message_id, kind, id, view, time.time()),
        )


async def of_message(store: Store, person: int, chat: int, message_id: int) -> Question | None:
    """The question that a message of the bot asks this person."""
    query = "SELECT * FROM question WHERE person = ? AND chat = ? AND message_id = ?"
    return _question(await store.row(query, person, chat, message_id))


async def answered_by(store: Store, person: int, chat: int, message_id: int) -> Question | None:
    """The question that a message has answered before, when it was worked on and the bot was killed."""
    query = "SELECT * FROM question WHERE person = ? AND chat = ? AND answer = ?"
    return _question(await store.row(query, person, chat, message_id))


async def waiting(store: Store, person: int) -> Question | None:
    """The question in the private chat that the next text answers."""
    query = "SELECT * FROM question WHERE person = ?1 AND chat = ?1 AND answer IS NULL AND at > ?2"
    return _question(await store.row(query, person, time.time() - ANSWER_SECONDS))


async def answer(store: Store, question: Question, message_id: int) -> None:
    """This message was the answer."""
    await store.change(
        "UPDATE question SET answer = ? WHERE person = ? AND chat = ? AND message_id = ?",
        *(message_id, question.person, question.chat, question.message_id),
    )


async def end(store: Store, person: int) -> Question | None:
    """The person does something else: their next text is no answer. Gives the question that was waited for."""
    found = await waiting(store, person)
    if found is not None:
        query = "UPDATE question SET answer = ? WHERE person = ? AND answer IS NULL"
        await store.change(query, _ENDED, person)
    return found


async def forget_old(store: Store, before: float) -> None:
    """Delete the questions from before then, in seconds since 1970."""
    await store.change("DELETE FROM question WHERE at < ?", before)


def _question(row: sqlite3.Row | None) -> Question | None:
    return None if row is None else Question(**dict(row))
