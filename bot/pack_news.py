"""What people are told about their packs: what is in, what was changed or refused, how long Telegram lets wait."""

from __future__ import annotations

import time

from bot.errors import Buttons
from bot.pack_record import PackRecord
from bot.pack_view import PAGE, PackView
from bot.sender import Sender
from bot.sticker_buttons import below
from bot.store import Store
from bot.tables import drawings, holds, pack_changes, pack_items, pack_stickers, packs, people
from bot.tables.pack_changes import Change, ChangeKind, ChangeState
from bot.tables.pack_items import Item
from bot.tables.pack_stickers import PackSticker, StickerState
from bot.tables.packs import Pack, PackKind, PackState
from bot.words import Html, Words

TOLD_SECONDS = 10.0  # the person reads of a wait from this length on
MOST_REFUSALS = 3  # of names, or of the file, before a sticker is given up


class PackNews:
    """Tells from the rows, which remember what has been told."""

    def __init__(self, *, store: Store, sender: Sender, record: PackRecord) -> None:
        self._store = store
        self._sender = sender
        self._view = PackView(record, sender)
        self._told_until: dict[int, float] = {}  # person -> the end of a wait that they have read of

    async def tell_wait(self, person: int, until: float) -> None:
        """One message, edited, on how long Telegram makes the pack wait."""
        now = time.time()
        if until <= now:
            await holds.forget(self._store, person)
            return
        if until - now < TOLD_SECONDS or abs(until - self._told_until.get(person, 0.0)) < 1.0:
            return
        words = Words((await people.get(self._store, person)).language)
        clock = time.strftime("%H:%M", time.gmtime(until + 59))
        text = words("pack-waits", time=Html(words.duration(until - now)), clock=clock)
        message_id = await holds.message_of(self._store, person)
        if message_id is None or not await self._sender.edit(person, message_id, text):
            message_id = await self._sender.text(person, text)
        await holds.told(self._store, person, message_id)
        self._told_until[person] = until

    async def tell(self, person: int) -> None:
        """One message for all that has come in since the last, the buttons below drawings, and what was changed."""
        if (known := await people.find(self._store, person)) is None:
            return  # they had everything deleted
        words = Words(known.language)
        await self._tell_stickers(words, person)
        for change in await pack_changes.untold_of(self._store, person):
            await self._tell_change(words, change)
            await pack_changes.tell(self._store, change.id)

    async def _tell_stickers(self, words: Words, person: int) -> None:
        untold = await pack_stickers.untold_of(self._store, person)
        for sticker in untold:
            await self._mark_button(words, sticker)
        added = [sticker for sticker in untold if await self._is_news(sticker)]
        for pack in dict.fromkeys(sticker.pack for sticker in added if sticker.pack):
            await self._announce(words, await packs.get(self._store, pack), added)
        failed = [sticker for sticker in untold if sticker.state == StickerState.FAILED]
        replaced = [sticker for sticker in failed if sticker.replaces]
        if replaced:
            await self._sender.text(person, words("sticker-not-replaced"))
        if others := [sticker for sticker in failed if not sticker.replaces]:
            names = any(sticker.refusals >= MOST_REFUSALS for sticker in others)
            key = "pack-names-refused" if names else "pack-refused"
            await self._sender.text(person, words(key, n=len(others)))
        await pack_stickers.tell(self._store, [sticker.id for sticker in untold])

    async def _is_news(self, sticker: PackSticker) -> bool:
        """Whether it was added, and not as a part of a change that is told by itself."""
        if sticker.state != StickerState.ADDED:
            return False
        if sticker.change is None:
            return True
        change = await pack_changes.get(self._store, sticker.change)
        return change.kind == ChangeKind.ADD and change.undoes is None

    async def _announce(self, words: Words, pack: Pack, added: list[PackSticker]) -> None:
        n = sum(sticker.pack == pack.id for sticker in added)
        key = "pack-added-emoji" if pack.kind == PackKind.EMOJI else "pack-added"
        text = words(key, n=n, title=pack.title, link=Html(pack.link))
        buttons = [[(words.plain("button-open-pack"), pack.link)]]
        await self._sender.text(pack.person, text, buttons=buttons)

    async def _mark_button(self, words: Words, sticker: PackSticker) -> None:
        """The button below a drawing says whether it is in a pack."""
        if sticker.drawing is None or sticker.state == StickerState.FAILED:
            return
        found = await drawings.get(self._store, sticker.person, sticker.drawing)
        if found is None or not found[0].message_id:
            return
        inside = sticker.state == StickerState.ADDED and sticker.pack is not None
        pack = await packs.get(self._store, sticker.pack) if inside and sticker.pack else None
        buttons = below(words, found[1], found[0], pack)
        await self._sender.edit_buttons(found[1].where, found[0].message_id, buttons)

    async def _tell_change(self, words: Words, change: Change) -> None:
        """In the message that shows the pack, if its button was pressed; else in a message of its own."""
        assert change.pack is not None
        pack = await packs.get(self._store, change.pack)
        replaced = change.kind == ChangeKind.REPLACE  # the old sticker's id is of no use
        unique_id = None if replaced else change.item
        item = await pack_items.find(self._store, pack.id, unique_id=unique_id, sticker=change.sticker)
        news = _news(words, change, pack, item)
        shown = change.view is not None and pack.state != PackState.GONE
        in_words = change.origin.startswith("message ")  # an edit further up would not be seen
        if shown:
            await self._show_again(words, change, pack, item, "" if in_words else news)
        if in_words or not shown:
            await self._sender.text(change.person, news, buttons=_buttons(words, change, pack))

    async def _show_again(
        self, words: Words, change: Change, pack: Pack, item: Item | None, news: str
    ) -> None:
        """The pack as it is now, in the message that showed it."""
        page = item.position // PAGE if item else 0
        if item is not None and change.kind in _STAYS:
            view = await self._view.sticker(words, pack, item, news)
        else:
            view = await self._view.page(words, pack, page, news)
        await self._view.send(change.person, view, over=change.view)


