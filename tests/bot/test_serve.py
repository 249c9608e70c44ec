"""Errors of handlers, and refused answers."""

from __future__ import annotations

import pytest

from bot.context import Context
from bot.handlers import start
from bot.playground import Fault, Person
from tests.bot.conftest import Stage
from tests.waiting import until_async as until


async def test_a_crash_is_told_with_a_number_and_logged_without_words(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person can name it, the operator can find it, nobody's text is in the log."""

    async def breaks(context: Context) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(start.unknown, "__code__", breaks.__code__)
    async with stage.bot():
        await ada.send("/secretword my secret")
        told = await ada.wait_for("something went wrong on my side")
        number = told.text.rstrip(".").split()[-1]
        assert number in caplog.text
        assert "ZeroDivisionError" in caplog.text
        assert "secret" not in caplog.text.replace("bot.secret", "").replace("secret.py", "")


async def test_a_refused_answer_does_not_stop_the_next(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """The next message has its turn."""
    async with stage.bot():
        await ada.send("/start")
        await ada.wait_for("Hello")
        refusal = Fault(method="sendMessage", error=(400, "Bad Request: odd"), times=99)
        stage.playground.faults.add(refusal)
        await ada.send("/help")
        await until(lambda: refusal.times < 99)
        stage.playground.faults.clear()
        await ada.send("/start")
        await ada.wait_for("Hello")
