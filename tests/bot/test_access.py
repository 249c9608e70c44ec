"""Who may use the bot: everybody, a list, or who has an invite. Of a stranger nothing is stored."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from bot import access as module
from bot.access import Access
from bot.config import Access as Settings
from bot.playground import Person, Picture
from bot.sender import Sender
from bot.start_links import invite_token, read
from bot.store import Store
from bot.tables import access as rows
from tests.bot.conftest import Stage
from tests.bot.fake_engine import held, picture
from tests.patient_person import PatientPerson
from tests.waiting import until_async


@pytest.fixture
async def bob(stage: Stage) -> AsyncIterator[Person]:
    """A stranger with an @name."""
    async with PatientPerson.join(stage.playground.address, "Bob", username="Bob_the_first") as person:
        yield person


def invited(ada: Person) -> Settings:
    """Ada is an admin; others need an invite."""
    return Settings(admins=(ada.id,), mode="invite")


def everything_in(folder: Path) -> dict[str, Sequence[object]]:
    """Every row of every table, and every other file, by name."""
    with closing(sqlite3.connect(folder / "bot.sqlite")) as db:
        tables = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found: dict[str, Sequence[object]] = {
            name: db.execute(f"SELECT * FROM {name}").fetchall() for name in tables
        }
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("bot.sqlite")]
    return found | {str(path): path.read_bytes() for path in files}


async def test_nothing_of_a_stranger_is_stored(stage: Stage, ada: Person, bob: Person) -> None:
    """Fifty messages, pictures among them: no row, no file, no download, and one sentence in answer."""
    async with stage.bot(access=invited(ada)) as running:
        await ada.send("/start")
        await ada.wait_for("/new")
        await until_async(
            lambda: running.parts.store.row(
                "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE body != '')"
            )
        )
        before = everything_in(stage.config.storage.dir)
        for number in range(20):
            await bob.send(f"wubble {number}")
            await bob.send_picture(picture(64, 64, number), as_="document", caption="qapla")
        await bob.album([Picture(data=picture(64, 64, n)) for n in range(9)])
        await bob.send("/start i_AAAAAAAAAAAAAAAA")
        await bob.wait_for(f"tell them your number: {bob.id}", since=0)
        await until_async(lambda: not stage.playground.world.updates.waiting())
        assert len([message for message in bob.messages if message.from_bot]) == 1
        assert everything_in(stage.config.storage.dir) == before
        files = [path for path in stage.config.storage.dir.rglob("*") if path.is_file()]
        marks = (b"wubble", b"qapla", b"Bob")
        assert not [path for path in files if any(mark in path.read_bytes() for mark in marks)]
        assert not [call for call in stage.playground.calls if call.method.lower() == "getfile"]


async def test_a_stranger_is_told_again_after_a_while(stage: Stage, ada: Person, bob: Person) -> None:
    """In the operator's own words."""
    settings = Settings(admins=(ada.id,), mode="list", refusal={"en": "Ask <Ann>. You are {id}."})
    async with stage.bot(access=settings):
        await bob.send("hello")
        first = await bob.wait_for(f"Ask <Ann>. You are {bob.id}.")
        stage.monkeypatch.setattr(module, "REFUSAL_SECONDS", 0.0)
        await bob.send("hello")
        await bob.wait_for(lambda message: message.id > first.id and "Ask <Ann>" in message.text)


async def test_a_list_of_ids_and_names(stage: Stage, ada: Person, bob: Person) -> None:
    """Names count in any case of letters; who is in neither form stays out."""
    async with (
        PatientPerson.join(stage.playground.address, "Eve", language_code="ru") as eve,
        stage.bot(access=Settings(mode="list", allow=(ada.id, "@BOB_THE_FIRST"))),
    ):
        for person in (ada, bob):
            await person.send("/start")
            await person.wait_for("/new")
        await eve.send("/start")
        await eve.wait_for(f"скажи ему свой номер: {eve.id}")


async def test_an_invite_lets_in_as_many_as_it_is_for(stage: Stage, ada: Person, bob: Person) -> None:
    """Bob comes in by the link, Eve is too late; Bob stays in after a restart and after the link is revoked."""
    async with PatientPerson.join(stage.playground.address, "Eve") as eve:
        async with stage.bot(access=invited(ada)):
            await bob.send("/new zuvix")
            await bob.wait_for("only for people whom my operator")
            await ada.send("/invite")
            made = await ada.wait_for("Lets in 1 person")
            token = made.text.split("start=")[1].split()[0]
            await bob.send(f"/start {token}")
            await bob.wait_for("Begin with /new")
            await eve.send(f"/start {token}")
            await eve.wait_for("only for people whom my operator")
            await ada.send("/invites")
            await ada.wait_for("No invite is open")
        async with stage.bot(access=invited(ada)):
            await bob.send("/new zuvix")
            await bob.wait_for("zuvix is open")


