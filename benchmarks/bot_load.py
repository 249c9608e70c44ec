"""How fast the chat half answers: commands of many people at a steady rate, and a backlog after a downtime.

A small Bot API server runs in a process of its own. It hands out /help commands and notes when each chat gets
its answer; the times are the server's. The bot runs in this process, without an engine.

    python -m benchmarks.bot_load --people 1000 --rate 300 --seconds 20
    python -m benchmarks.bot_load --backlog 10000 --people 500
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import resource
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from aiohttp import web

from bot import app
from bot.config import Config, Engine, Storage, Telegram
from bot.rate_limit import RateLimiter
from bot.secret import Token
from lora.engine import ENGINES
from lora.jobs import Event, Job

TOKEN = "7000000001:benchmark"
BATCH = 100  # updates in one answer to getUpdates, as Telegram gives


@dataclass(kw_only=True)
class Server:
    """Updates that wait, and the seconds from an update's arrival to its answer."""

    people: int
    rate: float  # updates a second; 0 = all at once
    total: int
    waiting: deque[tuple[int, float]] = field(default_factory=deque)  # (update id, arrival)
    asked: dict[int, deque[float]] = field(default_factory=dict)  # chat -> arrivals without an answer
    seconds: list[float] = field(default_factory=list)
    began: float = 0.0
    stored: float = 0.0  # when the last update was confirmed
    more: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    async def arrive(self) -> None:
        """Let the updates come."""
        self.began = time.monotonic()
        for number in range(self.total):
            if self.rate:
                await asyncio.sleep(max(0.0, self.began + number / self.rate - time.monotonic()))
            now = time.monotonic()
            self.waiting.append((number + 1, now))
            self.asked.setdefault(1 + number % self.people, deque()).append(now)
            self.more.set()

    async def method(self, request: web.Request) -> web.Response:
        """The few methods that the bot needs."""
        name = request.match_info["method"].lower()
        if name == "getupdates":
            return _ok(await self._updates(int(request.query.get("offset", "0"))))
        if name == "getme":
            return _ok({"id": 7_000_000_001, "is_bot": True, "first_name": "x", "username": "x_bot"})
        if name != "sendmessage":
            return _ok(True)
        chat = int((await request.post())["chat_id"])  # type: ignore[arg-type]
        self.seconds.append(time.monotonic() - self.asked[chat].popleft())
        if len(self.seconds) == self.total:
            self.done.set()
        return _ok({"message_id": 1, "date": 1, "chat": {"id": chat, "type": "private"}})

    async def _updates(self, offset: int) -> list[object]:
        while self.waiting and self.waiting[0][0] < offset:
            self.waiting.popleft()
        if offset > self.total:
            self.stored = self.stored or time.monotonic()
        if not self.waiting:
            self.more.clear()
            try:
                await asyncio.wait_for(self.more.wait(), 20)
            except TimeoutError:
                return []
        return [_update(number, 1 + (number - 1) % self.people) for number, _ in list(self.waiting)[:BATCH]]


def _update(number: int, person: int) -> object:
    chat = {"id": person, "type": "private", "first_name": "x"}
    user = {"id": person, "is_bot": False, "first_name": "x", "language_code": "en"}
    message = {"message_id": number, "date": 1, "chat": chat, "from": user, "text": "/help"}
    return {"update_id": number, "message": message}


def _ok(result: object) -> web.Response:
    return web.Response(text=json.dumps({"ok": True, "result": result}), content_type="application/json")


def serve(pipe: Connection, people: int, rate: float, total: int) -> None:
    """The server's process: gives its port, then what it has measured."""
    asyncio.run(_serve(pipe, Server(people=people, rate=rate, total=total)))


async def _serve(pipe: Connection, server: Server) -> None:
    application = web.Application()
    application.router.add_route("*", "/bot{token}/{method}", server.method)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    pipe.send(runner.addresses[0][1])
    await server.arrive()
    await asyncio.wait_for(server.done.wait(), 600)
    ended = time.monotonic()
    pipe.send((server.seconds, server.stored - server.began, ended - server.began))


class NoEngine:
    """Nothing to draw with: only the chat is measured."""

    async def start(self) -> None:
        """Nothing to start."""

    async def submit(self, job: Job) -> None:
        """Nobody asks."""

    async def cancel(self, job_id: int) -> None:
        """Nobody asks."""

    async def events(self) -> AsyncIterator[Event]:
        """None, for ever."""
        await asyncio.Event().wait()
        yield  # type: ignore[misc]

    async def close(self) -> None:
        """Nothing to end."""


async def measure(people: int, rate: float, total: int) -> dict[str, float]:
    """Run the bot against the server until each command has its answer."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, people, rate, total))
    process.start()
    port = await asyncio.to_thread(ours.recv)
    ENGINES["none"] = lambda settings: NoEngine()
    app.RateLimiter = lambda: RateLimiter(per_second=1e6, burst=10**6)  # type: ignore[assignment,misc]
    with tempfile.TemporaryDirectory() as folder:
        url = f"http://127.0.0.1:{port}"
        config = Config(
            telegram=Telegram(api_url=f"{url}/bot", file_url=f"{url}/file/bot"),
            storage=Storage(dir=Path(folder)),
            engine=Engine(name="none"),
        )
        work = asyncio.create_task(app.run(config, Token(TOKEN)))
        seconds, stored, ended = await asyncio.to_thread(ours.recv)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    process.join()
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "answers": len(seconds),
        "p50_seconds": float(np.percentile(seconds, 50)),
        "p99_seconds": float(np.percentile(seconds, 99)),
        "stored_seconds": stored,
        "done_seconds": ended,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / 1024,
    }


def main() -> None:
    """Parse the options, measure, print one line of JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--rate", type=float, default=100.0, help="commands a second")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--backlog", type=int, default=0, help="all of these at once, in place of a rate")
    chosen = parser.parse_args()
    rate = 0.0 if chosen.backlog else chosen.rate
    total = chosen.backlog or round(chosen.rate * chosen.seconds)
    found = asyncio.run(measure(chosen.people, rate, total))
    print(json.dumps({name: round(value, 3) for name, value in found.items()}))


if __name__ == "__main__":
    main()
