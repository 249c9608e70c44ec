"""How much memory the bot's process takes, whatever 20 people send at once.

The bot runs as operators run it, beside a worker without a job. All people send at the same time: pictures of 16
megapixels of each format, a PNG of some kB that unpacks to 64 MB, a file of nearly 20 MB, and a zip of these. Then each
has a sticker pack taken, and all of them ask for /check and /samples at once. The peak is what the kernel has counted
(VmHWM).

    python -m benchmarks.bot_memory [--people 20] [--files 8]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import re
import sqlite3
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from bot.playground import Person, Picture, serve
from tests.journeys.bot_process import BotProcess, running
from tests.moving import VIDEO

SIDE = 4000  # px: 16 megapixels
LONGEST = 3600.0  # seconds
PACK = 10  # stickers of a pack


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    """An encoded picture."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def pictures() -> list[bytes]:
    """One file of each kind; all but the last have 16 megapixels."""
    flat = Image.new("RGBA", (SIDE, SIDE))
    flat.paste((200, 60, 20, 255), (1000, 1000, 3000, 3000))
    part = np.random.default_rng(0).integers(0, 255, (SIDE // 4, SIDE, 3), dtype=np.uint8)
    noise = Image.fromarray(np.concatenate([part // 4 + 90] * 4))
    return [
        saved(Image.new("1", (SIDE, SIDE)), "PNG"),
        saved(flat, "PNG"),
        saved(noise, "WEBP", quality=5, method=0),
        saved(flat, "WEBP", lossless=True, method=0),
        saved(flat, "WEBP", quality=50, method=0),
        saved(noise, "JPEG", quality=50),
        saved(noise, "JPEG", quality=50, progressive=True),
        saved(Image.fromarray(np.concatenate([part] * 2)[:1500]), "PNG", compress_level=0),
    ]


def zipped(files: list[bytes]) -> bytes:
    """A zip of pictures, as people send it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, data in enumerate(files):
            archive.writestr(f"{number}.png", data)
    return buffer.getvalue()


def peak_mib(pid: int) -> float:
    """The most memory that a process has had at once."""
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def counted(bot: BotProcess, query: str) -> int:
    """A number out of the bot's database."""
    with sqlite3.connect(f"file:{bot.storage / 'bot.sqlite'}?mode=ro", uri=True) as database:
        return int(database.execute(query).fetchone()[0])


async def until(done: Callable[[], bool]) -> None:
    """Look every half a second. Raises TimeoutError."""
    async with asyncio.timeout(LONGEST):
        while not done():  # noqa: ASYNC110 - it looks into another process
            await asyncio.sleep(0.5)


async def send(person: Person, files: list[bytes], archive: bytes | None) -> None:
    """Everything that one person sends."""
    for number, data in enumerate(files):
        await person.send_picture(data, name=f"{number}.png", as_="document", caption=f"a kite {number}")
    if archive is not None:
        await person.send_picture(archive, name="all.zip", as_="document")


async def publish(person: Person, number: int, stickers: list[bytes]) -> None:
    """A pack of stickers, one of which moves."""
    pictures = [Picture(data=data, as_="sticker", emoji="🦊") for data in stickers]
    moving = Picture(data=VIDEO, name="a.webm", as_="sticker", emoji="🦊")
    await person.publish(f"Pack{number}", "A pack", [*pictures, moving])


async def measure(people: int, each: int, zips: bool, folder: Path) -> dict[str, float]:
    """The peak after each part, in MiB."""
    files = pictures()
    archive = zipped(files[1:3]) if zips else None
    found: dict[str, float] = {}
    async with (
        serve(folder / "telegram") as playground,
        running(playground, folder / "bot", {}) as bot,
        contextlib.AsyncExitStack() as visits,
    ):

        def idle() -> bool:
            waiting = counted(bot, "SELECT count(*) FROM inbox WHERE state = 'waiting'")
            return not waiting and not counted(bot, "SELECT count(*) FROM import WHERE told = 0")

        async def part(name: str) -> None:
            await asyncio.sleep(1)
            await until(idle)
            found[f"{name}_mib"] = peak_mib(bot.processes[-1].pid)
            found[f"{name}_seconds"] = time.monotonic() - began
            print(json.dumps(found), file=sys.stderr, flush=True)

        began = time.monotonic()
        joining = (Person.join(playground.address, f"P{number}") for number in range(people))
        all_of_them = [await visits.enter_async_context(person) for person in joining]
        for person in all_of_them:
            await person.send("/new zuvix")
        await until(lambda: (bot.storage / "bot.sqlite").exists())
        await asyncio.sleep(3)
        await until(lambda: counted(bot, "SELECT count(*) FROM style") == people)
        await part("styles")
        shares = [[files[(number + k) % len(files)] for k in range(each)] for number in range(people)]
        sending = (send(person, share, archive) for person, share in zip(all_of_them, shares, strict=True))
        await asyncio.gather(*sending)
        await part("pictures")
        noise = np.random.default_rng(1).integers(0, 255, (PACK, 512, 512, 4), dtype=np.uint8)
        stickers = [saved(Image.fromarray(one // 8 + 90), "WEBP", quality=50) for one in noise]
        for number, one in enumerate(all_of_them):
            await publish(one, number, stickers)
        await asyncio.gather(
            *(one.send(f"t.me/addstickers/Pack{number}") for number, one in enumerate(all_of_them))
        )
        await part("packs")
        for command in ("/check", "/samples"):
            await asyncio.gather(*(person.send(command) for person in all_of_them))
            await part(command.strip("/"))
        found["samples"] = counted(bot, "SELECT count(*) FROM sample")
    return found


def main() -> None:
    """Parse the options, measure, print one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=20)
    parser.add_argument(
        "--files", type=int, default=8, help="of each person, of different kinds; beside a zip"
    )
    parser.add_argument("--no-zips", action="store_true", help="pictures alone")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(chosen.people, chosen.files, not chosen.no_zips, Path(folder)))
    print(json.dumps({name: round(value, 1) for name, value in found.items()}))


if __name__ == "__main__":
    main()
