"""Whatever Telegram, or something before it, answers: the bot lives, waits, and serves the next person."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import random
from typing import Any

import httpx
import pytest

from bot import app
from bot.errors import ConfigError
from bot.playground import Fault, Person, serve
from bot.playground.faults import Faults
from bot.reading import owner, read
from bot.secret import Token
from bot.tables import inbox
from tests.bot.conftest import Stage
from tests.bot.fake_engine import picture
from tests.bot.test_main import config_of
from tests.patient_person import PatientPerson
from tests.waiting import until_async as until

HTML = "<html><body>502 Bad Gateway</body></html>"
ANSWERS = {
    "html": Fault(method="getUpdates", page=(200, HTML), times=3),
    "empty": Fault(method="getUpdates", page=(200, ""), times=3),
    "no object": Fault(method="getUpdates", page=(200, "[]"), times=3),
    "no list": Fault(method="getUpdates", page=(200, '{"ok": true, "result": 5}'), times=3),
    "cut off": Fault(method="getUpdates", cut=True, times=3),
    "dropped": Fault(method="getUpdates", drop=True, times=3),
    "firewall": Fault(method="getUpdates", page=(403, HTML), times=3),
    "not found": Fault(method="getUpdates", page=(404, HTML), times=3),
    "401": Fault(method="getUpdates", error=(401, "Unauthorized"), times=3),
    "403": Fault(method="getUpdates", error=(403, "Forbidden: something new"), times=3),
    "404": Fault(method="getUpdates", error=(404, "Not Found"), times=3),
    "409": Fault(
        method="getUpdates", error=(409, "Conflict: terminated by other getUpdates request"), times=3
    ),
    "429": Fault(method="getUpdates", retry_after=0, times=3),
    "500": Fault(method="getUpdates", error=(500, "Internal Server Error"), times=3),
}


async def test_every_answer_to_get_updates_is_waited_out(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """After each the bot reads on, and has logged one line for it and one for its end."""
    caplog.set_level(logging.INFO)
    async with stage.bot():
        for name, answer in ANSWERS.items():
            caplog.clear()
            fault = stage.playground.faults.add(copy.copy(answer))
            for _ in range(2):  # the first ends the call that waits now
                await ada.send("/help")
                await ada.wait_for("Teach me a look")
            assert fault.times == 0, name
            lines = [r for r in caplog.records if r.name == "bot.poll" and r.levelno == logging.WARNING]
            assert len(lines) == 1, name
            assert sum("updates come in again" in r.getMessage() for r in caplog.records) == 1, name


async def test_a_second_bot_with_the_token_is_named(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """One clear sentence for the operator; and so for a token that was revoked."""
    async with stage.bot():
        for kind in ("409", "401"):
            stage.playground.faults.add(copy.copy(ANSWERS[kind]))
            await ada.send("/help")
            await ada.wait_for("Teach me a look")
            await ada.send("/help")
            await ada.wait_for("Teach me a look")
    assert caplog.text.count("another program uses the token in TELEGRAM_BOT_TOKEN") == 1
    assert caplog.text.count("does not know the token in TELEGRAM_BOT_TOKEN any more") == 1


async def test_a_webhook_that_was_set_meanwhile_is_removed(stage: Stage, ada: Person) -> None:
    """getUpdates says what stands in its way."""
    stage.playground.faults.add(
        Fault(
            method="getUpdates",
            error=(409, "Conflict: can't use getUpdates method while webhook is active"),
            times=2,
        )
    )
    async with stage.bot():
        await ada.send("/start")
        await ada.wait_for("Hello Ada")
    removed = [call for call in stage.playground.calls if call.method == "deletewebhook"]
    assert len(removed) >= 2


async def test_the_start_waits_too(stage: Stage, ada: Person) -> None:
    """429, a firewall, an error, half an answer to each of the first calls: the bot starts when it is over."""
    odd: list[dict[str, Any]] = [
        {"retry_after": 0},
        {"page": (403, HTML)},
        {"error": (500, "x")},
        {"cut": True},
    ]
    faults = [
        stage.playground.faults.add(Fault(method=method, **how))
        for method in ("getMe", "deleteWebhook")
        for how in odd
    ]
    async with stage.bot():
        await ada.send("/start")
        await ada.wait_for("Hello Ada")
    assert not any(fault.times for fault in faults)


async def test_a_menu_that_telegram_delays_keeps_nobody_waiting(stage: Stage, ada: Person) -> None:
    """setMyCommands has long limits of its own."""
    stage.playground.faults.add(Fault(method="setMyCommands", times=9, retry_after=3600))
    async with stage.bot():
        await ada.send("/start")
        await ada.wait_for("Hello Ada")


def service(person: Person, **content: Any) -> dict[str, Any]:
    chat = {"id": person.id, "type": "private", "first_name": "Eve"}
    return {"message_id": 900_000, "date": 1, "chat": chat, "from": dict(person.user)} | content


async def test_documented_messages_that_the_library_cannot_turn_back_into_json(
    stage: Stage, ada: Person
) -> None:
    """A pinned message that is not accessible, a poll of an older server: the bot lives, the next is served."""
    chat = {"id": ada.id, "type": "private"}
    option = {"text": "a", "voter_count": 0}
    poll = {"id": "1", "question": "q", "options": [option], "total_voter_count": 0, "is_closed": False}
    async with stage.bot() as running:
        await ada.send("/start")
        await ada.wait_for("Hello Ada")
        for content in ({"pinned_message": {"chat": chat, "message_id": 1, "date": 0}}, {"poll": poll}):
            stage.playground.world.updates.add("message", service(ada, **content))
        await ada.send("/help")
        await ada.wait_for("Teach me a look")

        async def nothing_waits() -> bool:
            return await inbox.waiting(running.parts.store, ada.id) == 0

        await until(nothing_waits)


async def test_what_cannot_be_read_is_put_aside_and_counted(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """One line for the operator, however many there are; everybody's next message is answered."""
    async with stage.bot() as running:
        for number in range(5):
            stage.playground.world.updates.add("message", service(ada, message_id=[number]))
        await ada.send("/start")
        await ada.wait_for("Hello Ada")
        states = await running.parts.store.rows("SELECT state FROM inbox")
    assert [row["state"] for row in states].count("unreadable") == 5
    assert caplog.text.count("put aside") == 1


