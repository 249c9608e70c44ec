"""A playground, the bot's process at it, and a tiny random base that trains and draws in seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.playground import Playground, serve
from tests import waiting
from tests.journeys.bot_process import QUIET, ROOT, BotProcess, running
from tests.made_once import made_once
from tests.patient_person import PatientPerson

Settings = dict[str, dict[str, object]]


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny base as a diffusers folder, made in a process of its own: this one needs no torch."""

    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "tests.tiny_base", str(folder)]
        made = waiting.run(command, cwd=ROOT, env=os.environ | QUIET)
        assert made.returncode == 0, made.stderr

    return made_once(tmp_path_factory, "tiny", make)


@pytest.fixture
def settings() -> Settings:
    """What ``config.toml`` says beside Telegram's address and the storage; tests change it before the bot starts.

    A worker costs more than all the rest: only journeys whose promise needs one ask for ``with_worker``.
    """
    return {"engine": {"name": "fake"}}


@pytest.fixture
def with_worker(tiny_folder: Path) -> Settings:
    """The settings of a bot whose worker trains and draws with the tiny base."""
    return {
        "base": {"name": str(tiny_folder)},
        "engine": {"devices": "cpu", "threads": 1, "nice": 0},  # other tests run beside these
        "train": {"steps": 20, "checkpoint_steps": 10},  # two checkpoints: each more costs eight drawings
        "sticker": {"steps": 4},
    }


@pytest.fixture
async def playground(tmp_path: Path) -> AsyncIterator[Playground]:
    async with serve(tmp_path / "telegram") as playground:
        yield playground


@pytest.fixture
async def bot(playground: Playground, tmp_path: Path, settings: Settings) -> AsyncIterator[BotProcess]:
    """The running bot. Its worker may still be loading."""
    async with running(playground, tmp_path / "bot", settings) as bot:
        yield bot


@pytest.fixture
async def ada(playground: Playground) -> AsyncIterator[PatientPerson]:
    """Somebody who has not written to the bot yet."""
    async with PatientPerson.join(playground.address, "Ada") as person:
        yield person
