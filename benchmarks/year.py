"""A year in fast motion: how fast the bot starts, answers and tidies with the rows of many people in its tables.

Only rows are made, no files of pictures. Answers are those of the real handlers, asked through the playground in this
process, with an empty database and with the full one in turn; the medians are compared. ``write_waits_s`` is how long
one change waited at most beside a tidy, ``cpu_s`` the processor time of tidy and check: hardly blurred by others.

    python -m benchmarks.year --people 10000 --samples 300000 --jobs 1000000
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

from benchmarks.bot_load import NoEngine
from bot import app, database_file
from bot.blobs import Blobs
from bot.config import Config, Engine, Limits, Storage, Telegram
from bot.playground import Person, serve
from bot.rate_limit import RateLimiter
from bot.secret import Token
from bot.store import Store
from bot.tables import settings
from bot.tidy import Tidy
from lora.engine import ENGINES

YEAR = 365 * 24 * 3600
ASKED = (("/styles", "tyle"), ("/status", "tyle"), ("/help", "/new"), ("/samples", ""))

FILL = """
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :people)
    INSERT INTO person (id, name, language) SELECT 1000000 + i, 'P' || i, 'en' FROM n;
INSERT INTO style (id, person, keyword) SELECT id, id, 'zuvix' FROM person WHERE id >= 1000000;
UPDATE person SET style = id WHERE id >= 1000000;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :samples)
    INSERT INTO sample (style, file_unique_id, blob, kind, message_id, sent_at, answer_id, caption, bytes)
    SELECT 1000001 + i % :people, i, printf('%064x', i), 'file', i, :now - :year, i, 'zuvix a fox', 30000 FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :jobs)
    INSERT INTO job (person, kind, style, origin, state, attempt, prompt, options, told, asked_at, started_at, ended_at)
    SELECT 1000001 + i % :people, iif(i % 20 = 0, 'train', 'draw'), 1000001 + i % :people, 'o' || i, 'done', 1,
    'zuvix a fox', '{"count": 1}', 1, :now - :year * (1.0 - 1.0 * i / :jobs), :now - :year * (1.0 - 1.0 * i / :jobs),
    :now - :year * (1.0 - 1.0 * i / :jobs) FROM n;
INSERT INTO drawing (job, position, seed, blob, message_id)
    SELECT id, 0, 1, printf('%064x', 10000000 + id), id FROM job WHERE kind = 'draw';
INSERT INTO pack (id, person, keyword, name, title, state)
    SELECT id, id, 'zuvix', 'p' || id || '_by_bot', 'Zuvix', 'live' FROM person WHERE id >= 1000000;
INSERT INTO pack_sticker (person, drawing, pack, state, told)
    SELECT job.person, drawing.id, job.person, 'added', 1 FROM drawing JOIN job ON job.id = drawing.job
    WHERE drawing.id % 10 = 0;
INSERT INTO checkpoint (job, style, step, adapter, used, bytes)
    SELECT max(id), style, 100, printf('%064x', 20000000 + style), 1, 3000000
    FROM job WHERE kind = 'train' GROUP BY style;
