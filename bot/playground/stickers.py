"""Methods on stickers and sticker sets, with Telegram's rules for them.

Rules: https://core.telegram.org/bots/api#stickers. The texts that Telegram does not document for a rule
(too many keywords, position out of range) are likely ones, all others are its own.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

import emoji

from bot.playground import content, limits, pictures
from bot.playground.files import File
from bot.playground.limits import ApiError, bad_request
from bot.playground.wire import Call, Json, Upload
from bot.playground.world import World

NAME = re.compile(r"[A-Za-z](?:_?[A-Za-z0-9])*")  # no two underscores in a row, none at the end


@dataclass(frozen=True, kw_only=True)
class NewSticker:
    """A checked InputSticker. ``source`` tells the same uploaded file from another one."""

    file: File
    source: str
    emoji: Sequence[str]
    keywords: Sequence[str]


async def get_sticker_set(world: World, call: Call) -> Json:
    """A set with its stickers in order."""
    return world.sets.json(call.text("name"))


async def upload_sticker_file(world: World, call: Call) -> Json:
    """A file that may be used in sets many times."""
    _check_owner(world, call)
    _check_format(call.text("sticker_format"))
    upload = call.file("sticker")
    if isinstance(upload, str):
        raise bad_request("there is no sticker file in the request")
    return (await _stored(world, upload)).json()


async def create_new_sticker_set(world: World, call: Call) -> bool:
    """A new set of 1-50 stickers owned by a person who has talked to the bot."""
    owner, name, title = _check_owner(world, call), call.text("name"), _title(call)
    _check_name(world, name)
    kind = call.text("sticker_type", "regular")
    if kind not in limits.SET_STICKERS:
        raise bad_request("the playground makes regular and custom emoji sticker sets only")
    items = call.objects("stickers")
    if not items:
        raise bad_request("STICKERS_EMPTY")
    if len(items) > limits.SET_STICKERS_AT_CREATION:
        raise bad_request("Too many stickers specified")
    stickers = [await _new_sticker(world, call, item, kind) for item in items]
    with world.change():
        if world.sets.exists(name):
            raise bad_request("sticker set name is already occupied")
        world.sets.create(name, owner, title, kind)
        for sticker in stickers:
            _append(world, name, sticker)
    _tell(world, name)
    return True


async def add_sticker_to_set(world: World, call: Call) -> bool:
    """One more sticker at the end. The very same file again changes nothing, and is True all the same."""
    name = _set_of(world, call)
    kind = world.sets.type(name)
    sticker = await _new_sticker(world, call, call.json("sticker"), kind)
    with world.change():
        world.sets.owner(name)  # it may have been deleted while the picture was looked at
        if world.sets.has(name, sticker.source):
            return True
        if len(world.sets.stickers(name)) >= limits.SET_STICKERS[kind]:
            raise bad_request("STICKERS_TOO_MUCH")
        _append(world, name, sticker)
    _tell(world, name)
    return True


async def replace_sticker_in_set(world: World, call: Call) -> bool:
    """Another sticker in the place of an old one."""
    name = _set_of(world, call)
    old = _sticker(world, call.text("old_sticker"))
    if world.sets.set_of(old) != name:
        raise bad_request("STICKERSET_INVALID")
    sticker = await _new_sticker(world, call, call.json("sticker"), world.sets.type(name))
    with world.change():
        if world.sets.set_of(old) != name:  # it may have been deleted while the picture was looked at
            raise bad_request("STICKERSET_INVALID")
        position = world.sets.stickers(name).index(old.id)
        world.sets.remove(old)
        world.sets.move(_append(world, name, sticker), position)
    _tell(world, name)
    return True


async def delete_sticker_from_set(world: World, call: Call) -> bool:
    """Removes a sticker; the set stays, even when empty."""
    file = _sticker(world, call.text("sticker"))
    name = world.sets.set_of(file)
    with world.change():
        world.sets.remove(file)
    _tell(world, name)
    return True


async def set_sticker_position_in_set(world: World, call: Call) -> bool:
    """Moves a sticker to a zero-based position."""
    file = _sticker(world, call.text("sticker"))
    name, position = world.sets.set_of(file), call.int("position")
    if not 0 <= position < len(world.sets.stickers(name)):
        raise bad_request("STICKER_POSITION_INVALID")
    world.sets.move(file, position)
    _tell(world, name)
    return True


async def set_sticker_emoji_list(world: World, call: Call) -> bool:
    """Changes the emoji of a sticker."""
    file = _sticker(world, call.text("sticker"))
    name = world.sets.set_of(file)
    world.sets.describe(file, emoji=_emoji(call.strings("emoji_list")))
    _tell(world, name)
    return True


async def set_sticker_keywords(world: World, call: Call) -> bool:
    """Changes the search words of a sticker."""
    file = _sticker(world, call.text("sticker"))
    name = world.sets.set_of(file)
    world.sets.describe(file, keywords=_keywords(call.strings("keywords")))
    _tell(world, name)
    return True


async def set_sticker_set_title(world: World, call: Call) -> bool:
    """Renames a set for people."""
    name = call.text("name")
    world.sets.update(name, title=_title(call))
    _tell(world, name)
    return True


async def set_sticker_set_thumbnail(world: World, call: Call) -> bool:
    """A static thumbnail of 100 x 100 px; none makes the first sticker the thumbnail."""
    name = _set_of(world, call)
    _check_format(call.text("format"))
    row_id = None
    if "thumbnail" in call.files or call.has("thumbnail"):
        upload = call.file("thumbnail")
        data = upload.data if isinstance(upload, Upload) else world.files.read(world.files.by_id(upload))
        picture = await asyncio.to_thread(pictures.thumbnail, data)
        row_id = world.files.add(content.sticker_content(picture)).id
    world.sets.update(name, thumbnail=row_id)
    _tell(world, name)
    return True


async def set_custom_emoji_sticker_set_thumbnail(world: World, call: Call) -> bool:
    """One of a custom-emoji set's own stickers as its thumbnail; none makes it the first one."""
    name, wanted = call.text("name"), call.text("custom_emoji_id", "")
    if world.sets.type(name) != "custom_emoji":
        raise bad_request("STICKERSET_INVALID")
    found = world.sets.by_emoji_id(wanted) if wanted else None
    if wanted and (found is None or world.sets.set_of(found) != name):
        raise bad_request("STICKER_INVALID")
    world.sets.update(name, thumbnail=found.id if found else None)
    _tell(world, name)
    return True


