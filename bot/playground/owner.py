"""What the owner of a pack does to it in Telegram's own apps, without the bot."""

from __future__ import annotations

from bot.playground.files import File
from bot.playground.limits import ApiError, bad_request
from bot.playground.world import World


def move(world: World, person: int, file_id: str, position: int) -> None:
    """Put a sticker at a zero-based position of its pack."""
    file, name = _own(world, person, file_id)
    if not 0 <= position < len(world.sets.stickers(name)):
        raise bad_request("there is no such position")
    with world.change():
        world.sets.move(file, position)
        world.log.add(person, {"kind": "pack", "name": name})


def remove(world: World, person: int, file_id: str) -> None:
    """Remove a sticker from its pack."""
    file, name = _own(world, person, file_id)
    with world.change():
        world.sets.remove(file)
        world.log.add(person, {"kind": "pack", "name": name})


def delete(world: World, person: int, name: str) -> None:
    """Delete a pack; its stickers that were sent stay readable."""
    _check_owner(world, person, name)
    with world.change():
        world.sets.delete(name)
        world.log.add(person, {"kind": "pack", "name": name})


def _own(world: World, person: int, file_id: str) -> tuple[File, str]:
    file = world.files.by_id(file_id)
    name = world.sets.set_of(file)
    _check_owner(world, person, name)
    return file, name


def _check_owner(world: World, person: int, name: str) -> None:
    if world.sets.owner(name) != person:
        raise ApiError(403, "the pack is somebody else's")
