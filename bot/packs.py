"""Telegram's sticker-set rules, and nowhere else: names, limits, and adding a sticker exactly once.

A sticker goes wanted -> uploaded -> adding -> added, each state stored before the next call to Telegram. The
upload gives a file id; adding that very file again leaves a set unchanged. A call that may or may not have
been heard (a kill, a timeout) leaves the state ``adding``, and then the set is counted before anything else.
"""

from __future__ import annotations

import asyncio
import logging
import re

from telegram import Bot, InputFile, InputSticker
from telegram.constants import StickerFormat, StickerLimit, StickerSetLimit
from telegram.error import BadRequest, Forbidden, TelegramError

from bot.blobs import Blobs
from bot.deliver import below
from bot.per_person import PerPerson
from bot.rate_limit import RateLimiter
from bot.sender import SECONDS, Sender
from bot.store import Store
from bot.tables import drawings, packs, people
from bot.tables.jobs import Job
from bot.tables.packs import Pack, PackSticker
from bot.words import Html, Words
from lora.data import captions

log = logging.getLogger(__name__)

MAX_STICKERS = int(StickerSetLimit.MAX_STATIC_STICKERS)
MAX_NAME = 64  # characters of a name, and of a title
DEFAULT_EMOJI = ["🎨"]
LAG = (0.5, 0.5, 1.0, 1.0, 2.0)  # seconds; a set may be invisible for a moment after it was made

SMALL_WORDS = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "in",
        "on",
        "at",
        "by",
        "to",
        "with",
        "and",
        "or",
        "for",
        "from",
        "is",
        "are",
        "its",
        "his",
        "her",
        "my",
        "your",
    ]
)


class Packs:
    """Puts the stickers that people want into their packs, one at a time per person."""

    def __init__(
        self, *, bot: Bot, rate_limiter: RateLimiter, sender: Sender, store: Store, blobs: Blobs
    ) -> None:
        self._bot = bot
        self._paced = rate_limiter
        self._sender = sender
        self._store = store
        self._blobs = blobs
        self._per_person = PerPerson(self._serve)

    def wake(self, person: int) -> None:
        """The person wants a sticker added."""
        self._per_person.wake(person)

    async def resume(self) -> None:
        """Go on with what was on its way when the process ended."""
        for person in await packs.people_waiting(self._store):
            self.wake(person)

    async def close(self) -> None:
        """Stop where it stands."""
        await self._per_person.close()

    async def _serve(self, person: int) -> None:
        try:
            while waiting := await packs.open_of(self._store, person):
                await self._advance(waiting[0])
            await self._tell(person)
        except Forbidden:
            await people.block(self._store, person)

    async def _advance(self, sticker: PackSticker) -> None:
        """Take one sticker one state further."""
        try:
            if sticker.state == "wanted":
                await self._upload(sticker)
            elif sticker.state == "uploaded":
                await self._put(sticker)
            else:
                await self._look(sticker)
        except BadRequest as error:
            await self._refused(sticker, error)

    async def _upload(self, sticker: PackSticker) -> None:
        found = await drawings.get(self._store, sticker.person, sticker.drawing)
        assert found is not None
        data = await self._blobs.read(found[0].blob)
        file = await self._paced(
            sticker.person,
            lambda: self._bot.upload_sticker_file(
                sticker.person,
                InputFile(data, filename="sticker.webp"),
                StickerFormat.STATIC,
                read_timeout=SECONDS,
                write_timeout=SECONDS,
            ),
        )
        await packs.uploaded(self._store, sticker.id, file.file_id)

    async def _put(self, sticker: PackSticker) -> None:
        """Add to the current pack, or make the next one with this sticker as its first."""
        found = await drawings.get(self._store, sticker.person, sticker.drawing)
        assert found is not None
        job = found[1]
        pack = await packs.current(self._store, sticker.person, job.keyword)
        if pack is None:
            pack = await self._plan(sticker.person, job.keyword)
        count = await self._count(pack.name)
        if pack.state == "live" and (count is None or count >= MAX_STICKERS):
            await packs.mark(self._store, pack.id, "gone" if count is None else "full")
            return  # the next round takes another pack
        if pack.state == "new" and count is not None:
            await packs.mark(self._store, pack.id, "gone")  # from an earlier database: leave it alone
            return
        await packs.adding(self._store, sticker.id, pack.id, count or 0)
        await self._paced(sticker.person, lambda: self._write(pack, sticker, job), retry=False)
        await packs.added(self._store, sticker.id, pack.id)

    async def _write(self, pack: Pack, sticker: PackSticker, job: Job, *, plain: bool = False) -> None:
        """The one call that changes a set. Emoji newer than Telegram's are replaced by the default."""
        assert sticker.file_id is not None
        one = InputSticker(
            sticker.file_id,
            DEFAULT_EMOJI if plain else emoji_for(job.prompt),
            StickerFormat.STATIC,
            keywords=keywords_for(job.prompt),
        )
        try:
            if pack.state == "new":
                await self._bot.create_new_sticker_set(
                    pack.person, pack.name, pack.title, [one], read_timeout=SECONDS, write_timeout=SECONDS
                )
            else:
                await self._bot.add_sticker_to_set(
                    pack.person, pack.name, one, read_timeout=SECONDS, write_timeout=SECONDS
                )
        except BadRequest as error:
            if plain or not _says(error, "emoji"):
                raise
            await self._write(pack, sticker, job, plain=True)

    async def _look(self, sticker: PackSticker) -> None:
        """The last call may have been heard: count the set before anything else."""
        assert sticker.pack is not None
        assert sticker.count_before is not None
        pack = await packs.get(self._store, sticker.pack)
        count = await self._count(pack.name, patient=pack.state == "new")
        if count is not None and count > sticker.count_before:
            await packs.added(self._store, sticker.id, pack.id)
            return
        await packs.not_added(self._store, sticker.id)

    async def _refused(self, sticker: PackSticker, error: BadRequest) -> None:
        """Telegram's no: to this pack, to this name, to this upload, or to the sticker for good."""
        now = await packs.by_drawing(self._store, sticker.drawing)
        assert now is not None
        pack = await packs.get(self._store, now.pack) if now.pack else None
        if pack and _says(error, "stickers_too_much", "too many stickers", "stickerpack_stickers_too_much"):
            await packs.mark(self._store, pack.id, "full")
            await packs.not_added(self._store, now.id)
        elif pack and _says(error, "occupied") and await self._count(pack.name, patient=True):
            await packs.added(
                self._store, now.id, pack.id
            )  # it was free a moment ago: an unheard call made it
        elif pack and _says(error, "occupied", "name", "stickerset_invalid", "stickerpack_not_found"):
            await packs.mark(self._store, pack.id, "gone")
            await packs.not_added(self._store, now.id)
        elif pack and _says(error, "wrong file identifier", "wrong remote file", "file_reference"):
            await packs.upload_again(self._store, now.id)
        else:
            log.error("a sticker was refused: %s", error)
            await packs.failed(self._store, now.id)

    async def _plan(self, person: int, keyword: str) -> Pack:
        number = 1 + await packs.how_many(self._store, person, keyword)
        owner = await people.get(self._store, person)
        name = set_name(keyword, person, number, self._bot.username)
        return await packs.plan(self._store, person, keyword, name, set_title(owner.name, keyword, number))

    async def _count(self, name: str, *, patient: bool = False) -> int | None:
        """How many stickers the set has; None if there is no such set of this bot."""
        for pause in (*(LAG if patient else ()), None):
            try:
                return len((await self._bot.get_sticker_set(name, read_timeout=SECONDS)).stickers)
            except BadRequest as error:
                if not _says(error, "stickerset_invalid", "not found"):
                    raise
            if pause is not None:
                await asyncio.sleep(pause)
        return None

    async def _tell(self, person: int) -> None:
        """One message for all that has come in since the last, and the buttons below the stickers."""
        untold = await packs.untold_of(self._store, person)
        if not untold:
            return
        words = Words((await people.get(self._store, person)).language)
        for sticker in untold:
            if sticker.state == "added":
                await self._mark_button(words, sticker)
        for pack in {sticker.pack for sticker in untold if sticker.state == "added" and sticker.pack}:
            await self._announce(words, await packs.get(self._store, pack), untold)
        if failed := sum(sticker.state == "failed" for sticker in untold):
            await self._sender.text(person, words("pack-refused", n=failed))
        await packs.tell(self._store, [sticker.id for sticker in untold])

    async def _announce(self, words: Words, pack: Pack, untold: list[PackSticker]) -> None:
        n = sum(sticker.pack == pack.id for sticker in untold)
        link = f"https://t.me/addstickers/{pack.name}"
        text = words("pack-added", n=n, title=pack.title, link=Html(link))
        await self._sender.text(pack.person, text, buttons=[[(words.plain("button-open-pack"), link)]])

    async def _mark_button(self, words: Words, sticker: PackSticker) -> None:
        found = await drawings.get(self._store, sticker.person, sticker.drawing)
        if found is None or not found[0].message_id or sticker.pack is None:
            return
        pack = await packs.get(self._store, sticker.pack)
        buttons = below(words, found[1], found[0], pack)
        await self._sender.edit_buttons(sticker.person, found[0].message_id, buttons)


