"""How a pack looks in the chat: a sheet of its numbered stickers, with buttons that survive restarts.

A button holds the id of a row, never a number, because numbers change when stickers move.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from telegram.error import BadRequest

from bot.errors import Buttons
from bot.pack_record import PackRecord
from bot.sender import Sender
from bot.tables import pack_items, packs
from bot.tables.pack_items import Item
from bot.tables.packs import Pack, PackKind, PackState
from bot.words import Html, Words, clip
from lora.sheets.sample_sheet import Entry, sample_sheet

PAGE = 20  # stickers on one sheet
ROW = 5  # number buttons side by side


@dataclass(frozen=True, kw_only=True)
class View:
    """A photo with its caption and buttons."""

    picture: bytes = field(repr=False)
    caption: str = field(repr=False)
    buttons: Buttons


class PackView:
    """Draws packs from the record. Look at Telegram's first."""

    def __init__(self, record: PackRecord, sender: Sender) -> None:
        self._record = record
        self._sender = sender

    async def page(self, words: Words, pack: Pack, number: int, news: str = "") -> View:
        """One page of a pack, counted from 0; the last one if there are fewer. ``news`` stands above it."""
        items = await pack_items.of_pack(self._record.store, pack.id)
        last = max(0, (len(items) - 1) // PAGE)
        number = min(number, last)
        shown = items[number * PAGE :][:PAGE]
        caption = "\n".join(filter(None, [news, *_page_lines(words, pack, len(items), shown)]))
        choose = [(str(item.number), f"item:{item.id}") for item in shown]
        buttons = [*rows_of(choose), _turn(f"pack:{pack.id}", number, last), *_pack_buttons(words, pack)]
        return View(picture=await self.sheet(shown), caption=caption, buttons=[row for row in buttons if row])

    async def sticker(self, words: Words, pack: Pack, item: Item, news: str = "") -> View:
        """One sticker: what it is found by, and what can be done with it, below the page that it is on."""
        items = await pack_items.of_pack(self._record.store, pack.id)
        shown = items[item.position // PAGE * PAGE :][:PAGE]
        caption = "\n".join(filter(None, [news, sticker_text(words, pack, item, len(items))]))
        buttons = sticker_buttons(words, item, len(items))
        return View(picture=await self.sheet(shown), caption=caption, buttons=buttons)

    async def sheet(self, items: list[Item]) -> bytes:
        """The stickers as a JPEG, each with its number and search words; a grey square for a lost file."""
        pictures = await asyncio.gather(*map(self._picture, items))
        entries = [
            Entry(number=item.number, picture=picture, caption=", ".join(item.keywords or ()))
            for item, picture in zip(items, pictures, strict=True)
        ]
        return await asyncio.to_thread(sample_sheet, entries)

    async def _picture(self, item: Item) -> bytes:
        try:
            return await self._record.picture(item)
        except BadRequest:  # Telegram does not give the file
            return b""

    async def send(self, person: int, view: View, over: int | None = None) -> None:
        """Show it: in place of the message ``over`` if that can be edited, else as a new message."""
        if over is not None and await self._sender.edit_photo(
            person, over, view.picture, view.caption, buttons=view.buttons
        ):
            return
        await self._sender.photo(person, view.picture, view.caption, buttons=view.buttons)


def sticker_text(words: Words, pack: Pack, item: Item, count: int) -> str:
    """What is known of one sticker."""
    found = words("pack-item", title=pack.title, number=item.number, total=count, emoji=" ".join(item.emoji))
    if item.keywords is None:
        return f"{found}\n{words('pack-item-words-unknown')}"
    return f"{found}\n{words('pack-item-words', words=', '.join(item.keywords) or '—')}"


def sticker_buttons(words: Words, item: Item, count: int) -> Buttons:
    """What can be done with one sticker."""
    do = f"item:{item.id}"
    moves = [("button-item-first", f"{do}:move:0"), ("button-item-earlier", f"{do}:move:{item.position - 1}")]
    moves = moves if item.position else []
    if item.position < count - 1:
        moves += [("button-item-later", f"{do}:move:{item.position + 1}")]
    rows = [
        moves,
        [("button-item-emoji", f"{do}:emoji"), ("button-item-words", f"{do}:words")],
        [("button-item-cover", f"{do}:cover"), ("button-item-replace", f"{do}:replace")],
        [("button-item-delete", f"{do}:delete")],
        [("button-pack-back", f"pack:{item.pack}:{item.position // PAGE}")],
    ]
    return words.buttons([row for row in rows if row])


def rows_of(buttons: list[tuple[str, str]]) -> Buttons:
    """Number buttons, five in a row."""
    return [buttons[i : i + ROW] for i in range(0, len(buttons), ROW)]


def _turn(name: str, number: int, last: int) -> list[tuple[str, str]]:
    back = [("‹", f"{name}:{number - 1}")] if number else []
    return back + ([("›", f"{name}:{number + 1}")] if number < last else [])


def _page_lines(words: Words, pack: Pack, count: int, shown: list[Item]) -> list[str]:
    """At most 20 stickers, each with its first emoji, which is what Telegram shows."""
    head = words("pack-head", title=pack.title, link=Html(pack.link), n=count)
    chosen = words("pack-takes-new") if pack.chosen else ""
    emoji = " · ".join(f"{item.number} {''.join(item.emoji[:1])}" for item in shown)
    return [head, chosen, emoji, words("pack-hint" if shown else "pack-view-empty")]


def _pack_buttons(words: Words, pack: Pack) -> Buttons:
    do = f"pack:{pack.id}"
    choose = ("button-pack-auto", f"{do}:auto") if pack.chosen else ("button-pack-use", f"{do}:use")
    regular = pack.kind == PackKind.REGULAR
    rows = [
        [("button-pack-title", f"{do}:title"), *([choose] if regular else [])],
        [*([("button-pack-copy", f"{do}:copy")] if regular else []), ("button-pack-drop", f"{do}:drop")],
        [("button-packs", "packs:")],
    ]
    return words.buttons(rows)


def list_lines(words: Words, found: list[tuple[Pack, int]]) -> list[str]:
    """All packs, the chosen one marked."""
    return [_list_line(words, pack, n) for pack, n in found]


def _list_line(words: Words, pack: Pack, n: int) -> str:
    key = "packs-line-planned" if pack.state == PackState.NEW else "packs-line"
    kind = "✨" if pack.kind == PackKind.EMOJI else "•"
    return words(key, mark="▸" if pack.chosen else kind, title=clip(pack.title, 64), n=n)


async def counted(record: PackRecord, person: int) -> list[tuple[Pack, int]]:
    """A person's packs with how many stickers are in each."""
    found = await packs.planned_too(record.store, person)
    return [(pack, await packs.how_many_in(record.store, pack.id)) for pack in found]
