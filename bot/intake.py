"""A picture on its way to being a sample: weighed, fetched, looked at, stored once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from telegram.error import BadRequest

from bot import captioning
from bot.blobs import Blobs
from bot.errors import UserError
from bot.post import Post
from bot.store import Store
from bot.tables import samples
from bot.tables.styles import Style
from lora import pictures
from lora.pictures import PictureError

DECODING = asyncio.Semaphore(2)  # a picture of 16 megapixels takes 64 MB while it is looked at


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


async def take(store: Store, blobs: Blobs, post: Post, style: Style, offer: Offer) -> bool:
    """Make a sample of the offer; False if the style has this file from another message. Raises UserError.

    Doing it twice for one message changes nothing.
    """
    if offer.album:
        await samples.add_album_item(store, style.person, offer.message_id, offer.album, offer.caption)
    known = await samples.same_file(store, style.id, offer.file_unique_id)
    if known is not None and known.message_id != offer.message_id:
        return False
    if known is None:
        await _store(store, blobs, style, offer, await _fetch(post, offer))
    if offer.album:
        await captioning.deal_out(store, style.person, offer.album, style.keyword)
    return True


async def _fetch(post: Post, offer: Offer) -> bytes:
    """The picture's bytes, if they are a picture that can be used."""
    if offer.bytes > pictures.MAX_BYTES:
        raise UserError("picture-too-many-bytes")
    try:
        data = await post.download(offer.file_id)
    except BadRequest as error:
        if "too big" in str(error).lower():
            raise UserError("picture-too-many-bytes") from error
        raise
    async with DECODING:
        try:
            await asyncio.to_thread(pictures.open_rgba, data)
        except PictureError as error:
            detail = f" ({error.detail})" if error.detail else ""
            raise UserError(f"picture-{error.code}", detail=detail) from error
    return data


async def _store(store: Store, blobs: Blobs, style: Style, offer: Offer, data: bytes) -> None:
    async with blobs.keep(data) as (name,), store.transaction():
        sample = await samples.add(
            store,
            style=style.id,
            file_unique_id=offer.file_unique_id,
            blob=name,
            kind=offer.kind,
            message_id=offer.message_id,
            sent_at=offer.sent_at,
            draft=offer.draft,
        )
        if offer.caption and not offer.album:
            await captioning.give(store, sample, offer.caption, style.keyword, "person")
