"""The database and the blobs: nothing half, nothing mixed up, nothing left behind."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import cast

import pytest

from bot import blobs as blobs_module
from bot import store as store_module
from bot.blobs import COLUMNS, Blobs
from bot.migrations import MIGRATIONS, NOTHING_LOST, OWN_LANGUAGE, SHARES_HASHED
from bot.store import Store
from bot.tables import inbox, jobs, pack_stickers, people, samples, shares, styles
from lora.jobs import FileContent
from tests.waiting import result_of, until_async


async def test_migrations_run_once_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database of an older version gets the steps it lacks, and keeps what it holds."""
    first = await Store.open(tmp_path / "a.sqlite")
    await people.see(first, id=7, name="Ada", language="en")
    await first.close()
    added = "ALTER TABLE person ADD COLUMN colour TEXT NOT NULL DEFAULT 'red';"
    monkeypatch.setattr(store_module, "MIGRATIONS", (*MIGRATIONS, added))
    for _ in range(2):
        again = await Store.open(tmp_path / "a.sqlite")
        assert await again.value("SELECT colour FROM person WHERE id = 7") == "red"
        await again.close()


async def test_updates_and_stickers_of_an_older_database_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What waited when the bot was updated waits still, and Telegram's repetition of it is recognised."""
    monkeypatch.setattr(store_module, "MIGRATIONS", MIGRATIONS[: MIGRATIONS.index(NOTHING_LOST)])
    old = await Store.open(tmp_path / "a.sqlite")
    await old.change("INSERT INTO person (id, name, language) VALUES (7, 'Ada', 'en')")
    await old.change("INSERT INTO inbox (update_id, person, body, done_at) VALUES (1, 7, '', 5.0)")
    await old.change("INSERT INTO inbox (update_id, person, body) VALUES (2, 7, '{\"update_id\": 2}')")
    await old.change("INSERT INTO job (id, person, kind, origin) VALUES (1, 7, 'draw', 'x')")
    await old.change("INSERT INTO drawing (id, job, position, seed, blob) VALUES (1, 1, 0, 0, 'b')")
    await old.change(
        "INSERT INTO pack_sticker (person, drawing, state, count_before) VALUES (7, 1, 'adding', 3)"
    )
    await old.close()
    monkeypatch.undo()
    store = await Store.open(tmp_path / "a.sqlite")
    await inbox.put(store, [(7, {"update_id": 2}), (7, {"update_id": 3})])
    assert await inbox.waiting(store, 7) == 2
    found = await inbox.oldest(store, 7)
    assert found is not None
    assert found.update_id == 2
    (sticker,) = await pack_stickers.open_of(store, 7)
    assert sticker.state is pack_stickers.StickerState.ADDING
    assert sticker.ids_before == frozenset()
    await store.close()


async def test_people_and_their_words_of_an_older_database_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has chosen a language yet, and everything was written in English."""
    monkeypatch.setattr(store_module, "MIGRATIONS", MIGRATIONS[: MIGRATIONS.index(OWN_LANGUAGE)])
    old = await Store.open(tmp_path / "a.sqlite")
    await old.change("INSERT INTO person (id, name, language) VALUES (7, 'Ada', 'ru')")
    await old.change("INSERT INTO style (id, person, keyword) VALUES (1, 7, 'zuvix')")
    await old.change(
        "INSERT INTO sample (style, file_unique_id, blob, kind, message_id, sent_at, caption)"
        " VALUES (1, 'a', 'b', 'file', 1, 0, 'zuvix a fox')"
    )
    await old.change("INSERT INTO job (id, person, kind, origin, prompt) VALUES (1, 7, 'draw', 'x', 'a fox')")
    await old.close()
    monkeypatch.undo()
    store = await Store.open(tmp_path / "a.sqlite")
    assert (await people.get(store, 7)).language == "ru"
    (sample,) = await samples.of_style(store, 1)
    assert (sample.caption, sample.caption_original, sample.caption_unknown) == ("zuvix a fox", None, "")
    job = await jobs.get(store, 1)
    assert job is not None
    assert (job.prompt, job.prompt_original, job.prompt_unknown) == ("a fox", None, "")
    await store.close()


async def test_a_migration_that_fails_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a step is no step: the next start finds the old shape."""
    await (await Store.open(tmp_path / "a.sqlite")).close()
    monkeypatch.setattr(
        store_module, "MIGRATIONS", (*MIGRATIONS, "CREATE TABLE extra (a); CREATE TABLE broken (")
    )
    with pytest.raises(sqlite3.OperationalError):
        await Store.open(tmp_path / "a.sqlite")
    with sqlite3.connect(tmp_path / "a.sqlite") as db:
        names = {row[0] for row in db.execute("SELECT name FROM sqlite_master")}
        assert "extra" not in names
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
    db.close()


