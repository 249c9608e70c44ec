"""What a message holds: text, or a photo, document or sticker made from an upload or a file_id."""

from __future__ import annotations

import asyncio
import mimetypes
import re
from collections.abc import Awaitable, Callable

from bot.playground import limits, pictures
from bot.playground.entities import formatted
from bot.playground.files import Content, File
from bot.playground.limits import bad_request
from bot.playground.wire import Call, Json, Upload, is_whole
from bot.playground.world import World

MEDIA = ("photo", "document", "sticker")


def text_of(call: Call) -> Json:
    """``text`` and its entities, after the checks."""
    text, entities = _formatted(call, call.text("text", ""), "entities")
    if not text:
        raise bad_request("message text is empty")
    if len(text) > limits.TEXT_CHARACTERS:
        raise bad_request("message is too long")
    return {"text": text} | ({"entities": entities} if entities else {})


def caption_of(call: Call) -> Json:
    """``caption`` and its entities, after the checks; ``{}`` without a caption."""
    text, entities = _formatted(call, call.text("caption", ""), "caption_entities")
    if len(text) > limits.CAPTION_CHARACTERS:
        raise bad_request("message caption is too long")
    if not text:
        return {}
    return {"caption": text} | ({"caption_entities": entities} if entities else {})


def _formatted(call: Call, text: str, field: str) -> tuple[str, list[Json]]:
    if call.has("parse_mode"):
        return formatted(text, call.text("parse_mode"))
    plain, automatic = formatted(text, "")
    given = call.objects(field)
    if not all(is_whole(entity.get(key)) for entity in given for key in ("offset", "length")):
        raise bad_request("can't parse MessageEntity: its offset and length must be numbers")
    return plain, sorted(given + automatic, key=lambda e: (e["offset"], -e["length"]))


async def photo(world: World, source: Upload | str) -> Json:
    """``photo``: JPEG sizes of an upload, or those of a file_id."""
    if isinstance(source, str):
        return photo_json(world.files.photo(_of_kind(world, source, "photo")))
    sizes = await asyncio.to_thread(pictures.photo_sizes, _bytes(source))
    return photo_json(world.files.add_photo([_picture("photo", size) for size in sizes]))


async def document(world: World, source: Upload | str) -> Json:
    """``document``: an unchanged upload, or the document of a file_id."""
    if isinstance(source, str):
        return document_json(_of_kind(world, source, "document"))
    return document_json(world.files.add(document_content(source)))


async def sticker(world: World, source: Upload | str, emoji: str | None = None) -> Json:
    """``sticker``: a WebP upload, or the sticker of a file_id."""
    if isinstance(source, str):
        return {"sticker": world.sets.sticker_json(_of_kind(world, source, "sticker"))}
    picture = await asyncio.to_thread(pictures.sent_sticker, _bytes(source))
    file = world.files.add(_picture("sticker", picture))
    return {"sticker": world.sets.sticker_json(file, emoji)}


MAKERS: dict[str, Callable[[World, Upload | str], Awaitable[Json]]] = {"photo": photo, "document": document}


def photo_json(sizes: list[File]) -> Json:
    """The PhotoSizes of the Bot API, smallest first."""
    return {"photo": [size.json() | {"width": size.width, "height": size.height} for size in sizes]}


def document_json(file: File) -> Json:
    """The Document of the Bot API."""
    return {"document": file.json() | {"file_name": file.name or "file", "mime_type": file.mime}}


def document_content(upload: Upload) -> Content:
    """An upload as a document, with the type that its name tells."""
    name = re.split(r"[/\\]", upload.name)[-1][:100] or "file"
    mime = mimetypes.guess_type(name)[0] or "application/octet-stream"
    suffix = re.sub(r"[^a-z0-9]", "", name.rpartition(".")[2].lower())[:8] or "bin"
    size = pictures.size_of(upload.data) or (0, 0)
    return Content(kind="document", data=_bytes(upload), mime=mime, suffix=suffix, name=name, size=size)


def sticker_content(picture: pictures.Picture) -> Content:
    """A sticker's picture as a file."""
    return _picture("sticker", picture)


def _picture(kind: str, picture: pictures.Picture) -> Content:
    suffix = pictures.SUFFIXES[picture.format]
    mime = f"image/{picture.format.lower()}"
    size = (picture.width, picture.height)
    return Content(kind=kind, data=picture.data, mime=mime, suffix=suffix, size=size)


def _bytes(upload: Upload) -> bytes:
    if not upload.data:
        raise bad_request("file must be non-empty")
    if len(upload.data) > limits.UPLOAD_BYTES:
        raise limits.ApiError(413, "Request Entity Too Large")
    return upload.data


def _of_kind(world: World, file_id: str, kind: str) -> File:
    file = world.files.by_id(file_id)
    if file.kind != kind:
        raise bad_request(f"can't use file of type {file.kind.title()} as {kind.title()}")
    return file
