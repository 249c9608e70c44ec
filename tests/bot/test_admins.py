"""Admins learn of failures: in private, in their language, each kind once an hour, whatever happens meanwhile."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from collections.abc import AsyncIterator

import pytest

from bot import blobs
from bot.admins import PAUSE_SECONDS
from bot.config import Access
from bot.playground import Fault, Person
from bot.telling import telling, telling_of
from lora.files import write_whole
from lora.jobs import CannotWork
from tests.bot.conftest import Stage
from tests.bot.test_local_faults import failing, full_disk, held_database
from tests.patient_person import PatientPerson
from tests.waiting import until_async

log = logging.getLogger("bot.test")


@pytest.fixture
async def boss(stage: Stage) -> AsyncIterator[Person]:
    """An admin who has written to the bot, in Russian."""
    async with PatientPerson.join(stage.playground.address, "Olga", language_code="ru") as person:
        yield person


def access(*people: Person) -> Access:
    return Access(admins=tuple(person.id for person in people))


async def test_each_kind_is_told_once_an_hour(stage: Stage, ada: Person, boss: Person) -> None:
    """In private, in each admin's language; another kind at once, the same one an hour later."""
    async with stage.bot(access=access(ada, boss)) as running:
        await ada.send("/start")
        await boss.send("/start")
        await ada.wait_for("/new")
        await boss.wait_for("/new")
        for _ in range(3):
            await running.parts.admins.tell("admin-conflict")
            await running.parts.admins.tell("admin-worker-lost", n=3)
        await ada.wait_for("3 workers were lost")
        await boss.wait_for("3 раза пропадал процесс")
        assert len([m for m in ada.heard() if "Another program uses my token" in m.text]) == 1
        await running.parts.store.change("UPDATE admin_notice SET told_at = told_at - ?", PAUSE_SECONDS)
        await running.parts.admins.tell("admin-conflict")
        await ada.wait_for(lambda m: "Another program" in m.text and m != ada.heard()[1])


async def test_a_notice_survives_a_kill(stage: Stage, ada: Person) -> None:
    """It is stored before it is sent, so the next start sends it."""
    async with stage.bot(access=access(ada)) as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        stage.playground.faults.add(Fault(method="sendMessage", error=(502, "Bad Gateway"), times=99))
        await running.parts.admins.tell("admin-conflict")
    stage.playground.faults.clear()
    async with stage.bot(access=access(ada)):
        await ada.wait_for("Another program uses my token")


async def test_what_is_logged_is_told(stage: Stage, ada: Person) -> None:
    """A line of the log with ``telling`` reaches the admins; one without, and strangers, get nothing."""
    async with PatientPerson.join(stage.playground.address, "Bob") as bob, stage.bot(access=access(ada)):
        for person in (ada, bob):
            await person.send("/start")
            await person.wait_for("/new")
        log.warning("something small")
        log.warning("a part died", extra=telling("admin-part-died", part="it", error="ValueError"))
        await ada.wait_for("it died of ValueError")
        assert len(ada.heard()) == 2
        assert len(bob.heard()) == 1


async def test_a_full_disk_is_told(stage: Stage, ada: Person) -> None:
    """Admins are told of a full disk while results wait to be stored."""
    async with stage.bot(access=access(ada)):
        stage.monkeypatch.setattr(blobs, "write_whole", failing(write_whole, full_disk(), 4))
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("My disk is full")


async def test_workers_that_are_lost_again_and_again_are_told(stage: Stage, ada: Person) -> None:
    """One that is lost is the log's matter, three in an hour are the admins'."""
    async with stage.bot(access=access(ada)) as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        for _ in range(3):
            await running.engine.die()
        await ada.wait_for("3 workers were lost")


async def test_workers_that_cannot_work_are_told(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Of a base that cannot be loaded and a process that cannot be started: once each, until a worker works."""
    async with stage.bot(access=access(ada)) as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        for _ in range(3):
            running.engine.say(CannotWork(worker="1", code="base", detail="no such folder"))
            running.engine.say(CannotWork(worker="1", code="start", detail="no memory"))
        await ada.wait_for("Worker 1 cannot load its base")
        await ada.wait_for("I cannot start worker 1")
        assert caplog.text.count("tried again and again") == 2
        running.engine.say(running.engine.ready())
        running.engine.say(CannotWork(worker="1", code="base", detail="no such folder"))
        await until_async(lambda: caplog.text.count("tried again and again") == 3)
        assert len([m for m in ada.heard() if "worker 1" in m.text.lower()]) == 2


async def test_a_file_that_is_lost_is_told(stage: Stage, ada: Person) -> None:
    """The person reads that a sticker cannot be sent, an admin that the disk has lost a file."""
    async with stage.bot(access=access(ada)) as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        stage.monkeypatch.setattr(running.parts.blobs, "read_now", failing(None, OSError(errno.EIO, "x"), 99))
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("A file that I had stored cannot be read")


async def test_a_locked_database_is_told_while_it_is_locked(stage: Stage, ada: Person) -> None:
    """No row can be written then, so the text is sent without one; and not again when a row can be written."""
    stage.monkeypatch.setattr("bot.admins.STORE_SECONDS", 0.5)
    async with stage.bot(access=access(ada)) as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        other = sqlite3.connect(stage.config.storage.dir / "bot.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            await ada.send("/new zuvix")
            await ada.wait_for("Another program locks my database")
        finally:
            other.close()
        await ada.wait_for("zuvix is open")
        await until_async(lambda: running.parts.store.row("SELECT 1 FROM admin_notice"))
        assert len([m for m in ada.heard() if "locks my database" in m.text]) == 1


@pytest.mark.parametrize(
    ("error", "key"),
    [
        (full_disk(), "admin-disk-full"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), "admin-disk-read-only"),
        (held_database(), "admin-database-locked"),
        (PermissionError(errno.EACCES, "x"), None),
        (ValueError("x"), None),
    ],
)
def test_errors_of_the_machine_have_their_texts(error: Exception, key: str | None) -> None:
    """What the admins can do something about is told, everything else is for the log."""
    assert telling_of(error) == (None if key is None else telling(key))


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EAGAIN, errno.EIO])
def test_what_else_a_machine_lacks_is_told_by_its_own_words(number: int) -> None:
    """Without the path of any file."""
    error = OSError(number, os.strerror(number), "/data/somebody")
    assert telling_of(error) == telling("admin-machine", error=os.strerror(number))