async def test_an_invite_can_be_revoked_and_runs_out(stage: Stage, ada: Person, bob: Person) -> None:
    """Its link lets nobody in from then on."""
    async with stage.bot(access=invited(ada)) as running:
        await ada.send("/invite 5 12h")
        made = await ada.wait_for("Lets in 5 people")
        await ada.press(made, "revoke:")
        await ada.wait_for("That link lets nobody in any more")
        await ada.send("/invite 2 1h")
        late = await ada.wait_for("Lets in 2 people")
        await running.parts.store.change("UPDATE invite SET expires_at = ?", time.time())
        for message in (made, late):
            await bob.send(f"/start {message.text.split('start=')[1].split()[0]}")
        await bob.wait_for("only for people whom my operator")
        await until_async(lambda: not stage.playground.world.updates.waiting())
        assert await running.parts.store.value("SELECT count(*) FROM member") == 0


@pytest.mark.parametrize("wish", ["0", "5 0h", "x", "2000", "400d", "-1"])
async def test_an_invite_that_makes_no_sense_is_explained(stage: Stage, ada: Person, wish: str) -> None:
    """With an example."""
    async with stage.bot(access=invited(ada)):
        await ada.send(f"/invite {wish}")
        await ada.wait_for("makes a link for five people")


async def test_a_banned_person_is_shut_out_at_once(stage: Stage, ada: Person, bob: Person) -> None:
    """Their job ends, buttons do nothing but say so, and only the id is kept of the ban; /unban takes it back."""
    engine = held()
    async with stage.bot(engine, access=Settings(admins=(ada.id,))) as running:
        await bob.send("/sticker a fox --seed 1")
        await bob.wait_for("Drawing a fox")
        await bob.send("/new")
        suggested = await bob.wait_for(lambda message: message.button("new:") is not None)
        await ada.send("/ban @bob_the_FIRST")
        await ada.wait_for("@Bob_the_first cannot use me any more")
        await bob.wait_for("Drawing a fox was cancelled")
        await bob.press(suggested, "new:")
        assert "only for people" in await bob.wait_for_notice()
        await bob.send("/start")
        await bob.send("/new zuvix")
        await until_async(lambda: not stage.playground.world.updates.waiting())
        assert [tuple(row) for row in await running.parts.store.rows("SELECT * FROM ban")] == [(bob.id,)]
        await ada.send(f"/unban {bob.id}")
        await ada.wait_for("may use me again")
        await bob.send("/new zuvix")
        await bob.wait_for("zuvix is open")
        assert not [m for m in bob.messages if "only for people" in m.text], "the press has told it already"


async def test_what_came_before_a_ban_is_not_worked_off(stage: Stage, ada: Person, bob: Person) -> None:
    """Pictures that waited for a style are forgotten, and an update that is just being read changes nothing."""
    async with stage.bot(access=Settings(admins=(ada.id,))) as running:
        await bob.send_picture(picture(64, 64, 1))
        await bob.wait_for("/new")
        store = running.parts.store
        await until_async(lambda: store.row("SELECT 1 FROM inbox WHERE state = 'kept'"))
        await ada.send(f"/ban {bob.id}")
        await ada.wait_for("cannot use me any more")
        assert await store.row("SELECT 1 FROM inbox WHERE state = 'kept'") is None


async def test_an_admin_cannot_be_banned(stage: Stage, ada: Person) -> None:
    """Nobody locks themselves out."""
    async with stage.bot(access=Settings(admins=(ada.id,))):
        await ada.send(f"/ban {ada.id}")
        await ada.wait_for("That is an admin")


async def test_an_admin_lets_in_by_number_and_by_name(stage: Stage, ada: Person, bob: Person) -> None:
    """A name that has never written works too: whoever writes under it next comes in, and stays under any name."""
    async with (
        PatientPerson.join(stage.playground.address, "Eve") as eve,
        stage.bot(access=Settings(admins=(ada.id,), mode="list")) as running,
    ):
        await ada.send(f"/allow {eve.id}")
        await ada.wait_for(f"{eve.id} may use me now")
        await ada.send("/allow @bob_the_first")
        await ada.wait_for("Whoever writes to me as @bob_the_first")
        for person in (eve, bob):
            await person.send("/start")
            await person.wait_for("/new")
        members = {row[0] for row in await running.parts.store.rows("SELECT id FROM member")}
        assert members == {eve.id, bob.id}
        assert await rows.names(running.parts.store) == set()


