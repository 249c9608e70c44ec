"""Mutated input of every kind: how many errors that nobody has documented, and the slowest case.

Updates are worked off by the bot in this process, with the playground as Telegram and an engine that draws made-up
pictures: one odd value in each message, picture, zip, adapter, press, inline query, start link or group message. Some
of the files can be fetched, Telegram refuses the others. Their person has a style, drawings and a pack; before each
hundred a style is opened if all were deleted. After each hundred somebody else is served. ``outcomes`` counts how the
updates ended: worked off (``done``), put aside (``unreadable``), kept for the next style (``kept``).
Files are mutated in some bytes and read as the bot and the commands read them; moving stickers in a process of their
own.
``peak_mib`` is what this process, the bot and the playground together, took at most until the updates were done.

    python -m benchmarks.mutations [--updates 10000] [--files 10000]
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import io
import json
import logging
import multiprocessing
import os
import random
import tempfile
import time
import tomllib
import traceback
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any

from benchmarks import mutated_weights
from benchmarks.bot_memory import peak_mib
from bot import app, config
from bot.errors import ConfigError
from bot.handlers import GROUP_ROUTES, ROUTES
from bot.inbox import Inbox
from bot.playground import Person, Picture, serve
from bot.rate_limit import RateLimiter
from bot.ready_style import FILE
from bot.routes import Press
from bot.secret import Token
from bot.store import Store
from lora.checks.pictures import summarise
from lora.data import first_frame, imagefolder, webm
from lora.data.pictures import PictureError
from lora.data.zip_folder import ZipError, ZipFolder
from lora.engine import ENGINES
from tests.bot.fake_engine import FakeEngine, sticker
from tests.bot.fake_engine import picture as drawn
from tests.bot.test_odd_answers import mutated as mutated_update
from tests.bot.test_odd_answers import seeds, service
from tests.lora.data.test_picture_fuzz import mutated
from tests.lora.data.test_picture_fuzz import seeds as picture_seeds
from tests.moving import VIDEO, animated

Json = dict[str, Any]
Reader = Callable[[bytes], object]
Layers = tuple[tuple[str, tuple[int, ...]], ...]  # name and shape
Kind = tuple[list[bytes], Reader, tuple[type[Exception], ...]]
ARGUMENTS = (
    "1",
    "1:2",
    "1:1:1",
    "renew:1",
    "page:1",
    "captions:1",
    "samples:1",
    "rows",
    "ru",
    "1:none",
    "1:move:1",
    "",
)
LIMITS = [field.name for field in fields(config.Quotas)]
FIRST = 10**6  # the first update's number
CONFIG = b'[telegram]\nname = "x"\n[storage]\ndir = "data"\n[train]\nsteps = 300\n[sticker]\nsteps = 12\n'
TABLE = b'{"file_name": "a.png", "text": "a fox"}\n{"file_name": "b.png", "text": ["a cat", "two cats"]}\n'


def updates(person: Person, files: list[Json]) -> list[Json]:
    """One update of each kind that the bot reads, and a press of every button. ``files``: fields of such messages."""
    file = {"file_id": "f", "file_unique_id": "u", "file_size": 100}
    still = file | {"width": 90, "height": 90, "type": "regular", "is_animated": False, "is_video": False}
    message = service(person, text="x")
    group = {"id": -77, "type": "supergroup", "title": "Friends"}
    texts = [
        "/start style_abc",
        "/start invite_abc",
        "/new zuvix",
        "/sticker a fox --n 2",
        "/caption 1 a fox",
        "/pack x",
        "/train",
        "/packs",
        "delete 1",
        "undo",
    ]
    messages = [service(person, text=text) for text in texts]
    messages += [service(person, text=text, reply_to_message=message) for text in ("a red fox", "warmer")]
    messages += [service(person, caption="a fox", **file) for file in files] * 4
    messages += [
        service(person, document=file | {"file_name": name}) for name in ("a.safetensors", "a.zip", "a.pt")
    ]
    messages += [service(person, sticker=still | {kind: True}) for kind in ("is_video", "is_animated")]
    messages += [
        service(person, text="/sticker@playground_bot a fox", chat=group),
        service(person, text="hi", chat=group),
    ]
    names = {route.name for route in (*ROUTES, *GROUP_ROUTES) if isinstance(route, Press)}
    press = {"id": "1", "from": dict(person.user), "message": message, "chat_instance": "1"}
    presses = [press | {"data": f"{name}:{argument}"} for name in sorted(names) for argument in ARGUMENTS]
    inline = {"id": "1", "from": dict(person.user), "query": "fox", "offset": ""}
    member = {"chat": group, "from": dict(person.user), "date": 1}
    kinds = [("message", one) for one in messages]
    kinds += [("callback_query", one) for one in presses]
    kinds += [("inline_query", inline)] * 10 + [("my_chat_member", member)] * 5
    return [*seeds(person) * 10, *({"update_id": 1, kind: body} for kind, body in kinds)]


class Crashes(logging.Handler):
    """Counts the lines in which the inbox tells of an error that is no refusal."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it if it tells of a crash."""
        if "crash" in record.getMessage() or record.exc_info:
            self.found.append(f"{record.getMessage()} {origin(record)}".strip())


