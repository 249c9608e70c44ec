"""A picture on its way to being a sample: its size checked, fetched, decoded, stored once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial

from telegram.error import BadRequest

from bot import captioning, decoding, quotas
from bot.blobs import Blobs
from bot.config import Quotas
from bot.errors import UserError
from bot.moving import still
from bot.sender import Sender
from bot.slots import without_slot
from bot.store import Store
from bot.tables import albums, samples
from bot.tables.samples import CaptionOrigin, Sample
from bot.tables.styles import Style
from lora.data import pictures
from lora.data.pictures import PictureError
from lora.data.shrink import open_apart

FETCHED_AT_ONCE = 4  # files of up to 20 MB in memory
DECODED_AT_ONCE = 1  # a sticker that moves is decoded by a process of its own
ENOUGH_PX = 64  # of a picture that is decoded only to be sure of it


class Taken(Enum):
    """The result of an offer."""

    NEW = auto()  # it is a sample
    AGAIN = auto()  # its file is a sample already
    RECAPTIONED = auto()  # its file is a sample already, and has the offer's caption now


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


class Intake:
    """Makes samples of offers. Doing it twice for one message changes nothing."""

    def __init__(
        self, *, store: Store, blobs: Blobs, sender: Sender, limits_of: Callable[[int], Quotas]
    ) -> None:
        self._limits_of = limits_of
        self._store = store
        self._blobs = blobs
        self._sender = sender
        self._fetching = asyncio.Semaphore(FETCHED_AT_ONCE)
        self._decoding = asyncio.Semaphore(DECODED_AT_ONCE)

    async def take(self, style: Style, offer: Offer, most: int) -> Taken:
        """Make a sample of a style that may have ``most``. Raises UserError, also for a style that is full."""
        if offer.album:
            await albums.add_album_item(
                self._store, style.person, offer.message_id, offer.album, offer.caption, offer.sent_at
            )
        known = await samples.same_file(self._store, style.id, offer.file_unique_id)
        if known is not None and known.message_id != offer.message_id:
            return await self._again(style, offer, known)
        if known is None:
            if style.samples >= most:
                raise UserError("too-many-samples", most=most)
            await self.check_room(style.person, offer.bytes)
            async with without_slot(), self._fetching:
                await self._keep(style, offer, await self._fetch(style.person, offer))
        if offer.album:
            await captioning.deal_out(self._store, style.person, offer.album, style.keyword)
        return Taken.NEW

    async def check_room(self, person: int, bytes: int = 0) -> None:
        """Raise UserError if no more of this person's pictures may be kept."""
        await quotas.check_sample(self._store, self._limits_of(person), person, bytes)

    async def _again(self, style: Style, offer: Offer, known: Sample) -> Taken:
        """The same file again: it stays one sample and gets the new caption, if there is one."""
        if offer.caption is None:
            return Taken.AGAIN
        await captioning.give(
            self._store,
            known.id,
            offer.caption,
            style.keyword,
            offer.language,
            CaptionOrigin.PERSON,
            message_id=offer.message_id,
        )
        return Taken.RECAPTIONED

    async def _fetch(self, person: int, offer: Offer) -> bytes:
        """The picture's bytes, if they are a picture that can be used."""
        if offer.bytes > pictures.MAX_BYTES:
            raise UserError("picture-too-many-bytes")
        try:
            data = await self._sender.download(person, offer.file_id)
        except BadRequest as error:
            if "too big" in str(error).lower():
                raise UserError("picture-too-many-bytes") from error
            raise
        return await self.checked(data, offer.moves)

    async def checked(self, data: bytes, moves: str = "") -> bytes:
        """The file, if it is a picture that can be used; of one that moves, a still picture. Raises UserError."""
        async with self._decoding:
            data = await still(data, moves) if moves else data
            try:
                await decoding.in_turn(partial(open_apart, data, ENOUGH_PX))
            except PictureError as error:
                detail = f" ({error.detail})" if error.detail else ""
                raise UserError(f"picture-{error.code}", detail=detail) from error
        return data

    async def _keep(self, style: Style, offer: Offer, data: bytes) -> None:
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
