"""A guest reports a shared style; the admins learn of it at once and decide; nobody learns who it was."""

from __future__ import annotations

import io
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from PIL import Image

from bot import metrics
from bot.config import Access
from bot.playground import Message, Person
from bot.store import Store
from bot.tables import people, reports, shares, styles
from bot.tables.reports import Reason
from tests.bot.conftest import Running, Stage
from tests.bot.test_erasure import erased, forget, places_of
from tests.bot.test_exports import files_of, opened
from tests.bot.test_sharing import link_of
from tests.patient_person import PatientPerson


@pytest.fixture
async def bob(stage: Stage) -> AsyncIterator[Person]:
    """A guest."""
    async with PatientPerson.join(stage.playground.address, "Bob") as person:
        yield person


@pytest.fixture
async def eve(stage: Stage) -> AsyncIterator[Person]:
    """Another guest."""
    async with PatientPerson.join(stage.playground.address, "Eve") as person:
        yield person


@pytest.fixture
async def boss(stage: Stage) -> AsyncIterator[Person]:
    """An admin who speaks Russian."""
    async with PatientPerson.join(stage.playground.address, "Olga", language_code="ru") as person:
        yield person


@asynccontextmanager
async def shared(stage: Stage, ada: Person, boss: Person, *guests: Person) -> AsyncIterator[Running]:
    """A bot with an admin, and Ada's style zuvix with its guests."""
    async with stage.bot(access=Access(admins=(boss.id,))) as running:
        await boss.send("/start")
        await boss.wait_for("/new")
        await ada.send("/start")
        await ada.wait_for("/new")
        await trained(running, ada)
        _, start = await link_of(ada)
        for guest in guests:
            await guest.send(start)
            await guest.wait_for("You can draw in the style")
        yield running


async def trained(running: Running, ada: Person) -> None:
    """Ada's style zuvix, made of a file: so it can draw at once."""
    async with running.parts.blobs.keep(b"an adapter") as (name,):
        await styles.take_in(
            running.parts.store,
            person=ada.id,
            keyword="zuvix",
            trained_as="zuvix",
            adapter=name,
            bytes=10,
            base=None,
            origin="message 0",
        )


async def report(guest: Person, reason: str) -> Message:
    """/report, with a reason; the bot's answer."""
    await guest.send("/report")
    await guest.press(await guest.wait_for("What is wrong with zuvix"), f"report:1:{reason}")
    return await guest.wait_for("whoever runs me knows about zuvix")


async def listed(boss: Person) -> Message:
    """/reports, which shows one style."""
    await boss.send("/reports")
    return await boss.wait_for("Первая жалоба")


async def test_a_report_reaches_the_admins_at_once(
    stage: Stage, ada: Person, bob: Person, eve: Person, boss: Person
) -> None:
    """One message for a style, edited when another guest reports it; each guest once; it is counted."""
    async with shared(stage, ada, boss, bob, eve) as running:
        before = metrics.REPORTS.labels("unsafe")._value.get()
        await bob.send("/sticker a fox --seed 3")
        await bob.press(await bob.wait_for("seed 3"), "report:")
        await bob.press(await bob.wait_for("What is wrong"), "report:1:unsafe")
        answer = await bob.wait_for("decides what happens")
        told = await boss.wait_for("1 жалоба на открытый стиль zuvix: недопустимые картинки 1")
        await report(eve, "work")
        await boss.wait_for("2 жалобы на открытый стиль zuvix: недопустимые картинки 1, чужая работа 1")
        assert [message.id for message in boss.heard(0) if "жалоб" in message.text] == [told.id]
        await bob.send("/report")
        await bob.wait_for("reported zuvix already")
        assert metrics.REPORTS.labels("unsafe")._value.get() == before + 1
        assert not [message for message in ada.heard(0) if "report" in message.text]
        assert await running.parts.store.value("SELECT count(*) FROM report") == 2
        await bob.press(answer, "leave:")
        await bob.wait_for("not among your styles any more")


