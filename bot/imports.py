"""Takes all pictures of a sticker pack or a zip into a style: one by one, told in one message that is edited.

Every step is a row: what is in the import, and what became of each picture. So a restarted bot goes on with the next
picture. Telegram's waits are kept.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from telegram.error import Forbidden

from bot import captioning, import_words
from bot.blobs import Blobs
from bot.config import Train
from bot.errors import Buttons, UserError
from bot.import_sources import Contents, PackSource, ZipSource
from bot.intake import Checked, Intake
from bot.per_person import PerPerson
from bot.rate_limit import Held
from bot.sender import Sender
from bot.store import Store
from bot.tables import changes, imports, people, samples, styles
from bot.tables.imports import Import, ImportKind, ImportState, Item, Outcome
from bot.tables.samples import CaptionOrigin, Sample
from bot.tables.styles import Style
from bot.waiting import waiting_helps
from bot.words import Words
from lora.data import captions

log = logging.getLogger(__name__)

PEOPLE_AT_ONCE = 4  # a picture, or a zip of up to 20 MB, of each is in memory
EDIT_SECONDS = 3.0  # at least, between two edits of one message
KINDS = {ImportKind.PACK: "sticker", ImportKind.ZIP: "file"}  # of their samples
NAMED = 3  # files of a zip in one message: those that its table names and that are not there, and bad tables
CRASHES = 3  # of one import, before it is given up


class Source(Protocol):
    """Where the pictures of one import come from."""

    async def contents(self) -> Contents:
        """Its title and its pictures. Raises UserError."""

    async def picture(self, item: Item) -> bytes:
        """The file of one picture. Raises UserError."""


class Imports:
    """Works off a person's imports in order, different people's side by side."""

    def __init__(
        self, *, store: Store, blobs: Blobs, sender: Sender, intake: Intake, settings: Train
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._sender = sender
        self._intake = intake
        self._settings = settings
        self._crashes: dict[int, int] = {}
        self._shown: dict[int, float] = {}  # by import: when its message was edited, monotonic seconds
        self._per_person = PerPerson(self._serve, at_once=PEOPLE_AT_ONCE)
        self._sources: dict[ImportKind, Callable[[Import], Source]] = {
            ImportKind.PACK: lambda imported: PackSource(sender, imported),
            ImportKind.ZIP: lambda imported: ZipSource(sender, imported),
        }

    def wake(self, person: int) -> None:
        """The person has asked for an import, or has stopped one."""
        self._per_person.wake(person)

    async def resume(self) -> None:
        """Go on with what was on its way when the process ended."""
        for person in await imports.people_waiting(self._store):
            self.wake(person)

    async def close(self) -> None:
        """Cancel all work. The rows keep what is not done."""
        await self._per_person.close()

    async def _serve(self, person: int) -> None:
        try:
            for imported in await imports.untold_of(self._store, person):
                await self._work_on(imported)
        except Held as wait:
            self._per_person.wake_later(person, wait.until - time.time())
        except Forbidden:
            await people.block(self._store, person)

    async def _work_on(self, imported: Import) -> None:
        try:
            if imported.open:
                await self._take_all(imported)
        except UserError as error:
            await imports.end(self._store, imported.id, ImportState.FAILED, error.key, error.params)
        except Exception as error:
            if isinstance(error, Forbidden) or waiting_helps(error):
                raise
            self._crashes[imported.id] = self._crashes.get(imported.id, 0) + 1
            if self._crashes[imported.id] < CRASHES:
                raise
            log.error("an import is given up", exc_info=error)
            await imports.end(self._store, imported.id, ImportState.FAILED, "import-crashed")
        await self._tell_end(imported.id)

    async def _take_all(self, imported: Import) -> None:
        """Take what has not been taken yet, until all is done, the person stops it or the style is deleted."""
        await self._show(imported, done=0, count=0)
        source = self._sources[imported.kind](imported)
        if imported.state == ImportState.ASKED:
            found = await source.contents()
            style = await styles.get(self._store, imported.person, imported.style)
            language = (await people.get(self._store, imported.person)).writes_in
            items, other, others = found.without_other_keyword(style.keyword if style else "", language)
            params = {
                "other": other,
                "others": others,
                "faults": found.faults,
                "missing": len(found.missing),
                "named": found.missing[:NAMED],
                "unread": found.unread,
                "unread_tables": found.unread_tables[:NAMED],
            }
            await imports.list_items(self._store, imported.id, found.title, items, params)
        items = await imports.items_of(self._store, imported.id)
        for done, item in enumerate(items):
            now = await imports.get(self._store, imported.id)
            if now is None or not now.open:
                return
            await self._show(now, done=done, count=len(items))
            if item.outcome is None:
                await self._take(now, item, source)
        await imports.end(self._store, imported.id, ImportState.DONE)

    async def _take(self, imported: Import, item: Item, source: Source) -> None:
        """Make a sample of one picture, or write down why not."""
        style = await styles.get(self._store, imported.person, imported.style)
        if style is None:
            return
        if await samples.same_file(self._store, style.id, item.file_unique_id) is not None:
            await imports.settle(self._store, imported.id, item.position, Outcome.AGAIN)
            return
        if style.samples >= self._settings.max_samples:
            await imports.settle(self._store, imported.id, item.position, Outcome.FULL)
            return
        await self._intake.check_room(imported.person)
        try:
            picture = await self._fetch(item, source)
        except UserError as error:
            await imports.settle(self._store, imported.id, item.position, error.key)
            return
        if (known := await self._intake.known.find(style.id, picture.likeness)) is not None:
            await self._keep_known(imported, item, known, picture)
            return
        await self._keep(imported, style, item, picture.data)

    async def _keep_known(self, imported: Import, item: Item, known: Sample, picture: Checked) -> None:
        """The picture is a sample already, which gets its file if only that has transparency. It can be taken back."""
        async with self._store.transaction():
            await changes.note_one(self._store, await self._change(imported), known.id)
        kind = KINDS[imported.kind]
        clearer = await self._intake.clear_up(known, picture, item.file_unique_id, kind)
        outcome = Outcome.CLEARER if clearer else Outcome.SAME
        await imports.settle(self._store, imported.id, item.position, outcome)

    async def _fetch(self, item: Item, source: Source) -> Checked:
        return await self._intake.checked(await source.picture(item), item.moves)

    async def _keep(self, imported: Import, style: Style, item: Item, data: bytes) -> None:
        """The sample, its caption, what takes it back, and the outcome: together or not at all."""
        draft = captions.draft_from_emoji(item.emoji)
        language = (await people.get(self._store, imported.person)).writes_in
        async with self._blobs.keep(data) as (name,), self._store.transaction():
            now = await imports.get(self._store, imported.id)
            if now is None or not now.open:  # it was stopped, or taken back, while the file came
                return
            sample = await samples.add(
                self._store,
                style=style.id,
                file_unique_id=item.file_unique_id,
                blob=name,
                kind=KINDS[imported.kind],
                message_id=imported.message_id,
                sent_at=imported.sent_at,
                answer_id=imported.answer_id,
                pack=imported.source if imported.kind == ImportKind.PACK else None,
                emoji=item.emoji,
                draft=captions.with_keyword(draft, style.keyword) if draft else None,
                bytes=len(data),
            )
            if item.caption:
                await captioning.give(
                    self._store, sample, item.caption, style.keyword, language, CaptionOrigin.PERSON
                )
            await changes.note_added(self._store, await self._change(imported), sample)
            await imports.settle(self._store, imported.id, item.position, Outcome.NEW)

    async def _change(self, imported: Import) -> int:
        """The change that takes the import back, made with its first picture."""
        change = await changes.by_origin(self._store, imported.style, imported.origin)
        if change is None:
            change = await changes.note(self._store, imported.style, imported.origin, ())
        assert change is not None
        return change

    async def _show(self, imported: Import, *, done: int, count: int) -> None:
        """Send or edit the message that tells how far it is, if the last edit is long enough ago."""
        if imported.answer_id and time.monotonic() - self._shown.get(imported.id, 0.0) < EDIT_SECONDS:
            return
        style = await styles.get(self._store, imported.person, imported.style)
        if style is not None:
            words = Words((await people.get(self._store, imported.person)).language)
            await self._put(imported, *import_words.under_way(words, imported, style, done, count))

    async def _tell_end(self, id: int) -> None:
        """Edit the message for the last time."""
        imported = await imports.get(self._store, id)
        if imported is None:
            return
        style = await styles.get(self._store, imported.person, imported.style)
        assert style is not None, "a style takes its imports along"
        words = Words((await people.get(self._store, imported.person)).language)
        change = await changes.by_origin(self._store, style.id, imported.origin)
        if change is not None and await changes.forget_if_same(self._store, change):
            change = None
        everything = await samples.of_style(self._store, style.id)
        items = await imports.items_of(self._store, id)
        view = import_words.over(words, imported, style, items, everything, self._settings, change)
        await self._put(imported, *view)
        self._shown.pop(id, None)
        await imports.tell(self._store, id)
        await self._blobs.sweep(await changes.forget_beyond(self._store, style.id))

    async def _put(self, imported: Import, text: str, buttons: Buttons) -> None:
        person, answer = imported.person, imported.answer_id
        if answer is None or not await self._sender.edit(person, answer, text, buttons=buttons):
            answer = await self._sender.text(person, text, buttons=buttons, reply_to=imported.message_id)
            await imports.answered(self._store, imported.id, answer)
        self._shown[imported.id] = time.monotonic()