async def get_custom_emoji_stickers(world: World, call: Call) -> list[Json]:
    """Custom emoji by their ids; those that do not exist are left out."""
    ids = call.strings("custom_emoji_ids")
    if len(ids) > limits.CUSTOM_EMOJI_IDS:
        raise bad_request("too many custom emoji identifiers specified")
    found = [file for file in map(world.sets.by_emoji_id, ids) if file is not None]
    return [world.sets.sticker_json(file) for file in found]


async def delete_sticker_set(world: World, call: Call) -> bool:
    """Deletes a set that the bot has made."""
    name = call.text("name")
    owner = world.sets.owner(name)
    world.sets.delete(name)
    world.log.add(owner, {"kind": "pack", "name": name})
    return True


async def _new_sticker(world: World, call: Call, item: object, kind: str) -> NewSticker:
    if not isinstance(item, dict):
        raise bad_request("can't parse InputSticker: expected an Object")
    fields = Call(method=call.method, params=item)
    _check_format(fields.text("format", ""))
    emoji_list, keywords = _emoji(fields.strings("emoji_list")), _keywords(fields.strings("keywords"))
    try:
        reference = call.attached(fields.text("sticker", "attach://"))
    except ApiError:
        raise bad_request("can't parse InputSticker: sticker not found") from None
    file = await _stored(world, reference) if isinstance(reference, Upload) else _sticker(world, reference)
    _check_size(file, kind)
    return NewSticker(file=file, source=file.unique_id, emoji=emoji_list, keywords=keywords)


def _append(world: World, name: str, sticker: NewSticker) -> File:
    """Add a copy to the set: a sticker in a set has ids of its own."""
    file = world.files.copy(sticker.file)
    world.sets.append(name, file, source=sticker.source, emoji=sticker.emoji, keywords=sticker.keywords)
    return file


async def _stored(world: World, upload: Upload) -> File:
    picture = await asyncio.to_thread(pictures.sticker_or_emoji, upload.data)
    return world.files.add(content.sticker_content(picture))


def _sticker(world: World, file_id: str) -> File:
    file = world.files.by_id(file_id)
    if file.kind != "sticker":
        raise bad_request("STICKER_FILE_INVALID")
    return file


def _check_size(file: File, kind: str) -> None:
    """A custom emoji has 100 x 100 px, any other sticker one side of 512."""
    small = (file.width, file.height) == (limits.EMOJI_SIDE, limits.EMOJI_SIDE)
    if small != (kind == "custom_emoji"):
        raise bad_request("STICKER_PNG_DIMENSIONS")


def _check_owner(world: World, call: Call) -> int:
    person = call.int("user_id")
    if person == world.bot.id:
        raise bad_request("USER_IS_BOT")
    if not world.people.started(person):
        raise bad_request("user not found")
    return person


def _set_of(world: World, call: Call) -> str:
    """The set that is named, which must be this person's."""
    person, name = _check_owner(world, call), call.text("name")
    if world.sets.owner(name) != person:
        raise bad_request("STICKERSET_INVALID")
    return name


def _check_name(world: World, name: str) -> None:
    suffix = f"_by_{world.bot.username}".lower()
    fits = NAME.fullmatch(name) and 1 <= len(name) <= limits.SET_NAME_CHARACTERS
    if not fits or not name.lower().endswith(suffix) or len(name) == len(suffix):
        raise bad_request("invalid sticker set name is specified")
    if world.sets.exists(name):
        raise bad_request("sticker set name is already occupied")


def _title(call: Call) -> str:
    title = call.text("title").strip()
    if not 1 <= len(title) <= limits.SET_TITLE_CHARACTERS:
        raise bad_request("PACK_TITLE_INVALID")
    return title


def _check_format(name: str) -> None:
    if name not in ("static", "animated", "video"):
        raise bad_request("can't parse InputSticker: Invalid sticker format specified")
    if name != "static":
        raise bad_request("the playground takes static stickers only")


def _emoji(items: list[str]) -> list[str]:
    if not 1 <= len(items) <= limits.STICKER_EMOJI or not all(emoji.is_emoji(item) for item in items):
        raise bad_request("invalid sticker emojis")
    return items


def _keywords(items: list[str]) -> list[str]:
    """The words after the checks; commas and newlines become spaces, as in TDLib."""
    clean = [re.sub(r"[,\n]", " ", item).strip() for item in items]
    if len(clean) > limits.STICKER_KEYWORDS or sum(map(len, clean)) > limits.STICKER_KEYWORD_CHARACTERS:
        raise bad_request("STICKER_KEYWORDS_TOO_LONG")
    return clean


def _tell(world: World, name: str) -> None:
    """The owner's app notices that the set has changed."""
    world.log.add(world.sets.owner(name), {"kind": "pack", "name": name})