async def test_an_admin_ends_the_sharing(stage: Stage, ada: Person, bob: Person, boss: Person) -> None:
    """What it says, what it shows, who reads what; the samples stay; old buttons explain themselves."""
    async with shared(stage, ada, boss, bob) as running:
        await bob.send("/sticker a wubble fox --seed 3 --n 2")
        await bob.wait_for("seed 3–4")
        await bob.send("/styles")
        await bob.press(await bob.wait_for("Your styles"), "report:")
        asked = await bob.wait_for("What is wrong")
        await report(bob, "unsafe")
        shown = await listed(boss)
        assert f"zuvix, стиль пользователя {ada.id}\n1 жалоба: недопустимые картинки 1\n" in shown.text
        assert "по ссылке сейчас: 1 человек" in shown.text
        assert shown.kind == "photo"
        sheet = Image.open(io.BytesIO(await boss.download(shown.file_id or "")))
        assert sheet.width > sheet.height
        for said in ("wubble", "qapla", str(bob.id), "Bob"):
            assert said not in shown.text
        older = shown
        await boss.press(shown := await listed(boss), "decide:end")
        over = await boss.wait_for("Доступ к zuvix закрыт. Больше не рисуют в нём: 1 человек")
        assert f"сможет создать другие и делиться ими. Чтобы закрыть и это: /ban {ada.id}" in over.text
        told = await ada.wait_for("Whoever runs me has ended the sharing of zuvix")
        assert "reported it: unsafe pictures. Nothing of the style is deleted" in told.text
        assert str(bob.id) not in told.text
        await bob.wait_for("zuvix is not shared with you any more")
        assert await styles.get(running.parts.store, ada.id, 1) is not None
        await boss.press(older, "decide:ban")
        await boss.wait_for("Это уже решено")
        await bob.press(asked, "report:1:work")
        await bob.wait_for("That style is not here any more")
        await boss.send("/reports")
        await boss.wait_for("Открытых жалоб нет")
        await ada.send("/share")
        await ada.wait_for("Only they can allow it again")
        await boss.press(next(m for m in boss.messages if m.button("unbar:")), "Снова разрешить")
        await boss.wait_for("снова может им делиться")
        _, start = await link_of(ada)
        await bob.send(start)
        await bob.wait_for("You can draw in the style")
        await report(bob, "other")


async def test_an_admin_dismisses_or_bans(
    stage: Stage, ada: Person, bob: Person, eve: Person, boss: Person
) -> None:
    """Dismissed: all stays, and the same guest cannot report it again. Banned: the owner is out, the guests too."""
    async with shared(stage, ada, boss, bob, eve) as running:
        await report(bob, "other")
        shown = await listed(boss)
        assert shown.kind == "text", "Bob has drawn nothing in it"
        await boss.press(await listed(boss), "decide:dismiss")
        await boss.wait_for("zuvix: жалоба отклонена")
        await bob.send("/report")
        await bob.wait_for("reported zuvix already")
        await report(eve, "work")
        await boss.wait_for("1 жалоба на открытый стиль zuvix: чужая работа 1")
        await ada.send("/share")
        await ada.press(await ada.wait_for("is shared by a link"), "share:end")
        await eve.wait_for("zuvix is not shared with you any more")
        await boss.press(shown, "decide:end")
        await boss.wait_for("его закрыл сам владелец")
        shown = await listed(boss)
        assert "Доступ к нему владелец уже закрыл" in shown.text
        await boss.press(shown, "decide:ban")
        await boss.wait_for("не может мной пользоваться")
        await boss.wait_for("Доступ к zuvix закрыт")
        assert not running.parts.access.admits(ada.id, None)
        assert not [m for m in ada.heard(0) if "has ended the sharing" in m.text], "nothing was shared"


