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

from bot import command_line
from bot.config import Log
from bot.context import Context
from bot.handlers import start
from bot.playground import Fault, Person, Picture
from bot.secret import Scrubbed, Token
from lora.jobs import Failed
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import picture, sticker
from tests.bot.marked import marked, visit
from tests.bot.test_sharing import link_of
from tests.patient_person import PatientPerson
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
    handler = logging._StderrHandler()  # type: ignore[attr-defined]
    monkeypatch.setattr(logging, "StreamHandler", lambda: handler)
    monkeypatch.setattr(type(handler), "stream", written)
    command_line._log_to_stderr(Token(stage.playground.token), Log(format=request.param))
    yield written
    root.handlers, root.level = old
    for name in ("httpx", "httpcore", "asyncio", "telegram"):
        logging.getLogger(name).setLevel(logging.NOTSET)


async def test_no_words_in_the_log(stage: Stage, ada: Person, log: io.StringIO) -> None:
    """Through odd answers, crashes that quote what they stumble on, refusals, a lost task, a locked database."""

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


@pytest.mark.parametrize("log", ["text"], indirect=True)
@pytest.mark.parametrize("rounds", [3, pytest.param(12, marks=pytest.mark.slow)])
async def test_no_words_of_200_texts_in_the_log(
    stage: Stage, ada: Person, log: io.StringIO, rounds: int
) -> None:
    """Of packs, zips, files, names, inline queries, groups, shared styles, exports, jobs that fail; calls fail, too."""
    faults, sent = stage.playground.faults, 0
    quoting = (400, f'Bad Request: can\'t parse entities: unsupported start tag "{MARK}" at byte offset 7')
    group = await ada.group(f"Friends of {MARK}")
    async with (
        stage.bot() as running,
        PatientPerson.join(stage.playground.address, f"{MARK} Ben", username=f"{MARK}_ben") as ben,
        PatientPerson.join(stage.playground.address, id=ada.id, chat=group) as there,
    ):
        await visit(stage, ada)
        await fail_a_job(running, ada, f"its layers are not those of this base, which has no {MARK}")
        await ada.publish(f"{MARK}pack", f"My {MARK}", [Picture(data=sticker(9), as_="sticker", emoji="🦊")])
        _, link = await link_of(ada)
        await ben.send(link)
        await ben.wait_for("You can draw in the style")
        for number in range(rounds):
            for method in ("sendMessage", "answerInlineQuery", "getStickerSet", "sendDocument", "getFile"):
                kinds = (
                    Fault(method=method, error=quoting),
                    Fault(method=method, page=(502, HTML)),
                    Fault(method=method, drop=True),
                )
                faults.add(kinds[number % 3])
            words = f"{MARK} {number}"
            await ada.send_picture(b"PK no zip", as_="document", name=f"{words}.zip", caption=words)
            await ada.send_picture(b"no weights", as_="document", name=f"{words}.safetensors", caption=words)
            await ada.inline(words)
            texts = [f"t.me/addstickers/{MARK}pack", f"/pack {MARK}{number}", f"/packs new {words}"]
            texts += [f"/packs emoji 1 {words}", f"/packs words 1 {words}", f"/packs title {words}"]
            texts += [f"/rename {MARK}", f"1: {words}", f"/caption 1 {words}", f"/new {words}", "undo"]
            for text in texts:
                await ada.send(text)
            await there.send(f"/sticker {words} --no {words} --seed {number}")
            await ben.send(f"/sticker {words} --style {MARK}")
            sent += len(texts) + 6
        await ada.send("/export")
        await ada.press(await ada.wait_for("shall I send you"), "export:samples")
        await ada.wait_for("I could not make that file")
        faults.clear()
        await ada.send("/mydata")
        await ada.wait_for("sent")

        async def all_done() -> bool:
            return not await running.parts.store.value("SELECT count(*) FROM inbox WHERE state = 'waiting'")

        await until(all_done)
        assert "bad-adapter" in log.getvalue()
    assert sent >= rounds * 17
    assert 'unsupported start tag "…"' in log.getvalue()
    assert not [line for line in log.getvalue().splitlines() if MARK in line or marked(line)]


async def fail_a_job(running: Running, ada: Person, detail: str) -> None:
    """A drawing fails with words of a file."""
    engine = running.engine
    engine.go.clear()
    before = len(engine.jobs)
    await ada.send("/sticker wubble")
    await until(lambda: len(engine.jobs) > before)
    job = engine.jobs[-1]
    engine.say(Failed(job=job.id, attempt=job.attempt, code="bad-adapter", detail=detail))
    await ada.wait_for("is damaged")
    engine.go.set()


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