"""


def fill(path: Path, sizes: dict[str, float]) -> None:
    """Insert the rows of a year, without the triggers that count what is asked for today."""
    with closing(sqlite3.connect(path)) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        for statement in FILL.split(";\n")[:-1]:
            used = {key: value for key, value in sizes.items() if f":{key}" in statement}
            db.execute(statement, used)
        for _, sql in triggers:
            db.execute(sql)
        db.commit()


@asynccontextmanager
async def bot_on(folder: Path) -> AsyncIterator[tuple[Person, float]]:
    """A person who has chatted with a bot on this folder, and the seconds from its start to its first answer."""
    async with serve(folder / "telegram", control=True) as playground:
        config = Config(
            telegram=Telegram(api_url=playground.api_url, file_url=playground.file_url),
            storage=Storage(dir=folder),
            engine=Engine(name="none"),
            limits=Limits(updates_per_minute=0),
        )
        began = time.perf_counter()
        async with app.build(config, Token(playground.token)) as (parts, inbox):
            work = asyncio.gather(parts.dispatch.run(), parts.deliver.run(), inbox.run())
            async with Person.join(playground.address, "Ada") as ada:
                await ada.send("/start")
                await ada.wait_for("", timeout=60)
                start = time.perf_counter() - began
                await ada.send("/new zuvix")
                await ada.wait_for("zuvix", timeout=60)
                yield ada, start
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def answers(folders: Sequence[Path], rounds: int) -> tuple[list[float], dict[str, list[float]]]:
    """Seconds of each bot's start, and the median milliseconds of each answer of each bot, which are asked in turn."""
    ENGINES["none"] = lambda settings: NoEngine()
    app.RateLimiter = lambda: RateLimiter(per_second=10000, burst=10000)  # type: ignore[assignment,misc,attr-defined]
    async with AsyncExitStack() as stack:
        bots = [await stack.enter_async_context(bot_on(folder)) for folder in folders]
        took: dict[str, list[list[float]]] = {command: [[] for _ in bots] for command, _ in ASKED}
        for _ in range(rounds):
            for command, word in ASKED:
                for (ada, _), times in zip(bots, took[command], strict=True):
                    asked = time.perf_counter()
                    await ada.send(command)
                    await ada.wait_for(word, timeout=60)
                    times.append(1000 * (time.perf_counter() - asked))
    medians = {
        command: [round(statistics.median(times), 1) for times in found] for command, found in took.items()
    }
    return [round(start, 2) for _, start in bots], medians


async def tidies(folder: Path) -> list[dict[str, float]]:
    """A tidy that deletes eleven months, and one a night later, each with the check of the file."""
    store = await Store.open(folder / "bot.sqlite")
    blobs = Blobs(folder / "blobs", store)
    found = []
    for _ in range(2):
        held_up: list[float] = []
        other = asyncio.create_task(_write_on(store, held_up))
        began, computed = time.perf_counter(), time.process_time()
        await Tidy(store=store, blobs=blobs, storage=Storage(dir=folder)).tidy()
        tidied = time.perf_counter()
        await database_file.care(store, folder / "bot.sqlite")
        other.cancel()
        await asyncio.gather(other, return_exceptions=True)
        size = (await store.value("PRAGMA page_count")) * 4096
        found.append(
            {
                "tidy_s": round(tidied - began, 1),
                "care_s": round(time.perf_counter() - tidied, 1),
                "cpu_s": round(time.process_time() - computed, 1),
                "write_waits_s": round(max(held_up), 2),
                "database_mb": round(size / 1e6),
            }
        )
    await store.close()
    return found


async def _write_on(store: Store, waited: list[float]) -> None:
    """Change a row again and again; ``waited`` gets the seconds of each change."""
    while True:
        began = time.perf_counter()
        await settings.write(store, "benchmark", began)
        waited.append(time.perf_counter() - began)
        await asyncio.sleep(0.05)


async def measure(args: argparse.Namespace) -> dict[str, object]:
    """Everything, with an empty and with a full database."""
    with tempfile.TemporaryDirectory() as name:
        empty, full = Path(name) / "empty", Path(name) / "full"
        await (await Store.open(full / "bot.sqlite")).close()
        sizes = {
            "people": args.people,
            "samples": args.samples,
            "jobs": args.jobs,
            "year": YEAR,
            "now": time.time(),
        }
        fill(full / "bot.sqlite", sizes)
        size = (full / "bot.sqlite").stat().st_size
        starts, medians = await answers((empty, full), args.rounds)
        return {
            **{key: sizes[key] for key in ("people", "samples", "jobs")},
            "database_mb": round(size / 1e6),
            "start_s": starts,
            "answer_ms": medians,
            "tidies": await tidies(full),
        }


def main() -> None:
    """Print one line of JSON; pairs are empty, full."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--samples", type=int, default=300_000)
    parser.add_argument("--jobs", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=30)
    print(json.dumps(asyncio.run(measure(parser.parse_args()))))


if __name__ == "__main__":
    main()
