"""A picture on its way to being a sample: its size checked, fetched, decoded, stored once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from bot import captioning, quotas
from bot.blobs import Blobs
from bot.config import Quotas
from bot.errors import UserError
from bot.known_pictures import KnownPictures
from bot.moving import still
from bot.sender import Sender
from bot.slots import without_slot
from bot.store import Store
from bot.tables import albums, samples
from bot.tables.samples import CaptionOrigin, Sample
from bot.tables.styles import Style
from lora.checks.likeness import Likeness
from lora.data import pictures
from lora.data.pictures import PictureError

GIF = (b"GIF87a", b"GIF89a")  # how such a file begins
FETCHED_AT_ONCE = 4  # files of up to 20 MB in memory
DECODED_AT_ONCE = 1  # a sticker that moves is decoded by a process of its own


class Taken(Enum):
    """The result of an offer."""

    NEW = auto()  # it is a sample
    AGAIN = auto()  # it is a sample already
    CLEARER = auto()  # it is a sample already, which has the offer's file now: that has transparency
    RECAPTIONED = auto()  # it is a sample already, and has the offer's caption now


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One picture in one message of a person."""

    file_id: str
    file_unique_id: str
    bytes: int
    kind: str  # sticker | photo | file
    message_id: int
    sent_at: float
    language: str = "en"  # in which its caption probably is
    album: str | None = None
    caption: str | None = field(default=None, repr=False)
    draft: str | None = field(default=None, repr=False)
    pack: str | None = None  # the name of the sticker set that it is from
    emoji: str = ""
    moves: str = ""  # "video" or "animated": a sticker that moves


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A file that can be a sample."""

    data: bytes = field(repr=False)
    likeness: Likeness = field(repr=False)


class Intake:
    """Makes samples of offers. Doing it twice for one message changes nothing."""

    def __init__(
        self, *, store: Store, blobs: Blobs, sender: Sender, limits_of: Callable[[int], Quotas]
    ) -> None:
        self._limits_of = limits_of
        self._store = store
        self._blobs = blobs
        self._sender = sender
        self.known = KnownPictures(store=store, blobs=blobs)
        self._fetching = asyncio.Semaphore(FETCHED_AT_ONCE)
        self._decoding = asyncio.Semaphore(DECODED_AT_ONCE)

    async def take(self, style: Style, offer: Offer, most: int) -> tuple[Taken, int]:
        """Make a sample of a style that may have ``most``; gives its id, or that of the one that shows the same.

        Raises UserError, also for a style that is full.
        """
        if offer.album:
            await albums.add_album_item(
                self._store, style.person, offer.message_id, offer.album, offer.caption, offer.sent_at
            )
        known = await samples.same_file(self._store, style.id, offer.file_unique_id)
        if known is not None and known.message_id != offer.message_id:
            return await self._again(style, offer, known, Taken.AGAIN)
        if known is None:
            if style.samples >= most:
                raise UserError("too-many-samples", most=most)
            await self.check_room(style.person, offer.bytes)
            async with without_slot(), self._fetching:
                picture = await self._fetch(style.person, offer)
                if (alike := await self.known.find(style.id, picture.likeness)) is not None:
                    clearer = await self.clear_up(alike, picture, offer.file_unique_id, offer.kind)
                    return await self._again(style, offer, alike, Taken.CLEARER if clearer else Taken.AGAIN)
                id = await self._keep(style, offer, picture.data)
        else:
            id = known.id
        if offer.album:
            await captioning.deal_out(self._store, style.person, offer.album, style.keyword)
        return Taken.NEW, id

    async def check_room(self, person: int, bytes: int = 0) -> None:
        """Raise UserError if no more of this person's pictures may be kept."""
        await quotas.check_sample(self._store, self._limits_of(person), person, bytes)

    async def clear_up(self, known: Sample, picture: Checked, file_unique_id: str, kind: str) -> bool:
        """Give a sample without transparency a file of the same picture that has it; False if there is no need."""
        has = await self.known.of_sample(known)
        if picture.likeness.opaque or has is None or not has.opaque:
            return False
        async with self._blobs.keep(picture.data) as (name,), self._store.transaction():
            await samples.give_file(
                self._store,
                known.id,
                file_unique_id=file_unique_id,
                blob=name,
                kind=kind,
                bytes=len(picture.data),
            )
        await self._blobs.sweep([known.blob])
        return True

    async def _again(self, style: Style, offer: Offer, known: Sample, taken: Taken) -> tuple[Taken, int]:
        """The same picture again: it stays one sample and gets the new caption, if there is one."""
        if offer.caption is None:
            return taken, known.id
        await captioning.give(
            self._store,
            known.id,
            offer.caption,
            style.keyword,
            offer.language,
            CaptionOrigin.PERSON,
            message_id=offer.message_id,
        )
        return Taken.RECAPTIONED, known.id

    async def _fetch(self, person: int, offer: Offer) -> Checked:
        """The picture, if it can be used."""
        if offer.bytes > pictures.MAX_BYTES:
            raise UserError("picture-too-many-bytes")
        return await self.checked(await self._sender.sent_file(person, offer.file_id), offer.moves)

    async def checked(self, data: bytes, moves: str = "") -> Checked:
        """The file, if it is a picture that can be used; of one that moves, a still picture. Raises UserError."""
        async with self._decoding:
            data = await still(data, moves) if moves else data
            try:
                return Checked(data=data, likeness=await self.known.likeness(data))
            except PictureError as error:
                detail = f" ({error.detail})" if error.detail else ""
                if error.code == "format" and data.startswith(GIF):
                    raise UserError("picture-gif") from error
                raise UserError(f"picture-{error.code}", detail=detail) from error

    async def _keep(self, style: Style, offer: Offer, data: bytes) -> int:
        async with self._blobs.keep(data) as (name,), self._store.transaction():
            sample = await samples.add(
                self._store,
                style=style.id,
                file_unique_id=offer.file_unique_id,
                blob=name,
                kind=offer.kind,
                message_id=offer.message_id,
                sent_at=offer.sent_at,
                draft=offer.draft,
                pack=offer.pack,
                emoji=offer.emoji,
                bytes=len(data),
            )
            if offer.caption and not offer.album:
                await captioning.give(
                    self._store, sample, offer.caption, style.keyword, offer.language, CaptionOrigin.PERSON
                )
        return sample
