"""Pictures that were sent together: every picture of an album, and the captions that came with it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from bot.store import Store
from bot.tables.samples import CaptionOrigin, _origin

MOMENT_SECONDS = 5.0  # albums that were sent within this time are parts of one


@dataclass(frozen=True, kw_only=True)
class AlbumItem:
    """One picture of an album, in the order sent. ``sample`` is None if the picture was refused."""

    message_id: int
    album: str
    caption: str | None = field(repr=False)
    sample: int | None
    caption_from: CaptionOrigin | None


async def forget_album_caption(store: Store, id: int) -> None:
    """Take back a caption that came from an album's lines."""
    await store.change(
        "UPDATE sample SET caption = NULL, caption_original = NULL, caption_unknown = '', caption_from = NULL,"
        " refused_tokens = NULL WHERE id = ? AND caption_from = 'album'",
        id,
    )


async def add_album_item(
    store: Store, person: int, message_id: int, album: str, caption: str | None, sent_at: float
) -> None:
    """Count a picture of an album, before it is known whether it can be used. An edit changes its caption."""
    await store.change(
        "INSERT INTO album_item (person, message_id, album, caption, sent_at) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (person, message_id) DO UPDATE SET caption = excluded.caption",
        person,
        message_id,
        album,
        caption,
        sent_at,
    )


async def albums_near(store: Store, person: int, album: str) -> Sequence[AlbumItem]:
    """The pictures of an album, and of those sent in the same moment, that have arrived, in the order sent."""
    rows = await store.rows(
        "SELECT item.message_id, item.album, item.caption, own.id AS sample, own.caption_from"
        " FROM album_item AS item"
        " LEFT JOIN (SELECT sample.* FROM sample JOIN style ON style.id = style WHERE person = ?1) AS own"
        " ON own.message_id = item.message_id"
        " WHERE person = ?1 AND (item.album = ?2 OR item.sent_at BETWEEN"
        " (SELECT min(sent_at) - ?3 FROM album_item WHERE person = ?1 AND album = ?2 AND sent_at > 0) AND"
        " (SELECT max(sent_at) + ?3 FROM album_item WHERE person = ?1 AND album = ?2))"
        " ORDER BY item.message_id",
        person,
        album,
        MOMENT_SECONDS,
    )
    return [AlbumItem(**dict(row) | {"caption_from": _origin(row)}) for row in rows]


async def of_messages(store: Store, person: int, message_ids: Iterable[int]) -> list[str]:
    """The albums that these messages of a person are pictures of."""
    query = "SELECT album FROM album_item WHERE person = ? AND message_id = ?"
    rows = [await store.row(query, person, id) for id in message_ids]
    return list(dict.fromkeys(row["album"] for row in rows if row is not None))
