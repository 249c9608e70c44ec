"""A full disk, a held database, a file that cannot be read: logged once, waited out, and nobody else is harmed."""

from __future__ import annotations

import errno
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from bot import blobs, dispatch
from bot.job_request import request
from bot.playground import Fault, Person
from bot.tables import drawings, trainings
from lora.files import write_whole
from lora.jobs import Draw
from tests.bot.conftest import Stage
from tests.bot.fake_engine import held
from tests.bot.trainings import ready_to_train
from tests.waiting import until_async as until


def full_disk() -> Exception:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def held_database() -> Exception:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


def failing(right: Any, error: Exception, times: int) -> Any:
    """``right``, but the first calls raise."""
    left = times

    def call(*args: Any, **options: Any) -> Any:
        nonlocal left
        left -= 1
        if left >= 0:
            raise error
        return right(*args, **options)

    return call


@pytest.mark.parametrize(
    ("module", "name", "error"),
    [
        (blobs, "write_whole", full_disk()),
        (blobs, "write_whole", OSError(errno.EROFS, "Read-only file system")),
        (drawings, "add", held_database()),
    ],
)
async def test_results_wait_for_the_disk(
    stage: Stage,
    ada: Person,
    caplog: pytest.LogCaptureFixture,
    module: Any,
    name: str,
    error: Exception,
) -> None:
    """Stickers come while nothing can be written: all are there afterwards, once, and one line says what it was."""
    engine = held()
    caplog.set_level("INFO")
    async with stage.bot(engine):
        await ada.send("/sticker a fox --seed 1 --n 2")
        await until(lambda: engine.jobs)
        stage.monkeypatch.setattr(module, name, failing(getattr(module, name), error, 4))
        engine.go.set()
        await ada.wait_for("seed 1–2")
        assert len([m for m in ada.messages if m.kind == "sticker"]) == 2
    assert caplog.text.count("wait until this is over") == 1
    assert caplog.text.count("results of jobs are stored again") == 1
    assert not list((stage.config.storage.dir / "blobs").glob("*/.*"))


async def test_a_checkpoint_waits_for_the_disk(stage: Stage, ada: Person) -> None:
    """None is lost, and the next attempt could resume from it."""
    async with ready_to_train(stage, ada) as running:
        stage.monkeypatch.setattr(blobs, "write_whole", failing(write_whole, full_disk(), 3))
        await ada.send("/train")
        await ada.wait_for("Your style zuvix is ready")
        assert [step for step, _ in await trainings.checkpoints(running.parts.store, 1)] == [2, 4]


async def test_handing_over_waits_for_the_database(stage: Stage, ada: Person) -> None:
    """A job that was claimed when the database was held is handed over later, in the same attempt."""
    async with stage.bot() as running:
        stage.monkeypatch.setattr(dispatch, "request", failing(request, held_database(), 3))
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("seed 1")
        assert [(job.id, job.attempt) for job in running.engine.jobs] == [(1, 1)]


async def test_a_hand_over_that_ran_out_of_file_handles_is_made_again(stage: Stage, ada: Person) -> None:
    """As another attempt, because the worker may have half of this one."""
    async with stage.bot() as running:
        short = OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        stage.monkeypatch.setattr(running.engine, "submit", failing(running.engine.submit, short, 2))
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("seed 1")
        assert [(job.id, job.attempt) for job in running.engine.jobs] == [(1, 3)]


def stored(stage: Stage, content: bytes) -> Path:
    """The file of a blob."""
    paths = (stage.config.storage.dir / "blobs").glob("??/*")
    return next(path for path in paths if path.read_bytes() == content)


@pytest.mark.parametrize("harm", ["gone", "changed", "a folder"])
async def test_a_job_whose_file_cannot_be_read_fails_alone(stage: Stage, ada: Person, harm: str) -> None:
    """It says so; the bot lives, and the next job is served."""
    async with ready_to_train(stage, ada) as running:
        await ada.send("/train")
        await ada.wait_for("Your style zuvix is ready")
        path = stored(stage, b"adapter of zuvix at 4")
        if harm == "changed":
            path.write_bytes(b"adapter of zuvix at 5")
        else:
            path.unlink()
            if harm == "a folder":
                path.mkdir()
        await ada.send("/sticker a fox")
        await ada.wait_for("I cannot read a file any more")
        await ada.send("/new bomux")
        await ada.wait_for("bomux is open")
        await ada.send("/sticker a cat --seed 2")
        await ada.wait_for("a cat · CFG 5 · seed 2")
        drawn = [job for job in running.engine.jobs if isinstance(job, Draw)]
        assert [job.prompt for job in drawn] == ["a cat"]


async def test_an_event_that_cannot_be_taken_fails_its_job_alone(stage: Stage, ada: Person) -> None:
    """A bug in one place costs one job, not the bot."""
    async with stage.bot():
        stage.monkeypatch.setattr(drawings, "add", failing(drawings.add, KeyError("x"), 1))
        await ada.send("/sticker a fox")
        await ada.wait_for("Something went wrong on my side")
        await ada.send("/sticker a cat --seed 2")
        await ada.wait_for("a cat · CFG 5 · seed 2")


async def test_a_sticker_that_cannot_be_sent_is_told_and_passed_over(stage: Stage, ada: Person) -> None:
    """Its file is lost between the drawing and the sending: the stickers behind it come, and so do later jobs."""
    async with stage.bot() as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        fault = stage.playground.faults.add(Fault(method="sendSticker", error=(502, "Bad Gateway"), times=99))
        await ada.send("/sticker a fox --seed 1 --n 2")
        await until(lambda: fault.times < 99)
        await until(lambda: running.parts.store.value("SELECT state = 'done' FROM job"))
        drawn = await drawings.of_job(running.parts.store, 1)
        assert len(drawn) == 2
    name = drawn[0].blob
    (stage.config.storage.dir / "blobs" / name[:2] / name).unlink()
    stage.playground.faults.clear()
    async with stage.bot():
        await ada.wait_for("I cannot send one sticker")
        await ada.wait_for("seed 1–2", since=0)
        await ada.send("/sticker a cat --seed 2")
        await ada.wait_for("a cat · CFG 5 · seed 2")
        assert len([m for m in ada.messages if m.kind == "sticker"]) == 2
        assert len([m for m in ada.messages if "I cannot send one sticker" in m.text]) == 1


async def test_news_that_cannot_be_told_do_not_hold_up_later_ones(stage: Stage, ada: Person) -> None:
    """A message that Telegram refuses for a reason of its own is given up after some tries."""
    async with stage.bot():
        await ada.send("/start")
        await ada.wait_for("/new")
        stage.playground.faults.add(Fault(method="sendMessage", error=(400, "Bad Request: odd"), times=3))
        await ada.send("/sticker a fox --seed 1")
        await ada.send("/sticker a cat --seed 2")
        await ada.wait_for("a cat · CFG 5 · seed 2")
