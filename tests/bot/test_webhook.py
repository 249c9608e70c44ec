"""Updates by webhook: stored before 200, from Telegram alone, and nothing is lost on the way there or back."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot import webhook
from bot.config import Access, Telegram
from bot.errors import ConfigError
from bot.inbox import Inbox
from bot.playground import Fault, Person
from bot.store import Store
from tests.bot.conftest import Stage, with_webhook
from tests.bot.marked import visit
from tests.bot.test_inbox import letter, settled
from tests.waiting import until_async as until


async def is_set(stage: Stage) -> None:
    await until(lambda: stage.playground.world.updates.webhook)


async def test_a_visit(stage: Stage, ada: Person) -> None:
    """From samples to a pack, without a getUpdates."""
    async with stage.bot(telegram=with_webhook(stage)):
        await visit(stage, ada)
    assert "getupdates" not in {call.method for call in stage.playground.calls}


async def test_turning_to_the_webhook_and_back_loses_nothing(stage: Stage, ada: Person) -> None:
    """What is written while the bot is away, before and after each change, is answered once."""
    hook = with_webhook(stage)
    for number, telegram in enumerate([stage.config.telegram, hook, hook, stage.config.telegram]):
        since = ada.seq
        await ada.send("/help")
        async with stage.bot(telegram=telegram) as running:
            await ada.wait_for("Teach me a look")
            await ada.send("/help")
            await ada.wait_for("Teach me a look")
            assert len([m for m in ada.heard(since) if "Teach me a look" in m.text]) == 2
            await settled(running.parts.store)
            assert await running.parts.store.value("SELECT count(*) FROM inbox") == 2 * number + 2


async def test_only_telegram_is_heard(stage: Stage) -> None:
    """Another secret, none, one that is no ASCII: 403, and no row. What is no update ends nothing."""
    hook = with_webhook(stage)
    async with stage.bot(telegram=hook) as running, httpx.AsyncClient(trust_env=False) as client:
        await is_set(stage)
        name = webhook.HEADER.encode()
        wrong: tuple[list[tuple[bytes, bytes]], ...] = ([], [(name, b"x")], [(name, "é".encode())])
        for headers in wrong:
            answer = await client.post(hook.webhook_url, json=letter(1), headers=headers)
            assert answer.status_code == 403
        own = {webhook.HEADER: await webhook.secret(running.parts.store)}
        for body, status in ((b"{", 400), (b"[1]", 200), (b"{}", 200), (b"x" * (2 << 20), 413)):
            assert (await client.post(hook.webhook_url, content=body, headers=own)).status_code == status
        assert await running.parts.store.value("SELECT count(*) FROM inbox") == 0
        assert (await client.post(hook.webhook_url, json=letter(1), headers=own)).status_code == 200
        assert await running.parts.store.value("SELECT count(*) FROM inbox") == 1


async def test_the_row_is_there_before_200(stage: Stage, ada: Person) -> None:
    """A bot that cannot store an update says 503; Telegram sends it again, and it is answered once."""
    stage.monkeypatch.setattr(webhook, "STORE_SECONDS", 0.2)
    original, free = Inbox.take_in, asyncio.Event()

    async def blocks(self: Inbox, updates: Sequence[dict[str, Any]]) -> None:
        await free.wait()
        await original(self, updates)

    stage.monkeypatch.setattr(Inbox, "take_in", blocks)
    async with stage.bot(telegram=with_webhook(stage)):
        await ada.send("/new zuvix")
        await until(lambda: "503" in str(stage.playground.world.delivery.info))
        assert stage.playground.world.updates.waiting() == 1
        free.set()
        await ada.wait_for("zuvix is open")
        await until(lambda: stage.playground.world.updates.waiting() == 0)


async def test_a_stranger_is_not_stored(stage: Stage, ada: Person) -> None:
    """The rule is the same as with polling."""
    async with stage.bot(telegram=with_webhook(stage), access=Access(mode="list")) as running:
        await ada.send("/start")
        await ada.wait_for(str(ada.id))
        assert await running.parts.store.value("SELECT count(*) FROM inbox") == 0


async def test_another_program_with_the_token_and_a_revoked_token_are_named(
    stage: Stage, ada: Person, caplog: pytest.LogCaptureFixture
) -> None:
    """One sentence for each; the webhook is set again."""
    stage.monkeypatch.setattr(webhook, "LOOK_SECONDS", 0.1)
    async with stage.bot(telegram=with_webhook(stage)) as running:
        await is_set(stage)
        stage.playground.world.updates.set_webhook({})
        await is_set(stage)
        await until(lambda: running.inbox.updates_come)
        stage.playground.faults.add(Fault(method="getWebhookInfo", error=(401, "Unauthorized"), times=3))
        await until(lambda: "any more" in caplog.text)
        await until(lambda: running.inbox.updates_come)
        await ada.send("/start")
        await ada.wait_for("/new")
    assert caplog.text.count("another program uses this bot's token") == 1
    assert caplog.text.count("does not know the token in TELEGRAM_BOT_TOKEN any more") == 1


async def test_an_address_that_telegram_refuses_ends_the_bot(stage: Stage) -> None:
    """With the setting's name and Telegram's reason."""
    hook = dataclasses.replace(with_webhook(stage), webhook_url="http://example.org/x")
    async with stage.bot() as running:
        parts = running.parts
        asked = webhook.Webhook(bot=parts.sender._bot, store=parts.store, config=hook)
        with pytest.raises(ConfigError, match=r"(?i)webhook_url: Telegram refuses it: .*HTTPS"):
            await asked.run(running.inbox.take_in)


async def test_a_certificate_of_ones_own(stage: Stage, ada: Person, tmp_path: Path) -> None:
    """The bot ends TLS itself, and Telegram is given the certificate, with any text above it."""
    certificate, key = tmp_path / "own.pem", tmp_path / "own.key"
    command = [
        "openssl",
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-x509",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    files = ["-keyout", str(key), "-out", str(certificate), "-addext", "subjectAltName=IP:127.0.0.1"]
    await asyncio.to_thread(subprocess.run, [*command, *files], check=True, capture_output=True)
    certificate.write_bytes("# Müller\n".encode() + certificate.read_bytes())
    hook = with_webhook(stage)
    url = hook.webhook_url.replace("http:", "https:")
    own = dataclasses.replace(
        hook, webhook_url=url, webhook_certificate=str(certificate), webhook_key=str(key)
    )
    async with stage.bot(telegram=own):
        await ada.send("/start")
        await ada.wait_for("/new")
    assert "BEGIN CERTIFICATE" in stage.playground.world.updates.webhook["certificate"]


async def test_the_secret_is_made_once_or_the_operators(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It outlasts restarts; the environment's is taken from there, and checked."""
    made = await webhook.secret(store)
    assert len(made) >= 43
    assert await webhook.secret(store) == made
    monkeypatch.setenv(webhook.VARIABLE, "mine-1")
    assert await webhook.secret(store) == "mine-1"
    monkeypatch.setenv(webhook.VARIABLE, "not allowed!")
    with pytest.raises(ConfigError, match=webhook.VARIABLE) as caught:
        await webhook.secret(store)
    assert "not allowed" not in str(caught.value)


def test_the_secret_is_in_no_setting() -> None:
    """config.toml holds no secrets."""
    assert not [name for name in Telegram.__dataclass_fields__ if "secret" in name]
