"""Updates are stored before Telegram forgets them, and worked off once, in order, whatever happens."""

from __future__ import annotations

import asyncio
import errno
import json
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing

import pytest
from telegram import Bot, Update
from telegram.error import BadRequest, Forbidden, TimedOut

from bot import inbox as module
from bot.blobs import Blobs
from bot.inbox import Inbox
from bot.playground import Person
from bot.poll import Json
from bot.reading import read
from bot.store import Store
from bot.tables import inbox
from bot.tables.inbox import LetterState
from tests.bot.conftest import Stage
from tests.bot.fake_engine import picture
from tests.waiting import until_async


class Desk:
    """Notes what is handled and given up; fails as told."""

    def __init__(self) -> None:
        self.handled: list[int] = []
        self.given_up: list[int] = []
        self.errors: dict[int, list[Exception]] = {}
        self.slow: dict[int, float] = {}

    async def sift(self, updates: Sequence[Json]) -> Sequence[Json]:
        return updates

    async def handle(self, update: Update) -> None:
        await asyncio.sleep(self.slow.get(update.update_id, 0))
        if self.errors.get(update.update_id):
            raise self.errors[update.update_id].pop(0)
        self.handled.append(update.update_id)

    async def give_up(self, update: Update, error: Exception | None) -> None:
        self.given_up.append(update.update_id)


def letter(number: int, person: int = 1, text: str = "hello") -> Json:
    user = {"id": person, "is_bot": False, "first_name": "x"}
    chat = {"id": person, "type": "private", "first_name": "x"}
    message = {"message_id": number, "date": 1, "chat": chat, "from": user, "text": text}
    return {"update_id": number, "message": message}


@pytest.fixture
async def desk() -> Desk:
    return Desk()


@pytest.fixture
async def box(store: Store, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Inbox]:
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.01)
    box = Inbox(bot=Bot("1:a"), store=store, sift=desk.sift, handle=desk.handle, give_up=desk.give_up)
    yield box
    await box._per_person.close()


async def settled(store: Store) -> None:
    async def nobody_waits() -> bool:
        return not await inbox.people_waiting(store)

    await until_async(nobody_waits)


async def test_one_persons_updates_keep_their_order(box: Inbox, store: Store, desk: Desk) -> None:
    """A caption never overtakes its picture; another person does not wait for it."""
    desk.slow = {1: 0.1}
    await box.take_in((letter(1), letter(2), letter(3, person=2), letter(4)))
    await settled(store)
    assert desk.handled == [3, 1, 2, 4]


async def test_an_update_that_comes_twice_is_worked_off_once(box: Inbox, store: Store, desk: Desk) -> None:
    """Telegram sends again what it has not heard confirmed."""
    await box.take_in((letter(1), letter(2)))
    await settled(store)
    await box.take_in((letter(1), letter(2), letter(3)))
    await settled(store)
    assert desk.handled == [1, 2, 3]


async def test_what_a_person_wrote_is_forgotten_when_done(box: Inbox, store: Store) -> None:
    """Done updates keep no text."""
    await box.take_in((letter(1, text="a secret"),))
    await settled(store)
    assert [row["body"] for row in await store.rows("SELECT body FROM inbox")] == [""]


async def test_a_crash_is_tried_again_then_told(box: Inbox, store: Store, desk: Desk) -> None:
    """Three times; then the person hears of it, and their next update gets its turn."""
    desk.errors = {1: [ValueError()] * 2, 2: [ValueError()] * 3}
    await box.take_in((letter(1), letter(2), letter(3)))
    await settled(store)
    assert desk.handled == [1, 3]
    assert desk.given_up == [2]


async def test_a_broken_connection_is_waited_for(box: Inbox, store: Store, desk: Desk) -> None:
    """A broken connection counts as no try of the update; a refusal does."""
    desk.errors = {1: [TimedOut()] * 6, 2: [BadRequest("no")] * 3, 3: [Forbidden("blocked")]}
    await box.take_in((letter(1), letter(2), letter(3)))
    await settled(store)
    assert desk.handled == [1]
    assert desk.given_up == [2]


async def test_an_update_that_kills_the_process_is_given_up(box: Inbox, store: Store, desk: Desk) -> None:
    """Tries are counted before they begin, over restarts."""
    await inbox.put(store, [(1, letter(1)), (1, letter(2))])
    poison = await inbox.oldest(store, 1)
    assert poison is not None
    await inbox.count(store, poison, module.TRIES - poison.tries)
    box._per_person.wake(1)
    await settled(store)
    assert desk.given_up == [1]
    assert desk.handled == [2]


