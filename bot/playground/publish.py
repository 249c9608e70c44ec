"""Packs that people have made elsewhere, and stickers that move: what a bot can be sent and can look up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from bot.playground import content, limits, pictures
from bot.playground.files import Content
from bot.playground.limits import bad_request
from bot.playground.wire import Upload
from bot.playground.world import World

VIDEO_BYTES, ANIMATED_BYTES = 256 << 10, 64 << 10
MIMES = {"webm": "video/webm", "tgs": "application/x-tgsticker"}


async def sticker_file(upload: Upload) -> Content:
    """A person's file as a sticker: .webm and .tgs as they are, anything else as an app makes a sticker of it."""
    suffix = upload.name.rpartition(".")[2].lower()
    if suffix not in MIMES:
        return content.sticker_content(await asyncio.to_thread(pictures.made_sticker, upload.data))
    if len(upload.data) > (VIDEO_BYTES if suffix == "webm" else ANIMATED_BYTES):
        raise bad_request("file is too big")
    side = limits.STICKER_SIDE
    return Content(kind="sticker", data=upload.data, mime=MIMES[suffix], suffix=suffix, size=(side, side))


async def publish(
    world: World, owner: int, name: str, title: str, stickers: Sequence[tuple[Upload, str]]
) -> None:
    """A pack of a person that no bot has made; each sticker is an upload with its emoji."""
    suffix = f"_by_{world.bot.username}".lower()
    if world.sets.exists(name) or name.lower().endswith(suffix):
        raise bad_request("sticker set name is already occupied")
    if not 1 <= len(stickers) <= limits.SET_STICKERS["regular"]:
        raise bad_request("STICKERS_TOO_MUCH")
    made = [(await sticker_file(upload), emoji) for upload, emoji in stickers]
    with world.change():
        world.sets.create(name, owner, title)
        for file, emoji in made:
            kept = world.files.add(file)
            world.sets.append(name, kept, source=kept.unique_id, emoji=[emoji or "🎨"], keywords=[])