def mutated(update: Any, rng: random.Random) -> Any:
    """One value anywhere in an update gone, or of another kind."""
    update = copy.deepcopy(update)
    spots: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            spots.extend((value, key) for key in value if key != "update_id")
            for part in value.values():
                walk(part)
        if isinstance(value, list):
            for part in value:
                walk(part)

    walk(update)
    holder, key = rng.choice(spots)
    if rng.random() < 0.3:
        del holder[key]
        return update
    deep: Any = {}
    for _ in range(400):
        deep = {"message": deep}
    odd: Any = (None, -1, 10**30, "", "x" * 5000, "\ud83d", "\0", [], {}, [[]], True, 0.5, deep, {"id": "x"})
    holder[key] = rng.choice(odd)
    return update


def seeds(person: Person) -> list[dict[str, Any]]:
    size = {"file_id": "f", "file_unique_id": "u", "width": 90, "height": 90, "file_size": 100}
    text = service(person, text="/samples", entities=[{"type": "bot_command", "offset": 0, "length": 8}])
    photo = service(person, photo=[size], caption="a fox", media_group_id="7")
    sticker = service(person, sticker=size | {"type": "regular", "is_animated": False, "is_video": False})
    document = service(person, document={"file_id": "f", "file_unique_id": "u"}, reply_to_message=text)
    press = {"id": "1", "from": dict(person.user), "message": text, "chat_instance": "1", "data": "style:1"}
    kinds = [("message", m) for m in (text, photo, sticker, document)]
    kinds += [("edited_message", text | {"edit_date": 2}), ("callback_query", press)]
    return [{"update_id": 1, kind: body} for kind, body in kinds]


