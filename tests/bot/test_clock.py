"""A clock that was a year ahead and is set back: what was stored meanwhile delays nothing by a year."""

from __future__ import annotations

import time
from pathlib import Path

from bot import pack_record
from bot.blobs import Blobs
from bot.config import Storage
from bot.store import Store
from bot.tables import erasures, inbox, notices, retention, settings
from bot.tables.packs import Pack, PackState
from bot.tidy import CARED, Tidy

YEAR = 365 * 24 * 3600.0


async def test_the_database_is_cared_for(store: Store, tmp_path: Path) -> None:
    """At the next tidy, and then not again at once."""
    tidy = Tidy(store=store, blobs=Blobs(tmp_path / "blobs", store), storage=Storage(dir=tmp_path))
    await settings.write(store, CARED, time.time() + YEAR)
    await tidy._care_if_due()
    cared = await settings.read(store, CARED)
    assert cared <= time.time()
    await tidy._care_if_due()
    assert await settings.read(store, CARED) == cared


async def test_albums_are_forgotten(store: Store) -> None:
    """Those that were there at the last look."""
    await store.change("INSERT INTO album_item (person, message_id, album, caption) VALUES (1, 1, 'a', 'x')")
    await retention.forget_seen(store)
    (key,) = [row[0] for row in await store.rows("SELECT name FROM setting WHERE value LIKE '%album_item%'")]
    await settings.write(store, key, {"album_item": 1, "at": time.time() + YEAR})
    await retention.forget_seen(store)
    assert await store.value("SELECT count(*) FROM album_item") == 0


async def test_admins_are_told(store: Store) -> None:
    """And then not again for as long as usual."""
    assert await notices.due(store, "disk", 3600)
    await store.change("UPDATE admin_notice SET told_at = told_at + ?", YEAR)
    assert await notices.due(store, "disk", 3600)
    assert not await notices.due(store, "disk", 3600)


def test_a_pack_is_not_new_for_ever() -> None:
    """Telegram has had the time to show it."""
    now = time.time()
    made = [
        Pack(id=1, person=1, keyword="", name="a", title="a", state=PackState.LIVE, made_at=now + seconds)
        for seconds in (-1.0, YEAR)
    ]
    assert list(map(pack_record.too_new, made)) == [True, False]


async def test_everything_is_forgotten(store: Store) -> None:
    """Also what somebody wrote while the clock was ahead, and what waits for their first style."""
    message = {"message_id": 1, "from": {"id": 7}, "text": "a fox"}
    await inbox.put(store, [(7, {"update_id": 1, "message": message})])
    await store.change("UPDATE inbox SET state = 'kept', received_at = received_at + ?", YEAR)
    await erasures.ask(store, person=7, language="en", message_id=2, with_packs=False)
    asked = await erasures.get(store, 7)
    assert asked is not None
    assert await erasures.end(store, asked)
    assert [tuple(row) for row in await store.rows("SELECT person, body FROM inbox")] == [(0, "")]
