"""``python -m bot playground``: the settings it gives the bot, and the two processes' common end."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from bot import config
from bot.errors import ConfigError
from bot.playground import main
from bot.playground.run import toml
from bot.playground.state import open_state
from lora.files import locked
from tests.patient_person import PatientPerson
from tests.waiting import result_of, until_async


def test_settings_survive_the_file(tmp_path: Path) -> None:
    """Whatever the operator has set reaches the bot as it was, odd characters in paths too."""
    settings = replace(
        config.Config(),
        storage=config.Storage(dir=tmp_path / 'a "quoted" \\ päth'),
        train=config.Train(steps=7, advised_samples=(3, 9)),
        sticker=config.Sticker(cfg=2.5),
    )
    file = tmp_path / "config.toml"
    file.write_text(toml(asdict(settings)), encoding="utf-8")
    assert config.load(file) == settings


def test_every_documented_setting_survives_the_file(tmp_path: Path) -> None:
    """Those of config.toml and the examples in its comments, of every type, the sentences by language too."""
    text = (Path(config.__file__).parents[1] / "config.toml").read_text(encoding="utf-8")
    refusal = r'refusal = {ru = "Напиши Ане 🦊,\n\"{id}\" \u007f", en = "Ask Ann."}'
    for setting, other in (
        ("refusal = {}", refusal),
        ("allow = []", 'allow = [123456789, "@anna"]'),
        ('devices = "auto"', 'devices = ["cpu"]'),
    ):
        assert setting in text
        text = text.replace(setting, other)
    written = tmp_path / "written.toml"
    written.write_text(text, encoding="utf-8")
    settings = config.load(written)
    assert settings.access.refusal["ru"] == 'Напиши Ане 🦊,\n"{id}" \x7f'
    assert settings.access.allow == (123456789, "@anna")
    file = tmp_path / "config.toml"
    file.write_text(toml(asdict(settings)), encoding="utf-8")
    assert config.load(file) == settings


def test_what_people_write_is_in_a_folder_of_this_users_own(tmp_path: Path) -> None:
    """As the bot's own folder is."""
    open_state(tmp_path / "playground" / "telegram").close()
    assert (tmp_path / "playground" / "telegram").stat().st_mode & 0o077 == 0


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """The operator is told which port is in use, and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}.*--port 0"):
            main(["--port", str(port), "--dir", str(tmp_path)], None)


def test_what_cannot_be_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A port that there cannot be, a file in the place of the folder, a folder that another playground is at."""
    for port in ("99999", "-1", "x"):
        with pytest.raises(SystemExit):
            main([f"--port={port}", "--dir", str(tmp_path)], None)
        assert f"'{port}' is no port from 0 to 65535" in capsys.readouterr().err
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file cannot be used"):
        main(["--port", "0", "--dir", str(tmp_path / "file")], None)
    kept = tmp_path / "playground" / "demo" / "telegram" / "state"
    kept.parent.mkdir(parents=True)
    kept.touch()
    with (
        locked(tmp_path / "playground" / "demo", fcntl.LOCK_EX),
        pytest.raises(ConfigError, match="another playground runs on"),
    ):
        main(["--port", "0", "--demo", "--dir", str(tmp_path)], None)
    assert kept.exists()


@asynccontextmanager
async def started(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The playground's process, killed at the end; its stdout is read to its end, so that no pipe stays open."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "playground", "--port", "0", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await result_of(process.communicate())


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _token_of(pid: int) -> bytes:
    environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    return next(one for one in environment if one.startswith(b"TELEGRAM_BOT_TOKEN=")).partition(b"=")[2]


def _holding(folder: Path, secret: bytes) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and secret in path.read_bytes()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")
async def test_both_processes_begin_and_end_together(tmp_path: Path) -> None:
    """The page's address is printed, the real bot answers, SIGTERM ends both with 0, no token is stored."""
    async with started("--dir", str(tmp_path)) as running:
        assert running.stdout is not None
        line = (await result_of(running.stdout.readline())).decode()
        address = line.split()[-1].rstrip("/")
        async with PatientPerson.join(address, "Ada") as ada:
            await ada.send("/start")
            await ada.wait_for("/new")
        (bot,) = _children(running.pid)
        token = _token_of(bot)
        running.send_signal(signal.SIGTERM)
        assert await result_of(running.wait()) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(bot, 0)
        assert not _holding(tmp_path, token)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")
async def test_a_bot_that_dies_ends_the_playground(tmp_path: Path) -> None:
    """Nobody is left chatting with a dead bot: the playground ends with an error."""
    async with started("--dir", str(tmp_path), "--demo") as running:
        assert running.stdout is not None
        await result_of(running.stdout.readline())
        (bot,) = _children(running.pid)
        os.kill(bot, signal.SIGKILL)
        said = (await result_of(running.stdout.read())).decode()
        assert await running.wait() == 1
        assert "ended during the visit" in said
        assert str(tmp_path / "playground" / "demo" / "bot.log") in said


async def test_an_interrupted_demo_is_no_success(tmp_path: Path) -> None:
    """Who stops the visit halfway does not get the exit code of one that went through."""
    async with started("--dir", str(tmp_path), "--demo") as running:
        assert running.stdout is not None
        await result_of(running.stdout.readuntil(b"/start"))
        running.send_signal(signal.SIGINT)
        assert await result_of(running.wait()) == 130


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent is gone")
async def test_a_killed_playground_leaves_no_bot_behind(tmp_path: Path) -> None:
    """The next playground on the same folder would find it in the way."""
    async with started("--dir", str(tmp_path)) as running:
        assert running.stdout is not None
        await result_of(running.stdout.readline())
        (bot,) = _children(running.pid)
        running.kill()
        await running.wait()
        await until_async(lambda: not _alive(bot))


def _alive(pid: int) -> bool:
    """A zombie, which nobody has waited for in a container without an init, is not alive."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
