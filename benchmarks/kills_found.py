"""What is missing, or there twice, after ``kills.py``: samples, jobs, drawings, packs, files."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from hashlib import sha256

from benchmarks.journey import FAILED, Asked
from bot.blobs import COLUMNS
from bot.playground.wire import Json
from bot.playground.world import World
from tests.journeys.bot_process import BotProcess
from tests.journeys.observing import rows
from tests.waiting import Patience, Stuck, cpu_seconds, until_async

# What must be over before anything is counted.
OPEN = {
    "updates": "SELECT count(*) FROM inbox WHERE state = 'waiting'",
    "jobs": "SELECT count(*) FROM job WHERE told = 0",
    "pack stickers": "SELECT count(*) FROM pack_sticker WHERE told = 0",
    "pack changes": "SELECT count(*) FROM pack_change WHERE told = 0 AND kind != 'add'",
    "imports": "SELECT count(*) FROM import WHERE told = 0",
    "exports": "SELECT count(*) FROM export",
    "texts": "SELECT count(*) FROM outbox",
}
Counts = dict[str, object]


async def found(bot: BotProcess, asked: Sequence[Asked], stuck: Sequence[str]) -> Counts:
    """Counts of everything; ``wrong`` lists what nobody may find, first the visits that got ``stuck``."""
    wrong = [*stuck]
    patience = Patience(cpu_seconds(bot.processes[-1].pid), lambda: _open(bot))
    try:
        await until_async(lambda: not any(_open(bot).values()), patience)
    except Stuck:
        wrong.append(f"not ended: {_open(bot)}")
    world = bot.playground.world
    repeated = 0
    for one in asked:
        repeated += _check_drawings(bot, world, one, wrong)
        _check_samples(bot, one, wrong)
        _check_packs(bot, world, one, wrong)
    wrong += [f"the database: {line}" for (line,) in rows(bot, "PRAGMA integrity_check") if line != "ok"]
    wrong += [f"a row names a file that is not there: {name[:8]}" for name in _lost_files(bot)]
    said = Counter(word for one in asked for word in FAILED for text in _texts(world, one) if word in text)
    return {
        "people": len(asked),
        "samples": sum(len(one.captions) for one in asked),
        "jobs": _by_state(bot),
        "drawings": rows(bot, "SELECT count(*) FROM drawing")[0][0],
        "sent_again": repeated,  # stickers in the chat once more, because a kill hid that they were sent
        "in_packs": sum(one.packed for one in asked),
        "failures_told": dict(said),
        "log": _log(bot),
        "wrong": wrong,
    }


def _open(bot: BotProcess) -> dict[str, int]:
    return {name: int(str(rows(bot, query)[0][0])) for name, query in OPEN.items()}


def _check_samples(bot: BotProcess, one: Asked, wrong: list[str]) -> None:
    query = "SELECT caption FROM numbered_sample WHERE person = {} ORDER BY id"
    there = [caption for (caption,) in rows(bot, query.format(one.person))]
    if there != one.captions:
        wrong.append(f"samples of {one.person}: {there} in place of {one.captions}")


def _check_drawings(bot: BotProcess, world: World, one: Asked, wrong: list[str]) -> int:
    """Each drawing in the chat; gives how many stickers are there once more."""
    asked = rows(bot, f"SELECT count(*) FROM job WHERE kind = 'draw' AND person = {one.person}")[0][0]
    if asked != one.draws:
        wrong.append(f"draws of {one.person}: {asked} in place of {one.draws}")
    states = rows(
        bot,
        "SELECT job.id, job.state, count(drawing.id), json_extract(options, '$.count') FROM job"
        f" LEFT JOIN drawing ON job = job.id WHERE kind = 'draw' AND person = {one.person} GROUP BY job.id",
    )
    wrong += [
        f"draw {id}: {state}, {n} of {of}" for id, state, n, of in states if state == "done" and n != of
    ]
    query = f"SELECT blob FROM drawing JOIN job ON job.id = job WHERE person = {one.person}"
    drawn = Counter(str(blob) for (blob,) in rows(bot, query))
    sent = Counter(_hash(world, m["sticker"]["file_id"]) for m in _from_bot(world, one) if "sticker" in m)
    wrong += [f"a drawing of {one.person} is not in the chat: {blob[:8]}" for blob in drawn - sent]
    wrong += [f"a sticker of {one.person} is no drawing: {blob[:8]}" for blob in sent if blob not in drawn]
    return (sent - drawn).total()


def _check_packs(bot: BotProcess, world: World, one: Asked, wrong: list[str]) -> None:
    """Each sticker that was added is in a pack once. One that had to wait comes after later ones."""
    packs = [world.sets.json(name) for name in world.sets.owned(one.person) if "_by_" in name]
    there = [_hash(world, sticker["file_id"]) for pack in packs for sticker in pack["stickers"]]
    query = (
        "SELECT drawing.blob FROM pack_sticker JOIN drawing ON drawing.id = pack_sticker.drawing"
        f" WHERE state = 'added' AND person = {one.person}"
    )
    added = [str(blob) for (blob,) in rows(bot, query)]
    if sorted(there) != sorted(added) or len(there) != one.packed:
        wrong.append(f"packs of {one.person}: {len(there)} there, {len(added)} added, {one.packed} asked for")


def _lost_files(bot: BotProcess) -> list[str]:
    query = " UNION ".join(f"SELECT {column} FROM {table}" for table, column in COLUMNS)
    names = [str(name) for (name,) in rows(bot, query) if name]
    return [name for name in names if not _whole(bot, name)]


def _whole(bot: BotProcess, name: str) -> bool:
    path = bot.storage / "blobs" / name[:2] / name
    return path.is_file() and sha256(path.read_bytes()).hexdigest() == name


def _hash(world: World, file_id: str) -> str:
    return sha256(world.files.read(world.files.by_id(file_id))).hexdigest()


def _from_bot(world: World, one: Asked) -> list[Json]:
    return [message for message in world.messages(one.person) if message["from"]["is_bot"]]


def _texts(world: World, one: Asked) -> list[str]:
    return [str(message.get("text", "")) for message in _from_bot(world, one)]


def _by_state(bot: BotProcess) -> dict[str, object]:
    query = "SELECT kind || ' ' || state || coalesce(' ' || error, ''), count(*) FROM job GROUP BY 1"
    with closing(sqlite3.connect(f"file:{bot.storage / 'bot.sqlite'}?mode=ro", uri=True)) as db:
        return dict(db.execute(query).fetchall())


def _log(bot: BotProcess) -> dict[str, object]:
    """Lines that tell of a bug: tracebacks by their last line, crashes, updates that were given up."""
    lines = bot.log.splitlines()
    errors = Counter(line[:100] for line in lines if re.match(r"[\w.]+(Error|Exception|Exit)\b", line))
    words = ("Traceback", "crash", "given up", "is started again")
    return {word: n for word in words if (n := sum(word in line for line in lines))} | {
        "errors": dict(errors)
    }
