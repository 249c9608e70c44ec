"""``python -m bot [--config FILE]`` runs the bot on Telegram; with one of ``COMMANDS`` it does something else."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine
from importlib import import_module
from pathlib import Path

from bot.config import Log
from bot.errors import ConfigError
from bot.program import program
from bot.secret import FORMATS, Token, take_token
from lora.files import with_output

log = logging.getLogger("bot")


# Each is a module with ``main(arguments, path of the configuration) -> exit code``.
COMMANDS = {
    "playground": "bot.playground",
    "backup": "bot.backup",
    "restore": "bot.restore",
    "doctor": "bot.doctor",
    "config": "bot.config_file",
}


def run(argv: list[str] | None) -> int:
    """The process's exit code: 0 ended, 1 failed, 2 the operator has to mend something."""
    try:
        return with_output(lambda: _command(argv))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except PermissionError as error:
        sys.stderr.write(f"{error.filename}: {error.strerror}\n")
        return 2


def _command(argv: list[str] | None) -> int:
    parser = argparse.ArgumentParser(prog=program(), description=__doc__, add_help=False)
    parser.add_argument("-h", "--help", action="store_true", help="show this, or what a command takes")
    parser.add_argument("--config", type=Path, help="a TOML file in place of ./config.toml")
    parser.add_argument("command", nargs="?", choices=COMMANDS, help="default: run the bot")
    chosen, rest = parser.parse_known_args(argv)
    if chosen.help and not chosen.command:
        parser.print_help()
        return 0
    if chosen.command:
        rest += ["--help"] * chosen.help
        return int(import_module(COMMANDS[chosen.command]).main(rest, chosen.config))
    if rest:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    return _bot(chosen.config)


def _bot(path: Path | None) -> int:
    from bot import config, tls

    settings = config.load(path)
    tls.context(settings.telegram)
    token = take_token()
    _log_to_stderr(token, settings.log)
    from bot import app  # takes a second: what the operator must mend is told before

    try:
        asyncio.run(_until_told(app.run(settings, token)))
    except ConfigError:
        raise
    except Exception as error:
        log.critical("the bot failed", exc_info=error)
        return 1
    return 0


async def _until_told(work: Coroutine[None, None, None]) -> None:
    """Run until it ends or the process is asked to end, by Ctrl-C or by SIGTERM."""
    task = asyncio.create_task(work)
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        log.info("the bot has ended")


def _log_to_stderr(token: Token, settings: Log) -> None:
    """One line per event, never the token, never what people write."""
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[settings.format](token))
    logging.basicConfig(level=settings.level.upper(), handlers=[handler])
    for name in ("httpx", "httpcore", "asyncio"):  # they log every URL, or at DEBUG what is awaited
        logging.getLogger(name).setLevel(logging.WARNING)
    # python-telegram-bot logs whole updates at ERROR and CRITICAL; its errors reach our own log as exceptions.
    logging.getLogger("telegram").setLevel(logging.CRITICAL + 1)
