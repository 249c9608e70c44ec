"""Packs that are about to be made: which name and title they get. Telegram makes a pack with its first sticker."""

from __future__ import annotations

from dataclasses import replace

from bot.pack_words import next_title, set_name, set_title
from bot.store import Store
from bot.tables import packs, people
from bot.tables.packs import Pack, PackKind, PackState
from bot.words import Words


async def next_pack(store: Store, username: str, person: int, keyword: str) -> Pack:
    """The next pack of a style, or the one that follows the chosen one, which is full. ``username``: the bot's."""
    full = await packs.chosen(store, person)
    if full is not None:
        return await _plan(store, username, replace(full, title=next_title(full.title)))
    number = 1 + await packs.how_many(store, person, keyword)
    owner = await people.get(store, person)
    called = keyword or Words(owner.language).plain("pack-title")
    title = set_title(owner.name, called, number)
    return await _plan(store, username, _blank(person, keyword, title))


async def own_pack(store: Store, username: str, person: int, title: str) -> Pack:
    """A pack with a title of the person's own, which takes all new stickers from now on."""
    return await _plan(store, username, replace(_blank(person, "", title), own=True, chosen=True))


async def emoji_pack(store: Store, username: str, pack: Pack) -> Pack:
    """The pack that takes the custom-emoji copies of another."""
    called = Words((await people.get(store, pack.person)).language).plain("pack-emoji-title")
    title = set_title(pack.title, called, 1)
    made = replace(_blank(pack.person, pack.keyword, title), kind=PackKind.EMOJI, copy_of=pack.id)
    return await _plan(store, username, made)


async def rename(store: Store, username: str, pack: Pack) -> Pack:
    """The name of a planned pack is taken or refused: plan the same under the next name."""
    async with store.transaction():
        await packs.mark(store, pack.id, PackState.GONE)
        made = await _plan(store, username, pack)
        await packs.retarget(store, pack.id, made.id)
    return made


async def _plan(store: Store, username: str, pack: Pack) -> Pack:
    number = 1 + await packs.how_many(store, pack.person, pack.keyword)
    return await packs.plan(store, replace(pack, name=set_name(pack.keyword, pack.person, number, username)))


def _blank(person: int, keyword: str, title: str) -> Pack:
    return Pack(id=0, person=person, keyword=keyword, name="", title=title, state=PackState.NEW, made_at=0)
