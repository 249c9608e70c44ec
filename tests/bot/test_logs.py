"""What stands in the log: no word of people and no token, whoever logs, whatever goes wrong."""

from __future__ import annotations

import asyncio
import io
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import quote

import pytest

from bot import __main__ as main
from bot import waiting
from bot.config import Log
from bot.context import Context
from bot.handlers import start
from bot.playground import Fault, Person
from bot.secret import Scrubbed, Token
from tests.bot.conftest import Stage
from tests.bot.fake_engine import picture
from tests.waiting import until_async as until

MARK = "qwertzuiop"  # in all that people write here
HTML = f"<html>{MARK}</html>"


@pytest.fixture(params=["text", "json"])
def log(
    request: pytest.FixtureRequest, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> Iterator[io.StringIO]:
    """What ``python -m bot`` would write to stderr."""
    written = io.StringIO()
    root = logging.getLogger()
    old = (root.handlers[:], root.level)
    root.handlers = []
    monkeypatch.setattr(logging, "StreamHandler", lambda: handler)
    handler = logging._StderrHandler()
    monkeypatch.setattr(type(handler), "stream", written)
    main._log_to_stderr(Token(stage.playground.token), Log(format=request.param))
    yield written
    root.handlers, root.level = old
    for name in ("httpx", "httpcore", "asyncio", "telegram"):
        logging.getLogger(name).setLevel(logging.NOTSET)


async def test_no_words_in_the_log(stage: Stage, ada: Person, log: io.StringIO) -> None:
    """Through odd answers, crashes that quote what they stumble on, refusals, a lost task, a locked database."""
    stage.monkeypatch.setattr(waiting, "LONGEST_PAUSE", 0.02)

    async def breaks(context: Context) -> None:
        int(context.message.text or "")

    stage.monkeypatch.setattr(start.unknown, "__code__", breaks.__code__)
    token, words = stage.playground.token, f"a fox {MARK}"
    async with stage.bot() as running:
        await ada.send("/new zuvix")
        await ada.wait_for("zuvix is open")
        for fault in (
            Fault(method="getUpdates", page=(200, HTML)),
            Fault(method="getUpdates", page=(200, f'{{"ok": true, "result": [{{"{MARK}": ')),
            Fault(method="getUpdates", cut=True),
            Fault(method="getFile", page=(403, HTML)),
            Fault(method="sendMessage", error=(400, "Bad Request: odd")),
            Fault(method="sendMessage", page=(502, HTML)),
        ):
            stage.playground.faults.add(fault)
            await ada.send_picture(picture(128, 128, 1), as_="document", caption=words, name=f"{MARK}.png")
            await ada.send(words)
            await ada.send(f"/{MARK} {words}")
        with closing(sqlite3.connect(stage.config.storage.dir / "bot.sqlite", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await ada.send(words)
            await until(lambda: "database" in log.getvalue())
        odd = {"message_id": [1], "text": words, "chat": {"id": ada.id}, "from": {"id": ada.id}}
        stage.playground.world.updates.add("message", odd)
        await until(lambda: log.getvalue().count("was given up") >= 6)
        lost = asyncio.get_running_loop().create_future()
        lost.set_exception(ValueError(words))
        del lost
        assert running
    assert "ValueError" in log.getvalue()
    assert "never retrieved" in log.getvalue()
    assert MARK not in log.getvalue()
    assert token.partition(":")[2] not in log.getvalue()


@pytest.mark.parametrize(
    "encode", [str, quote, lambda t: quote(t, safe=""), lambda t: quote(quote(t, safe=""))]
)
def test_the_token_in_every_encoding(encode: object) -> None:
    """File URLs hold it percent-encoded."""
    token = "123456:AAsecret-secret_secret"
    assert callable(encode)
    record = logging.LogRecord("x", logging.INFO, "f", 1, f"GET /file/bot{encode(token)}/a.png", (), None)
    lower = logging.LogRecord("x", logging.INFO, "f", 1, f"/bot{encode(token).lower()}/x", (), None)
    assert "/file/bot<token>/a.png" in Scrubbed(Token(token)).format(record)
    assert "/bot<token>/x" in Scrubbed(Token(token)).format(lower)
