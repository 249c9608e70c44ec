"""What people can ask of their packs, as rows. After any of these, ``packs.wake(person)`` has it done.

``origin`` names the message or the press that asks (``Context.origin``): the same one asks once, also after a kill.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.errors import UserError
from bot.store import Store
from bot.tables import pack_changes, pack_stickers, packs
from bot.tables.pack_changes import Ask, Change, ChangeKind, ChangeState
from bot.tables.pack_items import Item
from bot.tables.pack_stickers import StickerState, Wanted


async def add(store: Store, person: int, drawing: int, origin: str) -> bool:
    """A drawing into the current pack; False if it is in one or on its way."""
    return await _want(store, Ask(person=person, origin=origin, kind=ChangeKind.ADD, pack=None), drawing)


async def put_in_place(
    store: Store, person: int, drawing: int, item: Item, origin: str, view: int | None
) -> bool:
    """A drawing in the place of a pack's sticker; False if it is in a pack or on its way."""
    asked = Ask(
        person=person, origin=origin, kind=ChangeKind.REPLACE, pack=item.pack, item=item.unique_id, view=view
    )
    return await _want(store, asked, drawing)


async def _want(store: Store, asked: Ask, drawing: int) -> bool:
    async with store.transaction():
        change = await pack_changes.ask(store, asked)
        if change is None:
            return True  # this very press was worked on before, and then the bot was killed
        wanted = Wanted(
            person=asked.person, drawing=drawing, target=asked.pack, replaces=asked.item, change=change
        )
        sticker = await pack_stickers.want(store, wanted)
        if sticker is None:
            await pack_changes.withdraw(store, change)
            return False
        await pack_changes.belongs(store, change, sticker)
    return True


async def change_item(
    store: Store, item: Item, kind: ChangeKind, origin: str, *, value: object = None, view: int | None = None
) -> None:
    """Something about one sticker of a pack."""
    await pack_changes.ask(
        store,
        Ask(
            person=item.person,
            origin=origin,
            kind=kind,
            pack=item.pack,
            item=item.unique_id,
            value=value,
            view=view,
        ),
    )


async def copy_as_emoji(store: Store, items: list[Item], target: int) -> int:
    """Copies of a pack's stickers as custom emoji; gives how many were not asked for before."""
    asked = 0
    async with store.transaction():
        for item in items:
            wanted = Wanted(
                person=item.person,
                target=target,
                emoji=item.emoji,
                keywords=item.keywords or [],
                copy_of=item.unique_id,
            )
            asked += await pack_stickers.want(store, wanted) is not None
    return asked


async def undo(store: Store, person: int, origin: str, view: int | None = None) -> tuple[Change, str | None]:
    """Ask for the opposite of the newest change. Raises UserError if there is none.

    Gives the change, and the key of the text that says why it has no opposite: the next undo is of the one before it.
    """
    async with store.transaction():
        change = await pack_changes.last(store, person)
        if change is None:
            raise UserError("undo-nothing-left")
        problem = None
        if change.state != ChangeState.DONE:
            await _withdraw(store, change)
        elif (problem := await _without_opposite(store, change)) is None:
            await _reverse(store, change, origin, view)
        await pack_changes.undo(store, change.id, origin)
    return change, problem


async def _without_opposite(store: Store, change: Change) -> str | None:
    """The key of why a change cannot be taken back; None if it can."""
    if change.lost:
        return "undo-sticker-lost"
    if change.kind == ChangeKind.KEYWORDS and change.old is None:
        return "undo-words-unknown"
    if change.kind == ChangeKind.REPLACE and await pack_changes.replaced_by(store, change) is None:
        return "undo-replaced-gone"
    return None


async def _withdraw(store: Store, change: Change) -> None:
    """A change that has not been begun needs no opposite."""
    if change.sticker is not None:
        sticker = await pack_stickers.by_id(store, change.sticker)
        if sticker.state == StickerState.ADDING:
            raise UserError("undo-later")
        await pack_stickers.removed(store, sticker.id)
    if change.state == ChangeState.CALLING:
        raise UserError("undo-later")
    await pack_changes.failed(store, change.id)


async def _reverse(store: Store, change: Change, origin: str, view: int | None) -> None:
    asked = Ask(
        person=change.person,
        origin=origin,
        kind=change.kind,
        pack=change.pack,
        item=change.item,
        value=change.old,
        undoes=change.id,
        view=view or change.view,
    )
    old: dict[str, Any] = change.old if isinstance(change.old, dict) else {}
    match change.kind:
        case ChangeKind.ADD:
            await pack_changes.ask(store, replace(asked, kind=ChangeKind.DELETE, sticker=change.sticker))
        case ChangeKind.DELETE:
            sticker = await _bring_back(store, replace(asked, kind=ChangeKind.ADD, item=None), change, old)
            move = replace(asked, kind=ChangeKind.MOVE, item=None, sticker=sticker, value=old["position"])
            await pack_changes.ask(store, replace(move, origin=f"{origin} move", told=True))
        case ChangeKind.REPLACE:
            replaced = await pack_changes.replaced_by(store, change)
            await _bring_back(store, replace(asked, item=replaced), change, old)
        case ChangeKind.THUMBNAIL:
            await pack_changes.ask(store, replace(asked, item=None, blob=change.old_blob))
        case _:
            await pack_changes.ask(store, asked)


async def _bring_back(store: Store, asked: Ask, change: Change, old: dict[str, Any]) -> int:
    """Ask for a sticker that was taken out, with the emoji and words that it had; gives its row."""
    made = await pack_changes.ask(store, asked)
    wanted = Wanted(
        person=asked.person,
        blob=change.old_blob,
        target=asked.pack,
        replaces=asked.item,
        emoji=old["emoji"],
        keywords=old["keywords"] or [],
        change=made,
    )
    mine = None if old["sticker"] is None else await pack_stickers.find(store, old["sticker"])
    if mine is not None and mine.drawing is not None and mine.state == StickerState.REMOVED:
        await pack_stickers.want_back(store, mine.id, wanted)
        sticker: int | None = mine.id
    else:
        sticker = await pack_stickers.want(store, wanted)
    assert sticker is not None
    assert made is not None
    await pack_changes.belongs(store, made, sticker)
    return sticker


async def drop(store: Store, person: int, pack: int, origin: str) -> None:
    """Delete a whole pack."""
    await pack_changes.ask(store, Ask(person=person, origin=origin, kind=ChangeKind.DROP, pack=pack))
    await packs.unchoose(store, pack)
