"""The bot as operators run it: a process of its own, with a worker of its own, that can be killed and started again."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from bot.playground import Playground
from bot.playground.run import toml
from tests.waiting import Patience, Stuck, cpu_seconds, result_of, until_async

ROOT = Path(__file__).parents[2]
QUIET = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}  # tests share a machine; threads that spin cost minutes


@dataclass(kw_only=True)
class BotProcess:
    """``python -m bot`` at a playground. ``folder`` holds its configuration, its log and its storage.

    With the engine ``fake`` in its settings it has no worker, so it starts at once and draws made-up pictures.
    """

    playground: Playground
    folder: Path
    settings: dict[str, dict[str, object]]
    prefix: tuple[str, ...] = ()  # a command that runs the bot's
    processes: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self) -> None:
        """Start it, again if it was killed. Returns at once; what people write waits for it."""
        assert not self.processes or self.processes[-1].returncode is not None, "it is running"
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "config.toml").write_text(toml(self._tables()))
        secret = {"TELEGRAM_BOT_TOKEN": self.playground.token}
        with self._log.open("ab") as log:
            self.processes.append(
                await asyncio.create_subprocess_exec(
                    *self.prefix,
                    *(sys.executable, "-m", self._program, "--config", str(self.folder / "config.toml")),
                    cwd=ROOT,
                    env=os.environ | QUIET | secret,
                    stdout=log,
                    stderr=log,
                )
            )

    async def kill(self) -> None:
        """SIGKILL: nothing of it gets to clean up."""
        process = self.processes[-1]
        assert process.returncode is None, f"it ended by itself with code {process.returncode}"
        process.kill()
        await process.wait()

    async def end(self) -> None:
        """SIGTERM, as an operator ends it; in order within seconds."""
        process = self.processes[-1]
        if process.returncode is not None:
            return
        process.terminate()
        try:
            await result_of(process.wait(), Patience(cpu_seconds(process.pid)))
        except Stuck:
            process.kill()
            await process.wait()
            raise

    async def worker(self) -> psutil.Process:
        """The process that trains and draws, once there is one."""
        found: list[psutil.Process] = []

        def look() -> bool:
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(self.processes[-1].pid).children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        line = " ".join(child.cmdline())
                        if "lora.engine.worker" in line or "ray::WorkerActor" in line:
                            found.append(child)
            return bool(found)

        await until_async(look)
        return found[0]

    @property
    def log(self) -> str:
        """All that it and its workers have written so far."""
        return self._log.read_text()

    @property
    def storage(self) -> Path:
        """Its ``[storage] dir``."""
        return self.folder / "data"

    @property
    def _log(self) -> Path:
        return self.folder / "bot.log"

    @property
    def _program(self) -> str:
        fake = self.settings.get("engine", {}).get("name") == "fake"
        return "tests.journeys.bot_without_worker" if fake else "bot"

    def _tables(self) -> dict[str, dict[str, object]]:
        telegram: dict[str, object] = {
            "api_url": self.playground.api_url,
            "file_url": self.playground.file_url,
        }
        return {"telegram": telegram, "storage": {"dir": "data"}, **self.settings}


@asynccontextmanager
async def running(
    playground: Playground,
    folder: Path,
    settings: dict[str, dict[str, object]],
    prefix: tuple[str, ...] = (),
) -> AsyncIterator[BotProcess]:
    """The bot for as long as the block lasts. Whatever the block did, its log has told nothing."""
    bot = BotProcess(playground=playground, folder=folder, settings=settings, prefix=prefix)
    await bot.start()
    try:
        yield bot
        assert bot.processes[-1].returncode is None, "it has ended by itself"
    finally:
        await bot.end()
        sys.stderr.write(bot.log)  # pytest shows it if the test failed
    check_log(bot)


def check_log(bot: BotProcess) -> None:
    """Neither the token nor what people wrote is in the log."""
    secret = bot.playground.token.partition(":")[2]
    assert secret not in bot.log
    world = bot.playground.world
    for person in world.people.all():
        for message in world.messages(person["id"]):
            said = str(message.get("text") or message.get("caption") or "")
            if not message["from"]["is_bot"] and len(said) > 12:
                assert said not in bot.log