async def test_mutated_updates_end_nothing(stage: Stage, ada: Person) -> None:
    """200 updates with one odd value each from Eve; Ada is served, and nothing of Eve's stays undone."""
    rng = random.Random(0)
    async with stage.bot() as running, PatientPerson.join(stage.playground.address, "Eve") as eve:
        await eve.send("/start")
        await eve.wait_for("Hello")
        for _ in range(200):
            update = mutated(rng.choice(seeds(eve)), rng)
            for kind, body in update.items():
                if kind != "update_id":
                    stage.playground.world.updates.add(kind, body)
        await ada.send("/start")
        await ada.wait_for("Hello Ada")

        async def settled() -> bool:
            open_ones = "SELECT count(*) FROM inbox WHERE state = 'waiting'"
            return not await running.parts.store.value(open_ones)

        await until(lambda: stage.playground.world.updates.waiting() <= 100)
        await until(settled)
        await eve.send("/help")
        await eve.wait_for("Teach me a look")


async def test_a_private_message_of_nobody_is_no_crash(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """It is passed over."""
    nobody = service(ada, text="/start")
    del nobody["from"]
    async with stage.bot() as running:
        stage.playground.world.updates.add("message", nobody)
        await ada.send("/start")
        await ada.wait_for("Hello Ada")

        async def settled() -> bool:
            return not await running.parts.store.value("SELECT count(*) FROM inbox WHERE state = 'waiting'")

        await until(settled)
    assert "crash" not in caplog.text


@pytest.mark.parametrize("kind", ["inline_query", "callback_query"])
def test_a_query_of_nobody_is_put_aside(kind: str) -> None:
    """Telegram names the person of every query; one without cannot be answered."""
    query = {"id": "1", "from": {"id": 5, "is_bot": False, "first_name": "Eve"}, "query": "fox", "offset": ""}
    whole = {"update_id": 1, kind: query | {"chat_instance": "1", "data": "add:1"}}
    assert read(json.dumps(whole), None)
    del query["from"]
    assert (
        read(json.dumps({"update_id": 1, kind: query | {"chat_instance": "1", "data": "add:1"}}), None)
        is None
    )


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        *(("document", name) for name in ("file_size", "file_name", "mime_type")),
        *(("sticker", name) for name in ("file_size", "emoji", "set_name")),
        ("photo", "file_size"),
        ("from", "username"),
    ],
)
@pytest.mark.parametrize("replied", [False, True])
def test_a_field_of_another_type_is_put_aside(kind: str, field: str, replied: bool) -> None:
    """In a message and in the one that it replies to: the library takes any type."""
    texts = dict.fromkeys(("file_id", "file_unique_id", "file_name", "mime_type", "emoji", "set_name"), "x")
    sides = {"width": 90, "height": 90, "is_animated": False, "is_video": False, "type": "regular"}
    holder: dict[str, Any] = texts | sides | {"file_size": 100}
    user = {"id": 5, "is_bot": False, "first_name": "Eve", "username": "eve"}
    message: dict[str, Any] = service(Person(httpx.AsyncClient(), user), text="x")
    if kind == "from":
        holder = message["from"]
    else:
        message[kind] = [holder] if kind == "photo" else holder
    whole = message | {"reply_to_message": message} if replied else message
    assert read(json.dumps({"update_id": 1, "message": whole}), None)
    holder[field] = {"id": "x"}
    assert read(json.dumps({"update_id": 1, "message": whole}), None) is None


@pytest.mark.parametrize("replied", [False, True])
def test_a_message_without_a_date_is_put_aside(replied: bool) -> None:
    """Telegram names one in every message that can be read."""
    user = {"id": 5, "is_bot": False, "first_name": "Eve"}
    message = service(Person(httpx.AsyncClient(), user), text="x")
    undated = message | {"date": None}
    whole = message | {"reply_to_message": undated} if replied else undated
    assert read(json.dumps({"update_id": 1, "message": whole}), None) is None


def test_no_mutated_update_raises() -> None:
    """2,000 of them are read or put aside, and each has somebody whose order counts."""
    rng, read_ones = random.Random(1), 0
    user = {"id": 5, "is_bot": False, "first_name": "Eve"}
    person = Person(httpx.AsyncClient(), user)
    originals = seeds(person)
    assert all(read(json.dumps(update), None) and owner(update) == 5 for update in originals)
    for _ in range(2000):
        update = mutated(rng.choice(originals), rng)
        assert isinstance(owner(update), int)
        read_ones += read(json.dumps(update), None) is not None
    assert 400 < read_ones < 2000


