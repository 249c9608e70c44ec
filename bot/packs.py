"""Stickers into Telegram's sticker sets, each exactly once.

A sticker goes wanted -> uploaded -> adding -> added, each state stored before the next call to Telegram. A
call that may or may not have been heard (a kill, a timeout) leaves the state ``adding``. Then the set itself
is looked at: a sticker that was not in it before and shows the same picture is ours. Where that cannot be
seen, the same call is made once more: adding the very same file again leaves a set unchanged, and a set that
exists cannot be made again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from telegram import Bot, InputFile, InputSticker, Sticker
from telegram.constants import StickerFormat, StickerSetLimit
from telegram.error import BadRequest, Forbidden, TelegramError

from bot.blobs import Blobs
from bot.pack_news import MOST_REFUSALS, PackNews
from bot.pack_words import DEFAULT_EMOJI, emoji_for, keywords_for, set_name, set_title
from bot.per_person import PerPerson
from bot.rate_limit import Held, RateLimiter
from bot.same_picture import same_picture
from bot.sender import SECONDS, Sender
from bot.store import Store
from bot.tables import drawings, packs, people
from bot.tables.jobs import Job
from bot.tables.packs import Pack, PackState, PackSticker, StickerState
from bot.waiting import waiting_helps
from bot.words import Words
from lora.data import captions

log = logging.getLogger(__name__)

MAX_STICKERS = int(StickerSetLimit.MAX_STATIC_STICKERS)
LAG = (0.5, 0.5, 1.0, 1.0, 2.0)  # seconds between looks at a set that was made a moment ago
SLOW_SECONDS = 180.0  # so long a set that was made may be invisible
LOOK_AGAIN_SECONDS = 5.0
MOST_CRASHES = 3
TELL_AFTER = 3  # failed rounds in a row: what is in by then is told, the rest goes on

Result = TypeVar("Result")


class Later(Exception):
    """There is nothing to do for this sticker before ``until`` (seconds since 1970)."""

    def __init__(self, until: float) -> None:
        super().__init__()
        self.until = until


class Packs:
    """Puts the stickers that people want into their packs, one at a time per person."""

    def __init__(
        self, *, bot: Bot, rate_limiter: RateLimiter, sender: Sender, store: Store, blobs: Blobs
    ) -> None:
        self._bot = bot
        self._limits = rate_limiter
        self._sender = sender
        self._store = store
        self._blobs = blobs
        self._crashes: dict[int, int] = {}  # sticker -> how often its work has crashed
        self._failures: dict[int, int] = {}  # person -> failed rounds in a row
        self._news = PackNews(store=store, sender=sender)
        self._per_person = PerPerson(self._serve)

    def wake(self, person: int) -> None:
        """The person wants a sticker added."""
        self._per_person.wake(person)

    async def resume(self) -> None:
        """Go on with what was on its way when the process ended."""
        for person in await packs.people_waiting(self._store):
            self.wake(person)

    async def close(self) -> None:
        """Cancel all work. The rows keep what is not done."""
        await self._per_person.close()

    async def delete_set(self, person: int, name: str) -> None:
        """Delete a sticker set on Telegram. One that is not there, or not this bot's, is no error. Raises Held."""
        try:
            await self._limited(person, "deleteStickerSet", lambda: self._bot.delete_sticker_set(name))
        except BadRequest as error:
            if not _says(error, "stickerset_invalid", "not found", "_not_found"):
                raise

    async def _serve(self, person: int) -> None:
        """Take each sticker as far as possible. A wait of one delays only those that need the same method."""
        held: list[float] = []
        later: list[float] = []
        failure: Exception | None = None
        try:
            for sticker in await packs.open_of(self._store, person):
                try:
                    await self._finish(sticker.id)
                except Held as wait:
                    held.append(wait.until)
                except Later as wait:
                    later.append(wait.until)
                except Forbidden:
                    raise
                except Exception as error:
                    if waiting_helps(error):
                        failure = error
                        break
                    later.append(await self._crashed(sticker.id, error))
            self._failures[person] = self._failures.get(person, 0) + 1 if failure else 0
            if failure is None or self._failures[person] >= TELL_AFTER:
                await self._news.tell(person)
                await self._news.tell_wait(person, max(held, default=0.0))
        except Forbidden:
            await people.block(self._store, person)
            return
        if failure is not None:
            raise failure
        if held or later:
            self._per_person.wake_later(person, min(held + later) - time.time())

    async def _crashed(self, id: int, error: Exception) -> float:
        """Count a crash; gives when to try again. The last one ends the sticker, so that others go on."""
        self._crashes[id] = self._crashes.get(id, 0) + 1
        lost = isinstance(error, FileNotFoundError)  # its blob is gone
        log.error("a sticker on its way into a pack crashed", exc_info=error)
        if lost or self._crashes[id] >= MOST_CRASHES:
            self._crashes.pop(id)
            await packs.failed(self._store, id)
            return time.time()
        return time.time() + self._crashes[id]

    async def _finish(self, id: int) -> None:
        while True:
            sticker = await packs.by_id(self._store, id)
            try:
                match sticker.state:
                    case StickerState.WANTED:
                        await self._upload(sticker)
                    case StickerState.UPLOADED:
                        await self._put(sticker)
                    case StickerState.ADDING:
                        await self._look(sticker)
                    case _:
                        return
            except BadRequest as error:
                first = sticker.state != StickerState.ADDING
                await self._refused(await packs.by_id(self._store, id), error, first=first)

    async def _upload(self, sticker: PackSticker) -> None:
        data, _ = await self._drawn(sticker)

        async def upload() -> str:
            file = InputFile(data, filename="sticker.webp")
            sent = await self._bot.upload_sticker_file(
                sticker.person, file, StickerFormat.STATIC, read_timeout=SECONDS, write_timeout=SECONDS
            )
            return sent.file_id

        await packs.uploaded(
            self._store, sticker.id, await self._limited(sticker.person, "uploadStickerFile", upload)
        )

    async def _put(self, sticker: PackSticker) -> None:
        """Add to the current pack, or make the next one with this sticker as its first."""
        _, job = await self._drawn(sticker)
        pack = await packs.current(self._store, sticker.person, job.keyword)
        if pack is None:
            pack = await self._plan(sticker.person, job.keyword)
        self._limits.check(sticker.person, _method(pack))
        if pack.state == PackState.NEW and await packs.uncertain(self._store, pack.id):
            raise Later(time.time() + LOOK_AGAIN_SECONDS)  # another sticker's call may have made it
        inside = await self._inside(pack)
        if pack.state == PackState.NEW and inside is not None:
            await packs.mark(self._store, pack.id, PackState.GONE)  # from an earlier database: leave it alone
            return
        if pack.state == PackState.LIVE and inside is None:
            await self._invisible(pack)
            return
        if inside is not None and len(inside) >= MAX_STICKERS:
            await packs.mark(self._store, pack.id, PackState.FULL)
            return  # the next round takes another pack
        before = [one.file_unique_id for one in inside or ()]
        await packs.adding(self._store, sticker.id, pack.id, before)
        await self._write(pack, sticker, job)

    async def _write(self, pack: Pack, sticker: PackSticker, job: Job) -> None:
        """The one call that changes a set, and its row. Emoji that Telegram does not know become the default."""
        assert sticker.file_id is not None
        language = (await people.get(self._store, job.person)).writes_in
        prompt = captions.without_keyword(job.prompt_original or job.prompt, job.keyword)
        one = InputSticker(
            sticker.file_id,
            emoji_for(prompt, language),
            StickerFormat.STATIC,
            keywords=keywords_for(prompt, job.keyword, language),
        )
        try:
            await self._limited(sticker.person, _method(pack), lambda: self._call(pack, one))
        except Held:
            await packs.not_added(self._store, sticker.id)  # 429: Telegram has done nothing
            raise
        await packs.added(self._store, sticker.id, pack.id)

    async def _call(self, pack: Pack, one: InputSticker) -> None:
        try:
            if pack.state == PackState.NEW:
                await self._bot.create_new_sticker_set(
                    pack.person, pack.name, pack.title, [one], read_timeout=SECONDS, write_timeout=SECONDS
                )
            else:
                await self._bot.add_sticker_to_set(
                    pack.person, pack.name, one, read_timeout=SECONDS, write_timeout=SECONDS
                )
        except BadRequest as error:
            if list(one.emoji_list) == DEFAULT_EMOJI or not _says(error, "emoji"):
                raise
            plain = InputSticker(one.sticker, DEFAULT_EMOJI, StickerFormat.STATIC, keywords=one.keywords)
            await self._call(pack, plain)

    async def _look(self, sticker: PackSticker) -> None:
        """The last call may have been heard: look into the set before anything else."""
        assert sticker.pack is not None
        pack = await packs.get(self._store, sticker.pack)
        data, job = await self._drawn(sticker)
        inside = await self._inside(pack, patient=pack.state == PackState.NEW)
        if inside is None and pack.state == PackState.NEW:
            await self._write(pack, sticker, job)  # the same name again: it cannot make two sets
        elif inside is None:
            await self._invisible(pack)
            await packs.not_added(self._store, sticker.id)
        elif await self._shows(sticker, inside, data):
            await packs.added(self._store, sticker.id, pack.id)
        else:
            if pack.state == PackState.NEW:  # there was none before our call: it has made this one
                await packs.mark(self._store, pack.id, PackState.LIVE)
            await packs.not_added(self._store, sticker.id)

    async def _shows(self, sticker: PackSticker, inside: tuple[Sticker, ...], data: bytes) -> bool:
        """Whether a sticker that was not in the set before shows the picture."""
        for one in inside:
            if one.file_unique_id not in sticker.ids_before:
                theirs = await self._sender.download(sticker.person, one.file_id)
                if await asyncio.to_thread(same_picture, data, theirs):
                    return True
        return False

    async def _invisible(self, pack: Pack) -> None:
        """A pack that was made is not there: too new to be seen (raises Later), or deleted by its owner."""
        if time.time() - pack.made_at < SLOW_SECONDS:
            raise Later(time.time() + LOOK_AGAIN_SECONDS)
        await packs.mark(self._store, pack.id, PackState.GONE)

    async def _refused(self, sticker: PackSticker, error: BadRequest, *, first: bool) -> None:
        """Handle a refusal: of this pack, of its name, of the uploaded file, or of the sticker for good.

        ``first``: no call before this one may have been heard.
        """
        pack = await packs.get(self._store, sticker.pack) if sticker.pack else None
        if pack and _says(error, "stickers_too_much", "too many stickers"):
            await packs.mark(self._store, pack.id, PackState.FULL)
            await packs.not_added(self._store, sticker.id)
        elif pack and not first and _says(error, "occupied") and time.time() - pack.made_at < SLOW_SECONDS:
            # It was free before: an unheard call of ours has made it. The state stays: look again.
            if await self._inside(pack, patient=True) is None:
                raise Later(time.time() + LOOK_AGAIN_SECONDS)
        elif pack and pack.state == PackState.LIVE and _says(error, "stickerset_invalid", "_not_found"):
            await packs.not_added(self._store, sticker.id)
            await self._invisible(pack)
        elif pack and _says(error, "occupied", "set name", "short_name", "stickerset_invalid", "_not_found"):
            await packs.mark(self._store, pack.id, PackState.GONE)
            await packs.not_added(self._store, sticker.id)
            await self._count_refusal(sticker)
        elif pack and _says(error, "wrong file identifier", "wrong remote file", "file_reference"):
            await packs.upload_again(self._store, sticker.id)
            await self._count_refusal(sticker)
        else:
            log.error("a sticker was refused: %s", error)
            await packs.failed(self._store, sticker.id)

    async def _count_refusal(self, sticker: PackSticker) -> None:
        if await packs.refused(self._store, sticker.id) >= MOST_REFUSALS:
            log.error("a sticker was given up after %d refused calls", MOST_REFUSALS)
            await packs.failed(self._store, sticker.id)

    async def _plan(self, person: int, keyword: str) -> Pack:
        number = 1 + await packs.how_many(self._store, person, keyword)
        owner = await people.get(self._store, person)
        name = set_name(keyword, person, number, self._bot.username)
        called = keyword or Words(owner.language).plain("pack-title")
        return await packs.plan(self._store, person, keyword, name, set_title(owner.name, called, number))

    async def _inside(self, pack: Pack, *, patient: bool = False) -> tuple[Sticker, ...] | None:
        """The set's stickers; None if there is no such set of this bot, or none that can be seen yet."""
        for pause in (*(LAG if patient else ()), None):
            try:
                found = await self._limited(
                    pack.person,
                    "getStickerSet",
                    lambda: self._bot.get_sticker_set(pack.name, read_timeout=SECONDS),
                    paced=False,
                )
                return found.stickers
            except BadRequest as error:
                if not _says(error, "stickerset_invalid", "not found"):
                    raise
            if pause is not None:
                await asyncio.sleep(pause)
        return None

    async def _limited(
        self, person: int, method: str, call: Callable[[], Awaitable[Result]], *, paced: bool = True
    ) -> Result:
        return await self._limits.at_once(person, method, call, paced=paced)

    async def _drawn(self, sticker: PackSticker) -> tuple[bytes, Job]:
        """The sticker's file and the job that drew it."""
        found = await drawings.get(self._store, sticker.person, sticker.drawing)
        if found is None:
            raise FileNotFoundError(f"drawing {sticker.drawing}")
        return await self._blobs.read(found[0].blob), found[1]


def _method(pack: Pack) -> str:
    """The method that puts a sticker into this pack."""
    return "createNewStickerSet" if pack.state == PackState.NEW else "addStickerToSet"


def _says(error: TelegramError, *parts: str) -> bool:
    """Whether the error is one of these. python-telegram-bot changes the case of Telegram's texts."""
    text = str(error).lower()
    return any(part in text for part in parts)
