"""After /forgetme nothing is left: no row, no word, no picture, no file; and a kill changes nothing about that."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from bot.playground import Person
from bot.store import Store
from bot.tables import erasures, held, people
from lora.jobs import Draw
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.marked import MARKS, files_with_marks, stored_files, visit, words_in
from tests.waiting import until_async

IMPERSONAL = {"setting", "admin_notice", "invite", "member_name", "ready_style"}  # hold nothing of anybody
ADMINS_OWN = {"ban", "member"}  # ids that admins have written down: who may use the bot
OF_TODAY = {"usage"}  # how much somebody used today


async def places_of(store: Store, person: int) -> list[str]:
    """Every place in the database with this number or a name made of it."""
    found = []
    kept = "usage"  # how much they used today: else /forgetme would lift the limits of the day
    for (table,) in await store.rows(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name != ?", kept
    ):
        for row in await store.rows(f"SELECT * FROM {table}"):
            found += [f"{table}.{key}" for key, value in dict(row).items() if str(person) in str(value)]
    return found


async def erased(store: Store, person: int) -> None:
    """Wait until the erasure is finished."""

    async def over() -> bool:
        return await erasures.get(store, person) is None

    await until_async(over)


def traces(folder: Path, person: int) -> list[Path]:
    """Files that hold the person's id as text, or words of theirs, the database's own pages and log included."""
    mark = str(person).encode()
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return files_with_marks(folder) + [path for path in paths if mark in path.read_bytes()]


async def forget(ada: Person, button: str) -> None:
    await ada.send("/forgetme")
    await ada.press(await ada.wait_for("cannot be undone"), button)
    await ada.wait_for("I have deleted everything that I kept about you")


async def test_nothing_is_left(stage: Stage, ada: Person) -> None:
    """In no table, page, log and file; the packs stay on Telegram. Then a new life begins."""
    async with stage.bot() as running:
        await visit(stage, ada)
        store = running.parts.store
        assert await places_of(store, ada.id)
        await forget(ada, "forget:rows")
        await erased(store, ada.id)
        assert await places_of(store, ada.id) == []
        assert await words_in(store) == []
        assert stored_files(stage) == []
        await until_async(lambda: not traces(stage.config.storage.dir, ada.id))  # the log is emptied last
        assert len(await ada.packs()) == 1
        mine = next(m for m in ada.messages if m.text.startswith("/sticker"))
        await ada.edit(mine, "/sticker an edited fox")
        await ada.send("/start")
        await ada.wait_for("Hello Ada")
        await store.change("UPDATE person SET since = since + 1")  # Telegram's times are whole seconds
        await ada.edit(mine, "/sticker another fox")
        await ada.send("/styles")
        await ada.wait_for("no style yet")
        assert await store.value("SELECT count(*) FROM job") == 0, "an edit of then is not obeyed"


async def test_packs_go_too_if_wished(stage: Stage, ada: Person) -> None:
    """The second button deletes them on Telegram; without packs there is no such button."""
    async with stage.bot() as running:
        await ada.send("/forgetme")
        assert (await ada.wait_for("cannot be undone")).button("forget:packs") is None
        await visit(stage, ada)
        await forget(ada, "forget:packs")
        await erased(running.parts.store, ada.id)
        assert await ada.packs() == []


async def test_a_deletion_goes_on_after_a_kill(stage: Stage, ada: Person) -> None:
    """The row that asks is enough: a restart ends the jobs, deletes rows, files and packs, and tells it."""
    engine = FakeEngine()
    async with stage.bot(engine) as running:
        await visit(stage, ada)
        engine.go.clear()
        await ada.send("/sticker a wubble")
        await engine.given(Draw, "a wubble")
        await ada.send("/forgetme")
        asked = await ada.wait_for("cannot be undone")
        await erasures.ask(
            running.parts.store, person=ada.id, language="en", message_id=asked.id, with_packs=True
        )
    async with stage.bot() as running:
        await erased(running.parts.store, ada.id)
        assert await places_of(running.parts.store, ada.id) == []
        await ada.wait_for("and your packs on Telegram")
        assert await ada.packs() == []
        await until_async(lambda: not traces(stage.config.storage.dir, ada.id))


async def test_jobs_end_in_the_worker_too(stage: Stage, ada: Person) -> None:
    """A training and a drawing that run are stopped, and what the worker still says is not stored."""
    engine = FakeEngine()
    async with stage.bot(engine) as running:
        await visit(stage, ada)
        engine.go.clear()
        await ada.send("/sticker a wubble")
        await engine.given(Draw, "a wubble")
        await forget(ada, "forget:rows")
        await erased(running.parts.store, ada.id)
        engine.go.set()
        await settled(running, ada)
        assert await running.parts.store.value("SELECT count(*) FROM job") == 0
        assert not engine.running or all(task.done() for task in engine.running.values())


async def settled(running: Running, ada: Person) -> None:
    """Let everything that was on its way arrive."""
    await ada.send("/help")
    await ada.wait_for("Teach me a look")


async def test_others_keep_theirs(store: Store) -> None:
    """One person's rows go, another's stay; every table is a person's or known to be nobody's."""
    known = await held.tables(store)
    found = await store.rows(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    )
    assert {row[0] for row in found} - set(known) == IMPERSONAL | ADMINS_OWN | OF_TODAY
    for id in (1, 2):
        await people.see(store, id=id, name=f"person {id}", language="en")
        await store.change("INSERT INTO style (person, keyword) VALUES (?, ?)", id, MARKS[0])
        await store.change("INSERT INTO outbox (person, text) VALUES (?, 'x')", id)
    await held.delete(store, 1)
    assert [row["id"] for row in await store.rows("SELECT id FROM person")] == [2]
    assert [row["person"] for row in await store.rows("SELECT person FROM style")] == [2]


async def test_rows_that_are_left_are_refused(store: Store) -> None:
    """Rows that refer to a deleted one make the deletion fail as a whole, so none is forgotten."""
    await people.see(store, id=1, name="x", language="en")
    await store.rows("CREATE TABLE odd (owner INTEGER REFERENCES person)")
    await store.change("INSERT INTO odd VALUES (1)")
    try:
        await held.delete(store, 1)
    except sqlite3.IntegrityError:
        assert await store.value("SELECT count(*) FROM person") == 1
    else:
        raise AssertionError("a row is left that refers to nobody")