_DONE = {
    ChangeKind.DELETE: "pack-done-delete",
    ChangeKind.REPLACE: "pack-done-replace",
    ChangeKind.MOVE: "pack-done-move",
    ChangeKind.EMOJI: "pack-done-emoji",
    ChangeKind.KEYWORDS: "pack-done-keywords",
    ChangeKind.TITLE: "pack-done-title",
    ChangeKind.THUMBNAIL: "pack-done-thumbnail",
    ChangeKind.DROP: "pack-done-drop",
}
_DONE_FOR_GOOD = {  # where Telegram did not give the picture that was there before
    ChangeKind.DELETE: "pack-done-delete-for-good",
    ChangeKind.REPLACE: "pack-done-replace-for-good",
    ChangeKind.THUMBNAIL: "pack-done-thumbnail-for-good",
}
_UNDONE = {  # by the kind of the change that takes back
    ChangeKind.DELETE: "pack-undone-add",
    ChangeKind.ADD: "pack-undone-delete",
    ChangeKind.REPLACE: "pack-undone-replace",
    ChangeKind.MOVE: "pack-undone-move",
    ChangeKind.EMOJI: "pack-undone-emoji",
    ChangeKind.KEYWORDS: "pack-undone-keywords",
    ChangeKind.TITLE: "pack-undone-title",
    ChangeKind.THUMBNAIL: "pack-undone-thumbnail",
}
_STAYS = {ChangeKind.MOVE, ChangeKind.EMOJI, ChangeKind.KEYWORDS, ChangeKind.THUMBNAIL}  # show the sticker on


def _news(words: Words, change: Change, pack: Pack, item: Item | None) -> str:
    """One sentence, and how to take it back."""
    if change.state == ChangeState.FAILED:
        return words(change.problem or "pack-change-failed", title=pack.title)
    values = change.value if isinstance(change.value, list) else []
    keys = _UNDONE if change.undoes is not None else _DONE_FOR_GOOD if change.lost else _DONE
    return words(
        keys[change.kind],
        number=item.number if item else _old_number(change),
        was=change.old + 1 if isinstance(change.old, int) else 0,
        title=pack.title,
        value=(" " if change.kind == ChangeKind.EMOJI else ", ").join(map(str, values)),
    )


def _old_number(change: Change) -> int:
    """The number of a sticker that is gone."""
    return int(change.old["position"]) + 1 if isinstance(change.old, dict) and "position" in change.old else 0


def _buttons(words: Words, change: Change, pack: Pack) -> Buttons:
    if pack.state == PackState.GONE:
        return words.buttons([[("button-packs", "packs:")]])
    show = ("button-pack-show", f"pack:{pack.id}")
    undoable = change.state == ChangeState.DONE and change.undoes is None and not change.lost
    return words.buttons([[show, ("button-undo", f"packundo:{change.id}")] if undoable else [show]])
