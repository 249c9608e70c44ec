"""``python -m bot doctor`` looks at what the bot needs, and says what to do about what is wrong."""

from __future__ import annotations

import argparse
import errno
import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from bot import config, database_file, tls
from bot.config import Base, Config
from bot.disk import nearest, unusable
from bot.errors import ConfigError
from bot.migrations import MIGRATIONS
from bot.program import program
from bot.secret import VARIABLE, take_token

CLOCK_SECONDS = 60.0  # more would spoil limits and waits, which Telegram gives as times
LEAST_BYTES = 1_000_000_000
LEAST_DAYS = 14  # that a certificate is still valid
OK, WARN, FAIL = "ok", "warning", "error"
# Runs in a process of its own, because the bot's imports no torch.
LOOK_AT_ENGINE = """
import sys
from pathlib import Path
from lora.errors import as_base_error
from lora.models import device, parts, sources
with as_base_error():
    found = sources.find(sys.argv[1], Path(sys.argv[2]))
parts.check_folder(found)
print(f"{found.name}; devices: {', '.join(device.every_device())}")
"""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What one check has found. ``todo`` is what the operator should do; '' = nothing."""

    name: str
    level: str
    text: str
    todo: str = ""

    def __str__(self) -> str:
        return f"{self.level:8} {self.name:12} {self.text}" + (
            f"\n{'':22}-> {self.todo}" if self.todo else ""
        )


def main(argv: Sequence[str], config_path: Path | None) -> int:
    """The exit code: 0 all is well or only warnings, 1 an error, 2 the configuration is wrong (ConfigError)."""
    parser = argparse.ArgumentParser(prog=f"{program()} doctor", description=__doc__)
    parser.add_argument("--running", action="store_true", help="only whether the bot runs: for health checks")
    chosen = parser.parse_args(argv)
    settings = config.load(config_path)
    worst = OK
    for check in (running,) if chosen.running else CHECKS:
        for finding in check(settings):
            sys.stdout.write(f"{finding}\n")
            sys.stdout.flush()
            worst = FAIL if FAIL in (worst, finding.level) else worst
    return 1 if worst == FAIL else 0


def folder(settings: Config) -> Iterator[Finding]:
    """Whether the storage is there, can be written, and is private."""
    path = settings.storage.dir
    if problem := unusable(path):
        yield Finding(name="folder", level=FAIL, text=problem)
        return
    above = nearest(path)
    if os.statvfs(above).f_flag & os.ST_RDONLY:
        todo = f"mount it for writing, or set storage.dir (now {path})"
        yield Finding(name="permissions", level=FAIL, text=f"the disk of {above} is read-only", todo=todo)
        return
    if not os.access(above, os.W_OK | os.X_OK):
        yield Finding(
            name="permissions",
            level=FAIL,
            text=f"{above} cannot be written by user {os.getuid()}",
            todo=f"chown -R it to the user that runs the bot, or set storage.dir (now {path})",
        )
        return
    private = [one for one in (path, path / "bot.sqlite", path / "blobs") if one.exists()]
    opened = [one for one in private if one.stat().st_mode & 0o077]
    if (
        path in opened and len(opened) > 1
    ):  # in a checkout, data/ is open, and what the bot keeps in it is not
        yield Finding(
            name="permissions", level=WARN, text=f"others can look into {opened[1]}", todo=f"chmod 700 {path}"
        )
    elif foreign := [one for one in private if one.stat().st_uid != os.getuid()]:
        yield Finding(
            name="permissions",
            level=WARN,
            text=f"{foreign[0]} belongs to user {foreign[0].stat().st_uid}, not {os.getuid()}",
            todo="run doctor as the user that runs the bot, or chown -R it",
        )
    else:
        yield Finding(name="permissions", level=OK, text=f"{path} can be written")


def disk(settings: Config) -> Iterator[Finding]:
    """Whether there is room."""
    free = shutil.disk_usage(nearest(settings.storage.dir)).free
    level = OK if free > LEAST_BYTES else WARN
    yield Finding(
        name="disk",
        level=level,
        text=f"{free / 1e9:.1f} GB free",
        todo="" if level == OK else "make room: at 95 % no training begins, on a full disk the bot waits",
    )


def database(settings: Config) -> Iterator[Finding]:
    """Whether the database is whole, and of which version."""
    path = settings.storage.dir / "bot.sqlite"
    if unusable(settings.storage.dir):
        return  # that was told already
    if not path.is_file():
        yield Finding(name="database", level=OK, text="none yet: the first start makes it")
        return
    if (problem := database_file.check(path)) is not None:
        todo = f"stop the bot and restore a backup into an empty folder: {program()} restore FILE --dir DIR"
        yield Finding(name="database", level=FAIL, text=f"damaged: {problem}", todo=todo)
        return
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            (step,) = db.execute("PRAGMA user_version").fetchone()
    except sqlite3.OperationalError as error:
        yield Finding(name="database", level=WARN, text=f"busy: {error}", todo="try again")
        return
    if step > len(MIGRATIONS):
        todo = "install that version again, or restore an older backup"
        yield Finding(name="database", level=FAIL, text="written by a newer version", todo=todo)
    else:
        upgrade = "" if step == len(MIGRATIONS) else "; the next start upgrades it, make a backup first"
        yield Finding(name="database", level=OK, text=f"whole, step {step} of {len(MIGRATIONS)}{upgrade}")


def telegram(settings: Config) -> Iterator[Finding]:
    """Whether Telegram answers and knows the token, and whether the clock is right."""
    if not os.environ.get(VARIABLE):
        yield Finding(
            name="token", level=WARN, text=f"{VARIABLE} is not set", todo="the bot needs it: @BotFather"
        )
        return
    url = f"{settings.telegram.api_url}{take_token().reveal()}/getMe"
    try:
        asked = time.time()
        answer = httpx.get(url, timeout=15.0)
    except (httpx.HTTPError, httpx.InvalidURL) as error:  # its text may hold the address, and so the token
        todo = f"check the network, a proxy, and telegram.api_url ({settings.telegram.api_url})"
        yield Finding(name="token", level=FAIL, text=f"no answer: {type(error).__name__}", todo=todo)
        return
    if answer.status_code == 200:
        yield Finding(name="token", level=OK, text="Telegram knows it")
    elif answer.status_code in (401, 404):
        yield Finding(
            name="token", level=FAIL, text="Telegram does not know it", todo="ask @BotFather for it"
        )
    else:
        yield Finding(
            name="token", level=WARN, text=f"Telegram answers {answer.status_code}", todo="try again later"
        )
    yield from _clock(answer.headers.get("Date"), (asked + time.time()) / 2)


def _clock(date: str | None, now: float) -> Iterator[Finding]:
    if date is None:
        return
    try:
        off = now - parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):  # a proxy's
        yield Finding(
            name="clock", level=WARN, text="the answer has no date that can be read", todo="check the network"
        )
        return
    level = OK if abs(off) < CLOCK_SECONDS else WARN
    yield Finding(
        name="clock",
        level=level,
        text=f"{off:+.0f} s from Telegram's",
        todo="" if level == OK else "let a time service set it: timedatectl set-ntp true",
    )


def engine(settings: Config) -> Iterator[Finding]:
    """Whether the base is there, and which devices torch sees."""
    if unusable(settings.storage.dir):
        return  # that was told already; the base's files may be there, too
    cache = str(settings.storage.dir / "cache")
    command = [sys.executable, "-c", LOOK_AT_ENGINE, settings.base.name, cache]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - fixed arguments
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it ended without a word"]
        text = lines[-1].removeprefix("lora.errors.BaseError: ")
        yield Finding(name="base", level=FAIL, text=text, todo=_mend_base(settings.base.name, text, cache))
        return
    yield Finding(name="base", level=OK, text=f"{settings.base.name}: {done.stdout.strip()}")
    wanted = {one for one in settings.engine.devices if one.startswith("cuda")}
    if missing := sorted(one for one in wanted if one not in done.stdout):
        todo = "check nvidia-smi and that torch is a CUDA build, or set engine.devices"
        yield Finding(name="GPU", level=FAIL, text=f"{', '.join(missing)} not found", todo=todo)
    elif "cuda" not in done.stdout:
        yield Finding(name="GPU", level=OK, text="none: the CPU draws and trains")


def _mend_base(name: str, wrong: str, cache: str) -> str:
    """What to do about a base that cannot be used; ``wrong`` is what the engine says of it."""
    if os.strerror(errno.ENOSPC) in wrong:
        return "make room"
    if wrong.startswith(f"{cache}{os.sep}"):  # damaged after it was unpacked
        folder = Path(cache) / Path(wrong.removeprefix(f"{cache}{os.sep}").partition(":")[0]).parts[0]
        return f"delete {folder}: it is unpacked again"
    if name == Base.name:
        return "install the project again, or set base.name"
    if "lora fetch" in wrong:
        return f"{program('lora')} fetch {name}, or set base.name"
    return "put a whole diffusers folder or .safetensors file there, or set base.name"


def webhook(settings: Config) -> Iterator[Finding]:
    """Whether the files of the webhook's TLS can be used, and for how long."""
    if not settings.telegram.webhook_url or not (
        settings.telegram.webhook_certificate or settings.telegram.webhook_key
    ):
        return
    try:
        tls.context(settings.telegram)
    except ConfigError as error:
        yield Finding(name="webhook", level=FAIL, text=str(error), todo="mend the file, or set the key")
    else:
        yield _certificate(tls.valid_until(settings.telegram.webhook_certificate))


def _certificate(until: datetime | None) -> Finding:
    """Whether a certificate has ended, or soon will: Telegram then delivers nothing."""
    if until is None:
        return Finding(name="webhook", level=OK, text="its certificate can be used")
    days = (until - datetime.now(UTC)).days
    level = FAIL if days < 0 else WARN if days < LEAST_DAYS else OK
    text = f"its certificate {'ended' if days < 0 else 'is valid until'} {until:%Y-%m-%d}"
    todo = "" if level == OK else "renew it, then start the bot again: it reads the file at its start"
    return Finding(name="webhook", level=level, text=text, todo=todo)


def running(settings: Config) -> Iterator[Finding]:
    """Whether a bot runs on the storage: it holds a lock."""
    try:
        with (settings.storage.dir / "bot.lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        yield Finding(name="bot", level=OK, text="it runs")
    except OSError:
        yield Finding(name="bot", level=FAIL, text="it does not run", todo="start it")
    else:
        yield Finding(name="bot", level=FAIL, text="it does not run", todo="start it, and read its log")


CHECKS: tuple[Callable[[Config], Iterator[Finding]], ...] = (
    folder,
    disk,
    database,
    telegram,
    webhook,
    engine,
)