def origin(record: logging.LogRecord) -> str:
    """The last file and line of a logged error."""
    error = record.exc_info[1] if record.exc_info else None
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames[-3:]))


async def all_done(store: Store) -> None:
    """Wait until no update waits."""
    while await store.value("SELECT count(*) FROM inbox WHERE state = 'waiting'"):  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def send_updates(count: int, folder: Path, layers: Layers) -> Json:
    """Have the bot work off so many mutated updates; gives what was found. ``layers`` are those of the base."""
    rng, slowest, served = random.Random(0), 0.0, 0
    crashes = Crashes()
    logging.getLogger().addHandler(crashes)
    engine = FakeEngine()
    engine.layers = layers
    ENGINES["none"] = lambda settings: engine
    app.RateLimiter = lambda: RateLimiter(per_second=1e6, burst=10**6)  # type: ignore[assignment,misc,attr-defined]
    async with serve(folder / "telegram") as playground:
        settings = config.Config(
            telegram=config.Telegram(api_url=playground.api_url, file_url=playground.file_url),
            storage=config.Storage(dir=folder / "data"),
            engine=config.Engine(name="none"),
            limits=config.Limits(**dict.fromkeys(LIMITS, 0)),  # else most of the updates would be dropped
        )
        async with (
            app.build(settings, Token(playground.token)) as (parts, inbox),
            Person.join(playground.address, "Eve", username="eve") as eve,
            Person.join(playground.address, "Ada") as ada,
        ):
            work = asyncio.gather(parts.dispatch.run(), parts.deliver.run(), inbox.run())
            kinds = updates(eve, await settle_in(eve))
            await parts.store.change("DELETE FROM inbox")  # its states are counted below
            for first in range(0, count, 100):
                since = ada.seq
                if not await parts.store.value("SELECT count(*) FROM style WHERE person = ?", eve.id):
                    await inbox.take_in([{"update_id": first, "message": service(eve, text="/new zuvix")}])
                    await all_done(parts.store)
                slowest = max(slowest, await hundred(inbox, parts.store, kinds, first, rng))
                await ada.send("/help")
                await ada.wait_for("Teach me a look", 5, since=since)
                served += 1
            rows = await parts.store.rows(
                "SELECT state, count(*) AS n FROM inbox WHERE update_id BETWEEN ? AND ? GROUP BY state",
                *(FIRST, FIRST + count),
            )
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work
    logging.getLogger().removeHandler(crashes)
    return {
        "updates": count,
        "outcomes": {row["state"]: row["n"] for row in rows},
        "errors": crashes.found,
        "slowest_hundred": slowest,
        "others_served": served,
    }


async def settle_in(person: Person) -> list[Json]:
    """A style with pictures, drawings and a pack; gives the fields of the messages that had files."""
    await person.send("/start")
    await person.wait_for("Hello", 30)
    await person.send("/sticker a fox --n 2 --seed 1")
    await person.wait_for("seed 1", 30)
    await person.press(next(m for m in person.messages if m.kind == "sticker"), "add:")
    await person.wait_for("added to your pack", 30)
    await person.send("/new zuvix")
    await person.wait_for("zuvix is open", 30)
    moving = [Picture(data=VIDEO, name="a.webm"), Picture(data=animated(), name="b.tgs")]
    pack = await person.publish("Foxes", "All foxes", [Picture(data=sticker(1), emoji="🦊"), *moving])
    files = [
        Picture(data=drawn(128, 128, 1), as_="photo"),
        Picture(data=drawn(128, 128, 2), as_="document"),
    ]
    files += [Picture(data=FILE.read_bytes(), name="a.safetensors", as_="document")]
    files += [Picture(data=zipped([drawn(128, 128, 3)]), name="a.zip", as_="document")]
    sent = [await person.send_picture(one.data, as_=one.as_, name=one.name) for one in files]
    sent += [await person.send_sticker(one["file_id"]) for one in pack["stickers"]]
    await person.wait_for("a.zip: 1 new picture", 30)
    return [
        {kind: one.raw[kind] for kind in ("photo", "document", "sticker") if kind in one.raw} for one in sent
    ]


