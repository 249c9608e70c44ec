"""Packs: Telegram's sticker sets that the bot has made for people, or the plans of some."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from bot.store import Store

# Not about to be deleted: what is added now must not be deleted with it.
_STAYS = "id NOT IN (SELECT pack FROM pack_change WHERE kind = 'drop' AND state IN ('wanted', 'calling'))"


class PackState(StrEnum):
    """What is known of a sticker set on Telegram."""

    NEW = "new"  # planned: no call has certainly made it
    LIVE = "live"  # made, and takes stickers
    FULL = "full"  # holds as many as Telegram allows
    GONE = "gone"  # deleted by its owner, or its name belongs to another set


class PackKind(StrEnum):
    """Telegram's ``sticker_type``: its values are those of the Bot API."""

    REGULAR = "regular"
    EMOJI = "custom_emoji"


@dataclass(frozen=True, kw_only=True)
class Pack:
    """A Telegram sticker set of a person, or the plan of one. ``name`` is full, whatever the bot is called now."""

    id: int
    person: int
    keyword: str
    name: str
    title: str
    state: PackState
    made_at: float  # seconds since 1970: when its making was asked for
    kind: PackKind = PackKind.REGULAR
    copy_of: int | None = None  # the pack that these custom emoji are copies of
    own: bool = False  # made by its person, with a title of theirs: takes stickers only while it is chosen
    chosen: bool = False  # new stickers of all styles go into it

    @property
    def link(self) -> str:
        """Where people open and install it."""
        return f"https://t.me/{'addemoji' if self.kind == PackKind.EMOJI else 'addstickers'}/{self.name}"


async def get(store: Store, id: int) -> Pack:
    """The pack with this id."""
    row = await store.row("SELECT * FROM pack WHERE id = ?", id)
    assert row is not None
    return _pack(row)


async def of_person(store: Store, person: int, id: int) -> Pack | None:
    """The pack with this id if it is this person's and there; the plan of one counts."""
    row = await store.row("SELECT * FROM pack WHERE id = ? AND person = ? AND state != 'gone'", id, person)
    return None if row is None else _pack(row)


async def of_drawing(store: Store, drawing: int) -> Pack | None:
    """The pack that a drawing's sticker is in."""
    row = await store.row(
        "SELECT pack.* FROM pack JOIN pack_sticker ON pack_sticker.pack = pack.id"
        " WHERE drawing = ? AND pack_sticker.state = 'added'",
        drawing,
    )
    return None if row is None else _pack(row)


async def current(store: Store, person: int, keyword: str) -> Pack | None:
    """The pack that a style's next sticker goes into: the chosen one, else the style's. None if one has to be made."""
    mine = await chosen(store, person)
    if mine is not None:
        return None if mine.state == PackState.FULL else mine
    row = await store.row(
        "SELECT * FROM pack WHERE person = ? AND keyword = ? AND kind = 'regular' AND NOT own"  # noqa: S608 - constants
        f" AND state IN ('new', 'live') AND {_STAYS} ORDER BY id DESC LIMIT 1",
        person,
        keyword,
    )
    return None if row is None else _pack(row)


async def chosen(store: Store, person: int) -> Pack | None:
    """The pack that the person has chosen for all new stickers, unless it is gone."""
    row = await store.row(
        f"SELECT * FROM pack WHERE person = ? AND chosen AND state != 'gone' AND {_STAYS}",  # noqa: S608 - constants only
        person,
    )
    return None if row is None else _pack(row)


async def with_title(store: Store, person: int, title: str) -> Pack | None:
    """The person's planned pack of this title."""
    query = "SELECT * FROM pack WHERE person = ? AND title = ? AND state = 'new' AND own"
    row = await store.row(query, person, title)
    return None if row is None else _pack(row)


async def choose(store: Store, person: int, id: int | None) -> None:
    """New stickers go into this pack; None: into the pack of their style."""
    await store.change("UPDATE pack SET chosen = (id IS ?) WHERE person = ?", id, person)


async def unchoose(store: Store, id: int) -> None:
    """This pack is not the chosen one any more."""
    await store.change("UPDATE pack SET chosen = 0 WHERE id = ?", id)


async def emoji_of(store: Store, pack: int) -> Pack | None:
    """The custom-emoji copies of a pack: the newest set of them that takes more."""
    row = await store.row(
        "SELECT * FROM pack WHERE copy_of = ? AND state IN ('new', 'live') ORDER BY id DESC LIMIT 1", pack
    )
    return None if row is None else _pack(row)


async def how_many(store: Store, person: int, keyword: str) -> int:
    """How many packs there ever were of a person's style: the next one's number is one more."""
    return int(
        await store.value("SELECT count(*) FROM pack WHERE person = ? AND keyword = ?", person, keyword)
    )


async def plan(store: Store, pack: Pack) -> Pack:
    """Write down a pack that is about to be made; its id is given here. If it is chosen, no other one is any more."""
    async with store.transaction():
        if pack.chosen:
            await choose(store, pack.person, None)
        row = await store.row(
            "INSERT INTO pack (person, keyword, name, title, state, kind, copy_of, own, chosen)"
            " VALUES (?, ?, ?, ?, 'new', ?, ?, ?, ?) RETURNING *",
            *(pack.person, pack.keyword, pack.name, pack.title),
            *(pack.kind, pack.copy_of, pack.own, pack.chosen),
        )
    assert row is not None
    return _pack(row)


async def retarget(store: Store, old: int, new: int) -> None:
    """Stickers that must go into one pack go into another, which takes its place."""
    await store.change("UPDATE pack_sticker SET target = ? WHERE target = ?", new, old)


async def mark(store: Store, id: int, state: PackState) -> None:
    """A pack turned out to be full, not full any more, or gone."""
    await store.change("UPDATE pack SET state = ? WHERE id = ? AND state != ?", state, id, state)


async def retitle(store: Store, id: int, title: str) -> None:
    """The pack is called so on Telegram."""
    await store.change("UPDATE pack SET title = ? WHERE id = ? AND title != ?", title, id, title)


async def all_of(store: Store, person: int) -> list[tuple[Pack, int]]:
    """A person's packs that are on Telegram, with how many stickers are in each as far as the bot knows."""
    return [
        (pack, await how_many_in(store, pack.id))
        for pack in await planned_too(store, person)
        if pack.state != PackState.NEW
    ]


async def planned_too(store: Store, person: int) -> list[Pack]:
    """A person's packs that are on Telegram, and those with a title of their own that wait for a sticker."""
    rows = await store.rows(
        "SELECT * FROM pack WHERE person = ? AND (state IN ('live', 'full') OR (state = 'new' AND own))"
        " ORDER BY id",
        person,
    )
    return [_pack(row) for row in rows]


async def how_many_in(store: Store, pack: int) -> int:
    """How many stickers are in a pack: as Telegram showed it last, or as many as the bot has added."""
    shown = await store.value("SELECT count(*) FROM pack_item WHERE pack = ?", pack)
    added = await store.value("SELECT count(*) FROM pack_sticker WHERE pack = ? AND state = 'added'", pack)
    return max(int(shown), int(added))


def _pack(row: sqlite3.Row) -> Pack:
    values = dict(row)
    values |= {"state": PackState(row["state"]), "kind": PackKind(row["kind"])}
    return Pack(**values | {"own": bool(row["own"]), "chosen": bool(row["chosen"])})