def set_name(keyword: str, person: int, number: int, username: str) -> str:
    """A set's name: keyword, owner and number, then the suffix that Telegram demands; 64 characters at most.

    It starts with a letter, has only letters, digits and single underscores. The keyword is cut to fit,
    never the suffix.
    """
    suffix = f"_{_base36(person)}_{number}_by_{username}"
    slug = re.sub("[^a-z0-9]", "", keyword.lower()).lstrip("0123456789") or "stickers"
    return slug[: MAX_NAME - len(suffix)] + suffix


def set_title(owner: str, keyword: str, number: int) -> str:
    """What people read on the pack; 64 characters at most."""
    end = f" · {keyword or 'stickers'}{f' {number}' if number > 1 else ''}"
    return owner.strip()[: MAX_NAME - len(end)] + end


def emoji_for(prompt: str) -> list[str]:
    """The emoji that Telegram suggests the sticker for; 1 to 3."""
    return captions.emoji_for(prompt, 3) or DEFAULT_EMOJI


def keywords_for(prompt: str) -> list[str]:
    """Words that the sticker is found by; at most 20, at most 64 characters in all."""
    found: list[str] = []
    for word in dict.fromkeys(re.findall(r"\w+", prompt.lower())):
        fits = sum(map(len, found)) + len(word) <= StickerLimit.MAX_KEYWORD_LENGTH
        if (
            len(word) > 1
            and word not in SMALL_WORDS
            and fits
            and len(found) < StickerLimit.MAX_SEARCH_KEYWORDS
        ):
            found.append(word)
    return found


def _says(error: TelegramError, *parts: str) -> bool:
    """Whether the error is one of these. python-telegram-bot changes the case of Telegram's texts."""
    text = str(error).lower()
    return any(part in text for part in parts)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"