async def hundred(inbox: Inbox, store: Store, kinds: list[Json], first: int, rng: random.Random) -> float:
    """Work off a hundred; gives the seconds."""
    began = time.monotonic()
    numbers = range(FIRST + first, FIRST + first + 100)
    batch = [mutated_update(fresh(rng.choice(kinds), n), rng) | {"update_id": n} for n in numbers]
    async with asyncio.timeout(60):
        await inbox.take_in(batch)
        await all_done(store)
    return time.monotonic() - began


def layers_of_base() -> Layers:
    """The bundled base's layers, as its worker names them: else no adapter file is looked at."""
    from lora.models import sticker_nano
    from tests.lora.adapters.test_fit import layers_of

    return tuple(layers_of(sticker_nano.UNET).items())


def fresh(update: Json, number: int) -> Json:
    """The same as another message, with another file: what was worked off before is passed over."""
    update = copy.deepcopy(update)
    if message := update.get("message"):
        message["message_id"] = number
        for file in (message.get("document"), message.get("sticker"), *message.get("photo", ())):
            if file is not None:
                file["file_unique_id"] = f"u{number}"
    return update


def zipped(pictures: list[bytes]) -> bytes:
    """A zip with a table and pictures."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metadata.jsonl", TABLE)
        for number, data in enumerate(pictures):
            archive.writestr(f"{number}.png", data)
    return buffer.getvalue()


def read_zip(data: bytes) -> None:
    """As an import reads it."""
    folder = ZipFolder(data)
    for picture in folder.pictures():
        folder.read(picture.entry)


def readers() -> dict[str, Kind]:
    """Of each kind of file: whole ones, how it is read, and the errors that are documented."""
    pictures = picture_seeds()
    moving = (webm.WebmError, ValueError, zlib.error)
    return {
        "pictures": (pictures, summarise, (PictureError,)),
        "tables": ([TABLE, b"file_name,text\na.png,a fox\n"], read_table, ()),
        "zips": ([zipped(pictures[:3])], read_zip, (ZipError,)),
        "configs": ([CONFIG], read_config, (ConfigError, tomllib.TOMLDecodeError, UnicodeDecodeError)),
        ".webm": ([VIDEO], lambda data: alone(first_frame.first_shown, "video", data), moving),
        ".tgs": ([animated()], lambda data: alone(first_frame.first_shown, "animated", data), moving),
        **mutated_weights.readers(),
    }


def alone(read: Callable[[str, bytes], object], *given: Any) -> None:
    """Call it in a fork, whose decoders may crash, as the bot does in a process. Raises what it raises."""
    pipe, end = multiprocessing.Pipe(duplex=False)
    if not (child := os.fork()):
        try:
            read(*given)
            end.send(None)
        except Exception as error:
            end.send(error)
        os._exit(0)
    end.close()
    try:
        raised: Exception | None = pipe.recv()
    except EOFError:  # its decoder has crashed: the bot says that there is no still picture
        raised = None
    finally:
        os.waitpid(child, 0)
    if raised is not None:
        raise raised


def read_table(data: bytes) -> None:
    """As JSON lines and as CSV."""
    for name in imagefolder.TABLES:
        list(imagefolder.rows_in(Path(name), data))


def read_config(data: bytes) -> None:
    """As the start reads it."""
    config.parse(tomllib.loads(data.decode()))


def read_files(count: int) -> Json:
    """Mutated files of each kind in turn; gives the undocumented errors, and the longest of all in seconds."""
    rng, errors, slowest = random.Random(1), Counter[str](), 0.0
    kinds = list(readers().items())
    for number in range(count):
        kind, (whole, read, documented) = kinds[number % len(kinds)]
        change = mutated_weights.mutated if kind in mutated_weights.KINDS else mutated
        data = change(rng.choice(whole), rng)
        began = time.monotonic()
        try:
            read(data)
        except documented:
            pass
        except Exception as error:
            errors[f"{kind}: {type(error).__name__}: {str(error)[:80]}"] += 1
        slowest = max(slowest, time.monotonic() - began)
    return {"files": count, "kinds": [kind for kind, _ in kinds], "errors": dict(errors), "slowest": slowest}


def main() -> None:
    """Parse the options, run both parts, print a line of JSON for each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--updates", type=int, default=10_000)
    parser.add_argument("--files", type=int, default=10_000)
    chosen = parser.parse_args()
    os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"  # what the decoder says of damaged files
    with ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn")
    ) as pool:  # ``peak_mib`` is without torch
        layers = pool.submit(layers_of_base).result()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(send_updates(chosen.updates, Path(folder), layers))
    print(json.dumps(found | {"peak_mib": round(peak_mib(os.getpid()), 1)}), flush=True)
    print(json.dumps(read_files(chosen.files)))


if __name__ == "__main__":
    main()