async def test_a_newer_database_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An older bot does not write into a shape that it does not know."""
    await (await Store.open(tmp_path / "a.sqlite")).close()
    monkeypatch.setattr(store_module, "MIGRATIONS", ())
    with pytest.raises(sqlite3.DatabaseError, match="newer version"):
        await Store.open(tmp_path / "a.sqlite")


async def test_a_commit_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FULL: what was confirmed to Telegram survives a power cut, not only a kill."""
    monkeypatch.undo()  # other tests do not wait for the disk
    store = await Store.open(tmp_path / "a.sqlite")
    assert await store.value("PRAGMA synchronous") == 2
    assert await store.value("PRAGMA journal_mode") == "wal"
    assert await store.value("PRAGMA foreign_keys") == 1
    await store.close()


async def test_transactions_of_two_tasks_do_not_mix(store: Store) -> None:
    """One that fails takes nothing of its neighbour along, although both use one connection."""

    async def fails() -> None:
        async with store.transaction():
            await people.see(store, id=1, name="lost", language="en")
            await asyncio.sleep(0.02)
            raise ValueError

    async def works() -> None:
        await asyncio.sleep(0.01)
        await people.see(store, id=2, name="kept", language="en")

    outcomes = await asyncio.gather(fails(), works(), return_exceptions=True)
    assert isinstance(outcomes[0], ValueError)
    assert [row["name"] for row in await store.rows("SELECT name FROM person")] == ["kept"]


async def test_statements_that_wait_together_are_committed_together(store: Store) -> None:
    """A hundred at once, one of which fails and one of which is given up: the others are all there."""
    commits = 0

    def count(statement: str) -> None:
        nonlocal commits
        commits += statement == "COMMIT"

    store._db.set_trace_callback(count)
    insert = "INSERT INTO setting VALUES (?, 'x')"
    work = [asyncio.create_task(store.change(insert, str(number))) for number in (*range(100), 7)]
    await asyncio.sleep(0)
    work[50].cancel()
    outcomes = await asyncio.gather(*work, return_exceptions=True)
    assert sum(isinstance(outcome, sqlite3.IntegrityError) for outcome in outcomes) == 1
    assert await store.value("SELECT count(*) FROM setting") == 99
    assert 1 <= commits < 10


async def test_a_cancelled_transaction_leaves_the_connection_usable(store: Store) -> None:
    """A task that is cancelled inside is rolled back, and the next one can begin."""

    async def hangs() -> None:
        async with store.transaction():
            await people.see(store, id=1, name="lost", language="en")
            await asyncio.Event().wait()

    for pause in (0.0, 0.001, 0.01):
        task = asyncio.create_task(hangs())
        await asyncio.sleep(pause)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await people.see(store, id=2, name="kept", language="en")
    assert [row["name"] for row in await store.rows("SELECT name FROM person")] == ["kept"]


async def test_a_failed_commit_leaves_no_transaction_open(store: Store) -> None:
    """The next statement is kept, and the one after it works."""

    async def fails_at_the_commit() -> None:
        async with store.transaction():
            await store.change("PRAGMA defer_foreign_keys = ON")
            await store.change("INSERT INTO style (person, keyword) VALUES (77, 'x')")

    with pytest.raises(sqlite3.IntegrityError):
        await fails_at_the_commit()
    await people.see(store, id=1, name="kept", language="en")
    async with store.transaction():
        await people.see(store, id=2, name="too", language="en")
    assert [row["name"] for row in await store.rows("SELECT name FROM person")] == ["kept", "too"]