async def test_old_updates_are_forgotten(store: Store) -> None:
    """Done ones are kept only as long as Telegram may send them again."""
    await inbox.put(store, [(1, letter(1)), (2, letter(2, person=2))])
    first = await inbox.oldest(store, 1)
    assert first is not None
    await inbox.end(store, first, LetterState.DONE)
    await inbox.forget_old(store, done_days=1, kept_days=1)
    assert await store.value("SELECT count(*) FROM inbox") == 2
    await inbox.forget_old(store, done_days=-1, kept_days=1)
    assert [row["update_id"] for row in await store.rows("SELECT * FROM inbox")] == [2]


async def test_an_update_costs_the_same_after_a_busy_week(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that is asked for each update looks at the rows of all others."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    rows = Store.rows

    async def noted(self: Store, sql: str, *params: object) -> list[sqlite3.Row]:
        asked.append((sql, params))
        return await rows(self, sql, *params)

    monkeypatch.setattr(Store, "rows", noted)
    await inbox.oldest(store, 1)
    await inbox.kept(store, 1)
    await inbox.waiting(store, 1)
    await inbox.people_waiting(store)
    monkeypatch.undo()
    for sql, params in asked:
        (plan,) = await store.rows(f"EXPLAIN QUERY PLAN {sql}", *params)
        assert (
            "USING INDEX inbox_waiting" in plan["detail"] or "COVERING INDEX inbox_waiting" in plan["detail"]
        )


async def test_updates_survive_the_way_through_the_store(store: Store) -> None:
    """What comes out of the inbox is what Telegram sent."""
    update = letter(7, text="ünïcödé <b> \U0001f98a")
    await inbox.put(store, [(1, update)])
    stored = await inbox.oldest(store, 1)
    assert stored is not None
    assert json.loads(stored.body) == update
    found = read(stored.body, None)
    assert found == Update.de_json(update, None)


async def test_nothing_is_confirmed_before_it_is_stored(
    stage: Stage, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bot that dies between fetching and storing is given the same updates again."""

    async def dies(self: Inbox, updates: Sequence[Json]) -> None:
        raise RuntimeError("killed")

    await ada.send("/start")
    monkeypatch.setattr(Inbox, "take_in", dies)
    with pytest.raises(RuntimeError, match="killed"):
        async with stage.bot() as running:
            await until_async(running.work.done)
    assert stage.playground.world.updates.waiting() == 1
    monkeypatch.undo()


@pytest.mark.usefixtures("way")
async def test_what_came_while_the_bot_was_away_is_answered(stage: Stage, ada: Person) -> None:
    """No pending update is dropped at the start."""
    await ada.send("/start")
    await ada.send("/new zuvix")
    async with stage.bot():
        await ada.wait_for("Your style zuvix is open")
        assert [m.id for m in ada.messages if m.from_bot and "Begin with /new" in m.text]


@pytest.mark.usefixtures("way")
async def test_a_locked_database_ends_nothing(stage: Stage, ada: Person) -> None:
    """Another program holds it for a while: the message is answered afterwards, nothing is lost."""
    async with stage.bot() as running:
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        path = stage.config.storage.dir / "bot.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
            await asyncio.to_thread(
                other.execute, "BEGIN IMMEDIATE"
            )  # the bot may have to end a write of its own
            await ada.send_picture(picture(128, 128, 1), as_="document", caption="a red kite")
            await until_async(lambda: running.parts.store.failing)
        await ada.wait_for("Picture 1: zuvix a red kite")


@pytest.mark.usefixtures("way")
async def test_a_full_disk_loses_no_picture(
    stage: Stage, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file cannot be written for a while; nobody is told of an error, the picture is taken."""
    full, refused = False, 0

    def write(self: Blobs, content: bytes) -> str:
        nonlocal refused
        if full:
            refused += 1
            raise OSError(errno.ENOSPC, "No space left on device")
        return str(original(self, content))

    original = Blobs._write
    monkeypatch.setattr(Blobs, "_write", write)
    monkeypatch.setattr(module, "LONGEST_PAUSE", 0.01)
    async with stage.bot():
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        full = True
        await ada.send_picture(picture(128, 128, 1), as_="document", caption="a red kite")
        await until_async(lambda: refused >= 5)
        full = False
        await ada.wait_for("Picture 1: zuvix a red kite")
        assert not [m for m in ada.messages if "went wrong" in m.text]


async def test_an_error_that_everybody_has_gives_up_no_update(box: Inbox, store: Store, desk: Desk) -> None:
    """While nobody's updates go through, an unknown error is the machine's; it ends, and all are worked off."""
    desk.errors = {number: [ValueError()] * 5 for number in (1, 2, 3)}
    await box.take_in([letter(number, person=number) for number in (1, 2, 3)])
    await settled(store)
    assert sorted(desk.handled) == [1, 2, 3]
    assert desk.given_up == []
