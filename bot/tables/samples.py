"""Samples: the pictures of a style with their captions."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from bot.store import Store


class CaptionOrigin(StrEnum):
    """Where a sample's caption comes from."""

    DRAFT = "draft"  # made from the sticker's emoji
    ALBUM = "album"  # from the words on an album: may change while its other pictures arrive
    PERSON = "person"  # written for this picture by the person


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One picture. ``number`` is its place in the style, as people see it, counted from 1."""

    id: int
    person: int
    style: int
    number: int
    file_unique_id: str
    blob: str
    kind: str  # sticker | photo | file
    message_id: int
    sent_at: float
    answer_id: int | None
    caption: str | None = field(repr=False)
    caption_original: str | None = field(default=None, repr=False)
    caption_unknown: str = field(default="", repr=False)
    caption_from: CaptionOrigin | None
    captioned_by: int | None
    refused_tokens: int | None
    pack: str | None = None  # the name of the sticker set that it is from
    emoji: str = field(default="", repr=False)  # the sticker's
    bytes: int | None = None


async def add(
    store: Store,
    *,
    style: int,
    file_unique_id: str,
    blob: str,
    kind: str,
    message_id: int,
    sent_at: float,
    draft: str | None,
    answer_id: int | None = None,
    pack: str | None = None,
    emoji: str = "",
    bytes: int | None = None,
) -> int:
    """Store a picture, with a drafted caption if there is one; gives its id.

    ``answer_id`` is the bot's message that tells of it already.
    """
    row = await store.row(
        "INSERT INTO sample (style, file_unique_id, blob, kind, message_id, sent_at, answer_id, pack, emoji,"
        " caption, caption_from, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        style,
        file_unique_id,
        blob,
        kind,
        message_id,
        sent_at,
        answer_id,
        pack,
        emoji,
        draft,
        CaptionOrigin.DRAFT if draft else None,
        bytes,
    )
    assert row is not None
    return int(row["id"])


async def give_file(store: Store, id: int, *, file_unique_id: str, blob: str, kind: str, bytes: int) -> None:
    """Give a sample another file of the same picture; number and caption stay."""
    await store.change(
        "UPDATE sample SET file_unique_id = ?, blob = ?, kind = ?, bytes = ? WHERE id = ?",
        file_unique_id,
        blob,
        kind,
        bytes,
        id,
    )


async def of_style(store: Store, style: int) -> list[Sample]:
    """All samples of a style in order."""
    rows = await store.rows("SELECT * FROM numbered_sample WHERE style = ? ORDER BY id", style)
    return [_sample(row) for row in rows]


async def same_file(store: Store, style: int, file_unique_id: str) -> Sample | None:
    """The style's sample that is this file already."""
    row = await store.row(
        "SELECT * FROM numbered_sample WHERE style = ? AND file_unique_id = ?", style, file_unique_id
    )
    return None if row is None else _sample(row)


async def by_message(store: Store, person: int, message_id: int) -> list[Sample]:
    """The samples that a message is about: the person's picture itself, or the bot's words on it."""
    rows = await store.rows(
        "SELECT * FROM numbered_sample WHERE person = ?1 AND (message_id = ?2 OR answer_id = ?2) ORDER BY id",
        person,
        message_id,
    )
    return [_sample(row) for row in rows]


async def by_id(store: Store, person: int, id: int) -> Sample | None:
    """A person's sample; None if it is gone."""
    row = await store.row("SELECT * FROM numbered_sample WHERE person = ? AND id = ?", person, id)
    return None if row is None else _sample(row)


async def unreported(store: Store, person: int) -> list[Sample]:
    """A person's samples that no message of the bot is about yet."""
    rows = await store.rows(
        "SELECT * FROM numbered_sample WHERE person = ? AND answer_id IS NULL ORDER BY id",
        person,
    )
    return [_sample(row) for row in rows]


async def people_to_answer(store: Store) -> list[int]:
    """Who has samples that no message of the bot is about yet."""
    rows = await store.rows(
        "SELECT DISTINCT person FROM sample JOIN style ON style.id = style WHERE answer_id IS NULL"
    )
    return [row[0] for row in rows]


async def report(store: Store, ids: Iterable[int], message_id: int) -> None:
    """Remember the message of the bot that is about these samples."""
    await store.change_many("UPDATE sample SET answer_id = ? WHERE id = ?", [(message_id, id) for id in ids])


async def caption(
    store: Store,
    id: int,
    text: str,
    origin: CaptionOrigin,
    *,
    original: str | None = None,
    unknown: str = "",
    message_id: int | None = None,
) -> None:
    """Store a caption that has been checked, what was written if it was not English, and the message that gave it."""
    await store.change(
        "UPDATE sample SET caption = ?, caption_original = ?, caption_unknown = ?, caption_from = ?,"
        " captioned_by = ?, refused_tokens = NULL WHERE id = ?",
        text,
        original,
        unknown,
        origin,
        message_id,
        id,
    )


async def reword(store: Store, id: int, caption: str) -> None:
    """Change the words of a caption and nothing else about it."""
    await store.change("UPDATE sample SET caption = ? WHERE id = ?", caption, id)


async def captioned_by(store: Store, person: int, message_id: int) -> list[Sample]:
    """The samples that a message has captioned already."""
    rows = await store.rows(
        "SELECT * FROM numbered_sample WHERE person = ? AND captioned_by = ? ORDER BY id",
        person,
        message_id,
    )
    return [_sample(row) for row in rows]


async def refuse_caption(store: Store, id: int, tokens: int) -> None:
    """Remember that a caption of ``tokens`` was too long; the one before, if any, stays."""
    await store.change("UPDATE sample SET refused_tokens = ? WHERE id = ?", tokens, id)


async def keep_drafts(store: Store, style: int) -> int:
    """Mark the drafted captions as the person's own; gives how many there were."""
    return await store.change(
        "UPDATE sample SET caption_from = 'person' WHERE style = ? AND caption_from = 'draft'", style
    )


def _sample(row: sqlite3.Row) -> Sample:
    return Sample(**dict(row) | {"caption_from": _origin(row)})


def _origin(row: sqlite3.Row) -> CaptionOrigin | None:
    return None if row["caption_from"] is None else CaptionOrigin(row["caption_from"])
