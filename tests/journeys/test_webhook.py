"""The bot's process with a webhook: a kill and a change of the way lose no update, and answer none twice."""

from __future__ import annotations

from pathlib import Path

from bot.playground import Fault, Playground
from tests.bot.conftest import free_port
from tests.journeys.bot_process import running
from tests.journeys.conftest import Settings
from tests.journeys.observing import rows, until
from tests.patient_person import PatientPerson


def way(playground: Playground, *, webhook: bool) -> dict[str, object]:
    """``[telegram]`` with one of the two ways in which updates come."""
    listen = f"127.0.0.1:{free_port()}"
    hook = {"webhook_url": f"http://{listen}/updates", "webhook_listen": listen} if webhook else {}
    return {"api_url": playground.api_url, "file_url": playground.file_url, **hook}


def drawn(ada: PatientPerson) -> int:
    return sum(message.kind == "sticker" for message in ada.messages)


async def test_kills_and_both_ways(playground: Playground, ada: PatientPerson, tmp_path: Path) -> None:
    """Webhook, a kill between the update's row and its answer, polling, a kill, the webhook again."""
    settings: Settings = {"engine": {"name": "fake"}, "telegram": way(playground, webhook=True)}
    async with running(playground, tmp_path / "bot", settings) as bot:
        await ada.send("/start")
        await ada.wait_for("Hello Ada")
        await ada.send("/sticker a fox --seed 1")
        await ada.wait_for("a fox · CFG 5 · seed 1")

        silence = playground.faults.add(Fault(method="sendMessage", error=(502, "Bad Gateway"), times=999))
        await ada.send("/help")
        await until(lambda: silence.times < 999 and not playground.world.updates.waiting())
        await bot.kill()
        playground.faults.clear()
        assert rows(bot, "SELECT count(*) FROM inbox WHERE state = 'waiting'") == [(1,)]
        await ada.send("/sticker a cat --seed 2")
        assert playground.world.updates.waiting() == 1

        bot.settings["telegram"] = way(playground, webhook=False)
        await bot.start()
        await ada.wait_for("Teach me a look", since=0)
        await ada.wait_for("a cat · CFG 5 · seed 2")
        await bot.kill()
        await ada.send("/sticker a dog --seed 3")

        bot.settings["telegram"] = way(playground, webhook=True)
        await bot.start()
        await ada.wait_for("a dog · CFG 5 · seed 3")
        await until(lambda: not playground.world.updates.waiting())
        assert drawn(ada) == 3
        assert sum("Teach me a look" in message.text for message in ada.messages) == 1
        assert bot.log.count("Telegram sends updates to the webhook") == 2