async def test_update_ids_that_begin_anew_are_worked_off(stage: Stage, ada: Person) -> None:
    """After a quiet week Telegram numbers from another number, maybe one that was used before."""
    world = stage.playground.world
    async with stage.bot():
        await ada.send("/start")
        await ada.wait_for("Hello Ada")
    with world.change():
        world._db.execute("DELETE FROM waiting_update")
        world._db.execute("UPDATE sqlite_sequence SET seq = 100000000 WHERE name = 'waiting_update'")
    async with stage.bot():
        await ada.send("/help")
        await ada.wait_for("Teach me a look")


async def test_a_firewall_on_a_download_loses_no_picture(stage: Stage, ada: Person) -> None:
    """403 without Telegram's own words is not a person who has blocked the bot."""
    async with stage.bot() as running:
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        stage.playground.faults.add(Fault(method="getFile", page=(403, HTML), times=12))
        stage.playground.faults.add(Fault(method="file", page=(403, HTML), times=12))
        stage.playground.faults.add(Fault(method="file", page=(200, HTML), times=3))
        stage.playground.faults.add(Fault(method="file", cut=True))
        stage.playground.faults.add(Fault(method="file", drop=True))
        await ada.send_picture(picture(128, 128, 1), as_="document", caption="a fox")
        await ada.wait_for("1 in all")
        assert await running.parts.store.value("SELECT sum(blocked) FROM person") == 0


async def test_an_outage_uses_up_no_try(stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture) -> None:
    """50 failed calls later the picture is taken; the log has one line on it."""
    async with stage.bot():
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        stage.playground.faults.add(Fault(error=(502, "Bad Gateway"), times=50))
        await ada.send_picture(picture(128, 128, 1), as_="document", caption="a fox")
        await ada.wait_for("1 in all")
    assert caplog.text.count("updates wait until this is over") == 1


async def test_the_apology_comes_after_the_outage(
    stage: Stage, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is a row: a bot that was killed meanwhile sends it at its next start."""

    async def breaks(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("bot.handlers.start.unknown.__code__", breaks.__code__)
    async with stage.bot() as running:
        await ada.send("/start")
        await ada.wait_for("Hello Ada")
        fault = stage.playground.faults.add(
            Fault(method="sendMessage", error=(502, "Bad Gateway"), times=999)
        )
        await ada.send("/nonsense")
        await until(lambda: running.parts.store.value("SELECT count(*) FROM outbox"))
    fault.times = 0
    async with stage.bot() as running:
        await ada.wait_for("something went wrong on my side")
        await asyncio.sleep(0.1)
        assert not await running.parts.store.value("SELECT count(*) FROM outbox")


async def test_forged_presses_are_no_crash(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """Data that no button has: a notice, no traceback, no apology."""
    names = ["new", "style", "delete", "drafts", "samples", "remove", "train", "look", "looks"]
    names += ["again", "cfg", "add", "addall", "cancel", "nobody"]
    odd = ("", ":", ":x", ":-1", ":1:2:3", ":1e9", ":" + "9" * 40, ":page:", ":1:nan", ":١", ":1:9.9.9")
    async with stage.bot():
        await ada.send("/new zuvix")
        told = await ada.wait_for("zuvix is open")
        for name in names:
            for data in odd:
                query = {"id": "1", "from": dict(ada.user), "message": told.raw, "chat_instance": "1"}
                stage.playground.world.updates.add("callback_query", query | {"data": name + data})
        await ada.send("/help")
        await ada.wait_for("Teach me a look")
        assert not [m for m in ada.messages if "went wrong" in m.text]
    assert "crash" not in caplog.text


async def test_a_token_revoked_before_the_start_ends_with_a_sentence(tmp_path: Any) -> None:
    """Only Telegram's own 401 or 404 does that; a proxy's is waited out."""
    async with serve(tmp_path / "playground") as playground:
        with pytest.raises(ConfigError, match="does not know the token"):
            await app.run(config_of(playground, tmp_path), Token("123456:AAsecretsecretsecret"))


def test_a_fault_of_the_whole_server_spares_polling() -> None:
    """What ``*`` means to the playground: these tests rely on it."""
    faults = Faults(None)
    faults.add(Fault(error=(502, "x")))
    assert faults.take(_call("getupdates")) is None
    assert faults.take(_call("sendmessage")) is not None


def _call(method: str) -> Any:
    from bot.playground.wire import Call

    return Call(method=method, params={})