async def test_a_forwarded_message_tells_who_wrote_it(stage: Stage, ada: Person, bob: Person) -> None:
    """With buttons to let them in and to ban them; a reply to it with a command does the same."""

    def forward(origin: dict[str, object]) -> None:
        body = {"text": "a forward", "forward_origin": {"date": 1} | origin}
        stage.playground.world.say(ada.id, body, from_bot=False)

    theirs: dict[str, object] = {
        "type": "user",
        "sender_user": {"id": bob.id, "is_bot": False, "first_name": "Bob"},
    }
    async with stage.bot(access=Settings(admins=(ada.id,), mode="list")):
        await ada.send("/start")
        await ada.wait_for("/new")
        forward(theirs)
        await ada.press(await ada.wait_for(f"number {bob.id}"), "allow:")
        await ada.wait_for("may use me now")
        await bob.send("/start")
        await bob.wait_for("/new")
        theirs_again = next(message for message in ada.messages if message.text == "a forward")
        await ada.send("/ban", reply_to=theirs_again)
        await ada.wait_for("cannot use me any more")
        forward({"type": "hidden_user", "sender_user_name": "Bob"})
        await ada.wait_for("they hide it")
        await ada.send("/ban @nobody_at_all")
        await ada.wait_for("Nobody has written to me as @nobody_at_all")
        await ada.send("/ban")
        await ada.wait_for("Tell me who")


async def test_commands_of_admins_are_unknown_to_others(stage: Stage, ada: Person, bob: Person) -> None:
    """Nobody learns of them, and a forwarded text is a caption as ever."""
    async with stage.bot(access=Settings(admins=(ada.id,))):
        for command in ("/ban", "/allow", "/unban", "/invite", "/invites", "/bam"):
            await bob.send(command)
        await bob.wait_for("I do not know that command", since=0)
        await ada.send("/help")
        await ada.wait_for("For admins")
        await bob.send("/help")
        await bob.wait_for("Teach me a look")
        told = [message.text for message in bob.messages if message.from_bot]
        assert not [text for text in told if "For admins" in text or "/ban" in text or "Tell me who" in text]


class Silent(Sender):
    """Notes what strangers are told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    async def text_once(self, person: int, text: str) -> None:
        self.said.append(f"text {person}")

    async def answer_once(self, press_id: str, text: str) -> None:
        self.said.append(f"press {press_id}")

    async def answer_inline_with_nothing(self, query_id: str) -> None:
        self.said.append(f"inline {query_id}")


def update(kind: str, chat: int | None, id: int = 7) -> dict[str, object]:
    body: dict[str, object] = {"id": "5", "from": {"id": id, "is_bot": False, "first_name": "x"}}
    if chat is not None:
        body["chat"] = {"id": chat, "type": "private" if chat > 0 else "group"}
    return {"update_id": 1, kind: body}


@pytest.mark.parametrize(
    ("kind", "chat", "said"),
    [
        ("message", 7, ["text 7"]),
        ("edited_message", 7, ["text 7"]),
        ("callback_query", None, ["press 5"]),
        ("inline_query", None, ["inline 5"]),
        ("message", -100, []),
        ("my_chat_member", -100, []),
        ("channel_post", -100, []),
    ],
)
async def test_every_kind_of_update_is_checked(
    store: Store, kind: str, chat: int | None, said: list[str]
) -> None:
    """Messages, edits, presses, inline queries, groups: a stranger's are dropped, a known person's are kept."""
    sender = Silent()
    access = Access(settings=Settings(mode="list", allow=(8,)), store=store, sender=sender)
    await access.load()
    assert await access.sift([update(kind, chat), update(kind, chat, id=8)]) == [update(kind, chat, id=8)]
    await until_async(lambda: sender.said == said)


@pytest.mark.parametrize("body", [{"from": 3}, {"from": {"id": "x"}}, {"text": "hi"}, 4])
async def test_an_update_of_nobody_passes_only_an_open_bot(store: Store, body: object) -> None:
    """Odd updates are put aside by the inbox, as ever; a closed bot does not store them."""
    for mode, kept in (("open", 1), ("list", 0)):
        access = Access(settings=Settings(mode=mode), store=store, sender=Silent())
        assert len(await access.sift([{"update_id": 1, "message": body}])) == kept


def test_links_are_told_from_words() -> None:
    """Only the form of our own links counts."""
    assert invite_token("/start i_abc-_9") == "abc-_9"
    assert invite_token("/start@some_bot i_abc") == "abc"
    assert [invite_token(text) for text in ("/start", "/start s_abc", "/start i_ä", "i_abc", None)] == [
        None
    ] * 5
    assert read("s_abc") == ("s", "abc")
    assert read("hello") is None
