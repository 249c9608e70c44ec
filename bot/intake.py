"""A picture on its way to being a sample: weighed, fetched, looked at, stored once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from telegram.error import BadRequest

from bot import captioning
from bot.blobs import Blobs
from bot.errors import UserError
from bot.sender import Sender
from bot.store import Store
from bot.tables import samples
from bot.tables.styles import Style
from lora.data import pictures
from lora.data.pictures import PictureError

DECODED_AT_ONCE = 2  # a picture of 16 megapixels takes 64 MB while it is looked at


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What somebody sent: one picture in one message."""

    file_id: str
    file_unique_id: str
    bytes: int
    kind: str  # sticker | photo | file
    message_id: int
    sent_at: float
    album: str | None = None
    caption: str | None = field(default=None, repr=False)
    draft: str | None = field(default=None, repr=False)


class Intake:
    """Makes samples of offers. Doing it twice for one message changes nothing."""

    def __init__(self, *, store: Store, blobs: Blobs, sender: Sender) -> None:
        self._store = store
        self._blobs = blobs
        self._sender = sender
        self._decoding = asyncio.Semaphore(DECODED_AT_ONCE)

    async def take(self, style: Style, offer: Offer) -> bool:
        """Make a sample; False if the style has this file from another message. Raises UserError."""
        if offer.album:
            await samples.add_album_item(
                self._store, style.person, offer.message_id, offer.album, offer.caption
            )
        known = await samples.same_file(self._store, style.id, offer.file_unique_id)
        if known is not None and known.message_id != offer.message_id:
            return False
        if known is None:
            await self._keep(style, offer, await self._fetch(offer))
        if offer.album:
            await captioning.deal_out(self._store, style.person, offer.album, style.keyword)
        return True

    async def _fetch(self, offer: Offer) -> bytes:
        """The picture's bytes, if they are a picture that can be used."""
        if offer.bytes > pictures.MAX_BYTES:
            raise UserError("picture-too-many-bytes")
        try:
            data = await self._sender.download(offer.file_id)
        except BadRequest as error:
            if "too big" in str(error).lower():
                raise UserError("picture-too-many-bytes") from error
            raise
        async with self._decoding:
            try:
                await asyncio.to_thread(pictures.open_rgba, data)
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
            )
            if offer.caption and not offer.album:
                await captioning.give(self._store, sample, offer.caption, style.keyword, "person")