async def test_in_a_group_nobody_reports(stage: Stage, ada: Person, bob: Person, boss: Person) -> None:
    """The command leads to the private chat, and a drawing there has no such button."""
    group = await bob.group("Friends")
    async with (
        shared(stage, ada, boss, bob),
        PatientPerson.join(stage.playground.address, id=bob.id, chat=group) as there,
    ):
        await there.send("/sticker a fox --seed 3")
        told = await there.wait_for("seed 3")
        assert "zuvix, which is shared with you" in told.text
        assert not told.buttons
        await there.send("/report")
        await there.wait_for("between you and me")


async def test_what_cannot_be_reported(stage: Stage, ada: Person, bob: Person, boss: Person) -> None:
    """One's own style, the ready-made one, a style that one has no link to; and only admins decide."""
    async with shared(stage, ada, boss) as running:
        for person in (ada, bob):
            await person.send("/report")
            await person.wait_for("Only a style that somebody shares with you")
        await bob.send("/sticker a fox --seed 1")
        told = await bob.wait_for("seed 1")
        assert "report:" not in str(told.buttons)
        assert not await reports.add(running.parts.store, 1, bob.id, Reason.OTHER)
        await bob.send("/reports")
        await bob.wait_for("I do not know that command")
        await ada.send("/styles")
        assert "report:" not in str((await ada.wait_for("Your styles")).buttons)


async def test_a_kill_between_report_and_notice(
    stage: Stage, ada: Person, bob: Person, eve: Person, boss: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """The row is enough: the next start tells the admins, and not twice. Without admins, the log says so."""
    async with shared(stage, ada, boss, bob, eve) as running:
        assert await reports.add(running.parts.store, 1, bob.id, Reason.WORK)
    for _ in range(2):
        async with stage.bot(access=Access(admins=(boss.id,))) as running:
            await boss.wait_for("1 жалоба на открытый стиль zuvix", since=0)
            await boss.send("/stats")
            await boss.wait_for("Диск")
            assert await running.parts.store.value("SELECT reports FROM report_notice") == 1
    assert len([message for message in boss.heard(0) if "жалоба" in message.text]) == 1
    async with stage.bot():
        await report(eve, "work")
    (line,) = [record.getMessage() for record in caplog.records if "reported" in record.getMessage()]
    assert "access.admins" in line
    assert "zuvix" not in line


async def test_reports_are_data_of_who_reports(
    stage: Stage, ada: Person, bob: Person, eve: Person, boss: Person
) -> None:
    """The owner's /mydata does not hold them, the guest's does; /forgetme of either leaves none."""
    async with shared(stage, ada, boss, bob, eve) as running:
        store = running.parts.store
        await report(bob, "work")
        for person, expected in ((ada, False), (bob, True)):
            await person.send("/mydata")
            await person.wait_for("1 file sent")
            archive = opened((await files_of(person))["my-data.zip"])
            assert ("tables/report.json" in archive.namelist()) == expected
        await forget(bob, "forget:rows")
        await erased(store, bob.id)
        assert await places_of(store, bob.id) == []
        await boss.send("/reports")
        await boss.wait_for("Открытых жалоб нет")
        await report(eve, "unsafe")
        await forget(ada, "forget:rows")
        await erased(store, ada.id)
        assert await store.value("SELECT count(*) FROM report") == 0
        assert await store.value("SELECT count(*) FROM report_notice") == 0


async def test_dismissed_reports_are_forgotten(store: Store) -> None:
    """After ``keep_days``; open ones stay."""
    for id in (1, 2):
        await people.see(store, id=id, name=f"person {id}", language="en")
    await styles.add(store, 1, "zuvix")
    await shares.join(store, 1, 2)
    assert await reports.add(store, 1, 2, Reason.WORK)
    assert not await reports.add(store, 1, 2, Reason.OTHER)
    await reports.forget_old(store, time.time() + 1)
    assert [found.count for found in await reports.open_ones(store)] == [1]
    await reports.dismiss(store, 1)
    assert await reports.open_ones(store) == []
    await reports.forget_old(store, time.time() - 1)
    assert await reports.has(store, 1, 2)
    await reports.forget_old(store, time.time() + 1)
    assert not await reports.has(store, 1, 2)
