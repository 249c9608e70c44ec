"""The bot's record of packs: the stickers that Telegram showed in them last."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.store import Store
from bot.tables import pack_stickers

_SELECT = "SELECT pack_item.*, pack.person FROM pack_item JOIN pack ON pack.id = pack"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One sticker of a pack. ``number`` is the place that people see, counted from 1."""

    id: int
    person: int
    pack: int
    unique_id: str
    file_id: str
    position: int
    emoji: list[str]
    keywords: list[str] | None = field(repr=False)  # None = not known
    sticker: int | None  # the row of pack_sticker that added it, if the bot did
    blob: str | None

    @property
    def number(self) -> int:
        """Its place for people."""
        return self.position + 1


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A sticker as getStickerSet shows it."""

    unique_id: str
    file_id: str
    emoji: str


async def of_pack(store: Store, pack: int) -> list[Item]:
    """A pack's stickers in their order."""
    rows = await store.rows(f"{_SELECT} WHERE pack = ? ORDER BY position", pack)
    return [_item(row) for row in rows]


async def get(store: Store, person: int, id: int) -> Item | None:
    """A sticker of this person's packs; None if it is in none any more."""
    row = await store.row(f"{_SELECT} WHERE pack_item.id = ? AND person = ?", id, person)
    return None if row is None else _item(row)


async def behind(store: Store, pack: int) -> bool:
    """Whether stickers were added since Telegram showed the pack."""
    return bool(await pack_stickers.unseen_in(store, pack))


async def of_person(store: Store, person: int, unique_id: str) -> Item | None:
    """A sticker in any of this person's packs by its id on Telegram."""
    row = await store.row(f"{_SELECT} WHERE unique_id = ? AND person = ?", unique_id, person)
    return None if row is None else _item(row)


async def find(store: Store, pack: int, *, unique_id: str | None, sticker: int | None) -> Item | None:
    """A pack's sticker by its id on Telegram, else by the row that added it."""
    row = await store.row(
        f"{_SELECT} WHERE pack = ? AND (unique_id = ? OR (? IS NULL AND sticker = ?))",
        *(pack, unique_id, unique_id, sticker),
    )
    return None if row is None else _item(row)


async def record(store: Store, pack: int, shown: Sequence[Shown]) -> list[Item]:
    """Make the record equal to what Telegram shows. Stickers that are gone there may be asked for again."""
    async with store.transaction():
        there = [one.unique_id for one in shown]
        for item in await of_pack(store, pack):
            if item.unique_id not in there:
                await store.change("DELETE FROM pack_item WHERE id = ?", item.id)
                if item.sticker is not None:
                    await pack_stickers.removed(store, item.sticker)
        await store.change_many(
            "INSERT INTO pack_item (pack, unique_id, file_id, position, emoji) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (pack, unique_id) DO UPDATE SET file_id = excluded.file_id, position = excluded.position,"
            " emoji = iif(json_extract(emoji, '$[0]') = json_extract(excluded.emoji, '$[0]'), emoji, excluded.emoji)",
            [
                (pack, one.unique_id, one.file_id, place, json.dumps([one.emoji], ensure_ascii=False))
                for place, one in enumerate(shown)
            ],
        )
    return await of_pack(store, pack)


async def reorder(store: Store, pack: int, items: Sequence[Item]) -> None:
    """A pack has these of its stickers now, in this order. The others may be asked for again."""
    shown = [Shown(unique_id=one.unique_id, file_id=one.file_id, emoji=one.emoji[0]) for one in items]
    await record(store, pack, shown)


async def tie(store: Store, item: int, sticker: int) -> None:
    """This sticker of a pack is the one that the bot has added: its emoji and search words are known.

    If it has come back, earlier changes of it can be undone: Telegram knows it by another id now.
    """
    async with store.transaction():
        await store.change(
            "UPDATE pack_item SET sticker = ?1, (emoji, keywords) = (SELECT"
            " coalesce(pack_sticker.emoji, pack_item.emoji), pack_sticker.keywords FROM pack_sticker"
            " WHERE id = ?1) WHERE id = ?2",
            *(sticker, item),
        )
        await store.change(
            "UPDATE pack_change SET item = (SELECT unique_id FROM pack_item WHERE id = ?2)"
            " WHERE undone IS NULL AND undoes IS NULL AND item = (SELECT was.item FROM pack_sticker"
            " JOIN pack_change AS asked ON asked.id = pack_sticker.change"
            " JOIN pack_change AS was ON was.id = asked.undoes WHERE pack_sticker.id = ?1)",
            *(sticker, item),
        )


async def describe(
    store: Store, id: int, *, emoji: list[str] | None = None, keywords: list[str] | None = None
) -> None:
    """A sticker has got other emoji or search words."""
    for column, values in (("emoji", emoji), ("keywords", keywords)):
        if values is not None:
            query = f"UPDATE pack_item SET {column} = ? WHERE id = ?"  # noqa: S608 - constants only
            await store.change(query, json.dumps(values, ensure_ascii=False), id)


async def fetched(store: Store, id: int, blob: str) -> None:
    """The picture of a sticker is stored."""
    await store.change("UPDATE pack_item SET blob = ? WHERE id = ?", blob, id)


async def forget_pack(store: Store, pack: int) -> None:
    """The pack is gone: so are its stickers, which may be asked for again."""
    async with store.transaction():
        await record(store, pack, [])
        for sticker in await pack_stickers.unseen_in(store, pack):
            await pack_stickers.removed(store, sticker.id)


def _item(row: sqlite3.Row) -> Item:
    values = dict(row)
    values["emoji"] = json.loads(row["emoji"])
    values["keywords"] = None if row["keywords"] is None else json.loads(row["keywords"])
    return Item(**values)