@pytest.mark.parametrize("how", ["full", "locked", "readonly"])
async def test_a_file_that_takes_no_writes_is_waited_for(
    tmp_path: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A full disk, another program's lock, a read-only file: single changes and transactions go through later."""
    store = await Store.open(tmp_path / "a.sqlite")
    other = sqlite3.connect(tmp_path / "a.sqlite", isolation_level=None)
    pages = await store.value("PRAGMA page_count")
    switch = {"full": f"PRAGMA max_page_count = {pages}", "readonly": "PRAGMA query_only = ON"}
    back = {"full": "PRAGMA max_page_count = 100000", "readonly": "PRAGMA query_only = OFF"}
    if how == "locked":
        other.execute("BEGIN IMMEDIATE")
    else:
        store._db.execute(switch[how])

    async def write(id: int) -> None:
        await people.see(store, id=id, name="x" * 9000, language="en")
        async with store.transaction():
            for number in range(3):
                await people.see(store, id=100 * id + number, name="y" * 9000, language="en")

    work = asyncio.gather(write(1), write(2))
    await until_async(lambda: store.failing)
    assert not work.done()
    if how == "locked":
        other.execute("ROLLBACK")
    else:
        store._db.execute(back[how])
    await result_of(work)
    assert await store.value("SELECT count(*) FROM person") == 8
    assert caplog.text.count("cannot be written") == 1
    other.close()
    await store.close()


async def test_every_column_that_names_a_blob_is_known_to_the_sweep(store: Store) -> None:
    """A column that is forgotten here would have its files deleted."""
    tables = await store.rows(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
    )
    found = set()
    for table in tables:
        for column in await store.rows(f"PRAGMA table_info({table['name']})"):
            if column["name"] in ("blob", "old_blob", "adapter", "sheet", "uncut") or (
                table["name"],
                column["name"],
            ) == (
                "checkpoint",
                "state",
            ):
                found.add((table["name"], column["name"]))
    assert found == set(COLUMNS)


async def test_blobs_live_as_long_as_a_row_names_them(store: Store, tmp_path: Path) -> None:
    """Equal contents are one file; it goes with the last row; what a kill left behind goes at the start."""
    blobs = Blobs(tmp_path / "blobs", store)
    await people.see(store, id=1, name="Ada", language="en")
    await styles.add(store, 1, "zuvix")
    for number in range(2):
        async with blobs.keep(b"same") as (name,):
            await samples.add(
                store,
                style=1,
                file_unique_id=str(number),
                blob=name,
                kind="file",
                message_id=number,
                sent_at=0,
                draft=None,
            )
    async with blobs.keep(b"orphan"):
        pass
    (tmp_path / "blobs" / name[:2] / f".{name}-half").write_bytes(b"sa")
    await blobs.sweep_all()
    assert [path.name for path in (tmp_path / "blobs").glob("*/*")] == [name]
    first, second = await samples.of_style(store, 1)
    await store.change("DELETE FROM sample WHERE id = ?", first.id)
    await blobs.sweep([name])
    assert await blobs.read(name) == b"same"
    await store.change("DELETE FROM sample WHERE id = ?", second.id)
    await blobs.sweep([name])
    assert not list((tmp_path / "blobs").glob("*/*"))


async def test_a_blob_is_read_again_only_if_it_has_changed(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each draw has an adapter of 25 MB. A file that holds something else is refused whenever that happens."""
    checked: list[Path] = []
    check = blobs_module._check
    monkeypatch.setattr(blobs_module, "_check", lambda path: (checked.append(path), check(path)))
    blobs = Blobs(tmp_path / "blobs", store)
    async with blobs.keep(b"adapter") as (name,):
        pass
    for _ in range(3):
        assert cast(FileContent, await blobs.content(name)).size == 7
    (path,) = checked
    path.write_bytes(b"ADAPTER")
    for _ in range(2):
        with pytest.raises(OSError, match="its content has changed"):
            await blobs.content(name)
    assert len(checked) == 3


async def test_links_to_shared_styles_of_an_older_database_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their tokens become hashes, which the same links still fit."""
    monkeypatch.setattr(store_module, "MIGRATIONS", MIGRATIONS[: MIGRATIONS.index(SHARES_HASHED)])
    store = await Store.open(tmp_path / "a.sqlite")
    await store.change("INSERT INTO person (id, name, language) VALUES (1, 'Ada', 'en')")
    await store.change("INSERT INTO style (id, person, keyword) VALUES (5, 1, 'zuvix')")
    await store.change("INSERT INTO share VALUES (5, 'a-link_that-was-sent', 0)")
    await store.close()
    monkeypatch.setattr(store_module, "MIGRATIONS", MIGRATIONS)
    store = await Store.open(tmp_path / "a.sqlite")
    assert await shares.style_of(store, "a-link_that-was-sent") == (5, 1)
    assert await shares.style_of(store, "another") is None
    assert "a-link" not in str([tuple(row) for row in await store.rows("SELECT * FROM share")])
    await store.close()
