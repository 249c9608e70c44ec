"""``python -m bot playground``: the server, and the real bot as a process of its own that talks to it."""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import errno
import fcntl
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path

from bot import config
from bot.config import Config, Telegram
from bot.errors import ConfigError
from bot.playground.server import Playground, serve
from bot.playground.visit import VisitError, visit
from bot.program import program
from lora.files import locked

DEFAULT_PORT = 8081
INTERRUPTED = 130  # as shells have it
END_SECONDS = 20.0  # what the bot gets to end by itself
SAMPLES = Path(__file__).parents[2] / "lora" / "bundled" / "demo"


def main(argv: list[str], config_path: Path | None) -> int:
    """The process's exit code: 0 ended, 1 the bot or the visit failed, 130 a visit was interrupted."""
    chosen = _arguments(argv)
    settings = config.load(config_path)
    if chosen.dir is not None:
        settings = replace(settings, storage=config.Storage(dir=chosen.dir))
    stay = chosen.stay or (sys.stdin.isatty() and sys.stdout.isatty()) or not chosen.demo
    try:
        return asyncio.run(_until_told(settings, port=chosen.port, demo=chosen.demo, stay=stay))
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES) and error.filename is None:
            raise ConfigError(
                f"cannot listen on port {chosen.port}: {error.strerror}; try --port 0"
            ) from error
        raise ConfigError(f"the folder {settings.storage.dir} cannot be used: {error.strerror}") from error


def _arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"{program()} playground", description=__doc__)
    parser.add_argument("--port", type=_port, default=DEFAULT_PORT, help="of the page; 0 = any free one")
    parser.add_argument("--dir", type=Path, help="the storage folder, in place of the configuration's")
    parser.add_argument("--demo", action="store_true", help="let a scripted person use the bot, then end")
    parser.add_argument("--stay", action="store_true", help="keep the page open after the demo")
    return parser.parse_args(argv)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to 65535")
    return int(text)


async def _until_told(settings: Config, *, port: int, demo: bool, stay: bool) -> int:
    """Run until it ends or the process is asked to end, by Ctrl-C or by SIGTERM."""
    task = asyncio.create_task(_run(settings, port=port, demo=demo, stay=stay))
    told: list[str] = []

    def end(name: str) -> None:
        told.append(name)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, end, number.name)
    try:
        return await task
    except asyncio.CancelledError:
        if not told:
            raise
        say(f"\nEnded before it was done, by {told[0]}.")
        return INTERRUPTED


async def _run(settings: Config, *, port: int, demo: bool, stay: bool) -> int:
    with _home(settings, demo=demo) as home:
        async with (
            serve(home / "telegram", port=port) as playground,
            bot_process(playground, settings, home, quiet=demo) as bot,
        ):
            say(f"The playground is open at {playground.address}/")
            if not demo:
                return await _wait(bot)
            if not await _visit_while_alive(playground, settings, bot):
                say(f"The bot's log: {home / 'bot.log'}")
                return 1
            if stay:
                say("The page stays open; Ctrl-C ends it.")
                return await _wait(bot)
            return 0


@contextmanager
def _home(settings: Config, *, demo: bool) -> Iterator[Path]:
    """The playground's folder: its own state beside the bot's. A demo starts with an empty one each time.

    Raises ConfigError while another playground runs on it.
    """
    home = settings.storage.dir.resolve() / "playground" / ("demo" if demo else "")
    with ExitStack() as lock:
        try:
            lock.enter_context(locked(home, fcntl.LOCK_EX | fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise ConfigError(f"another playground runs on {home}: end it, or give another --dir") from error
        if demo:
            shutil.rmtree(home / "telegram", ignore_errors=True)
            shutil.rmtree(home / "bot", ignore_errors=True)
            (home / "bot.log").unlink(missing_ok=True)
        (home / "bot").mkdir(mode=0o700, exist_ok=True)
        _share_cache(settings.storage.dir.resolve() / "cache", home / "bot" / "cache")
        yield home


def _share_cache(cache: Path, link: Path) -> None:
    """Share the cache of unpacked weights: they are large and the same for every bot on this machine."""
    cache.mkdir(parents=True, exist_ok=True)
    if not link.is_symlink() and not link.exists():
        link.symlink_to(cache, target_is_directory=True)


@asynccontextmanager
async def bot_process(
    playground: Playground, settings: Config, home: Path, *, quiet: bool
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The bot's process. It ends with the block; ``quiet`` sends its log to a file."""
    file = _write_settings(playground, settings, home)
    environment = os.environ | {"TELEGRAM_BOT_TOKEN": playground.token}
    with (home / "bot.log").open("ab") as log:
        bot = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot", "--config", str(file)),
            env=environment,
            stderr=log if quiet else None,
            start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the bot in order
            preexec_fn=_mortal(),
        )
    try:
        yield bot
    finally:
        await _end(bot)


def _mortal() -> Callable[[], None] | None:
    """Makes Linux end the bot when this process is killed: a killed process cannot do it."""
    if sys.platform != "linux":
        return None
    set_death_signal = ctypes.CDLL(None).prctl
    return lambda: set_death_signal(1, signal.SIGTERM)  # 1 is PR_SET_PDEATHSIG


def _write_settings(playground: Playground, settings: Config, home: Path) -> Path:
    """The bot's configuration: the operator's, but for where Telegram is and where things are kept."""
    telegram = Telegram(api_url=playground.api_url, file_url=playground.file_url)
    moved = replace(settings, telegram=telegram, storage=config.Storage(dir=home / "bot"))
    file = home / "config.toml"
    file.write_text(toml(asdict(moved)), encoding="utf-8")
    return file


def toml(tables: dict[str, dict[str, object]]) -> str:
    """Settings as TOML."""
    lines: list[str] = []
    for name, table in tables.items():
        lines.append(f"[{name}]")
        lines += [f"{key} = {config.toml_value(value)}" for key, value in table.items()]
    return "\n".join([*lines, ""])


async def _end(bot: asyncio.subprocess.Process) -> None:
    """Send SIGTERM, then SIGKILL if the process has not ended."""
    if bot.returncode is not None:
        return
    with suppress(ProcessLookupError):
        bot.terminate()
    try:
        await asyncio.wait_for(bot.wait(), END_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            bot.kill()
        await bot.wait()


async def _wait(bot: asyncio.subprocess.Process) -> int:
    """Until this process is told to end. The bot should not do so by itself before."""
    try:
        code = await bot.wait()
    except asyncio.CancelledError:
        say("\nThe playground ends.")
        return 0
    say(f"The bot has ended by itself, with code {code}.")
    return 1


async def _visit_while_alive(
    playground: Playground, settings: Config, bot: asyncio.subprocess.Process
) -> bool:
    """Play the scripted visit; gives whether it succeeded. If the bot ends, the visit ends too."""
    out = settings.storage.dir.resolve() / "demo-out"
    visitor = asyncio.create_task(visit(playground.address, samples=SAMPLES, out=out, say=say))
    death = asyncio.create_task(bot.wait())
    try:
        await asyncio.wait({visitor, death}, return_when=asyncio.FIRST_COMPLETED)
        if not visitor.done():
            say(f"The bot has ended during the visit, with code {bot.returncode}.")
            return False
        visitor.result()
        return True
    except VisitError as error:
        say(f"\nThe visit failed: {error}")
        return False
    finally:
        for task in (visitor, death):
            task.cancel()
        await asyncio.gather(visitor, death, return_exceptions=True)


def say(line: str) -> None:
    """A line for the person at the terminal, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
