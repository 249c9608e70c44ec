"""/health and /metrics: what they say, and what they do not say of people."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import ConfigError
from bot.playground import Fault, Person
from bot.watching import Watching
from tests.bot.conftest import Running, Stage, free_port
from tests.bot.marked import MARKS, visit
from tests.waiting import until_async

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana.json"


@asynccontextmanager
async def watched(running: Running) -> AsyncIterator[httpx.AsyncClient]:
    """The bot with its addresses, and a client of them."""
    listen = f"127.0.0.1:{free_port()}"
    parts = running.parts
    watching = Watching(
        listen=listen,
        store=parts.store,
        disk=parts.disk,
        updates_come=lambda: running.inbox.updates_come,
        workers=lambda: len(parts.dispatch.devices),
    )
    task = asyncio.create_task(watching.run())
    async with httpx.AsyncClient(base_url=f"http://{listen}", trust_env=False) as client:

        async def answers() -> bool:
            with suppress(httpx.TransportError):
                return (await client.get("/health")).status_code > 0
            return False

        await until_async(answers)
        yield client
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def values(client: httpx.AsyncClient) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every series by its name and the values of its labels."""
    text = (await client.get("/metrics")).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return {(one.name, tuple(one.labels.values())): one.value for one in samples}


async def test_a_visit_is_counted(stage: Stage, ada: Person) -> None:
    """Updates, answers, steps, pictures, waits, workers and errors; and nothing that a person said or is called."""
    async with stage.bot() as running, watched(running) as client:
        before = await values(client)
        stage.playground.faults.add(Fault(method="sendMessage", error=(502, "Bad Gateway")))
        await visit(stage, ada)
        await running.engine.die()

        async def is_back() -> bool:
            restarts = "stickersmith_worker_restarts_total", ()
            return (await values(client))[restarts] > before.get(restarts, 0.0)

        await until_async(is_back)
        text = (await client.get("/metrics")).text
        after = await values(client)

    def grew(name: str, *labels: str) -> float:
        key = (f"stickersmith_{name}", labels)
        return after[key] - before.get(key, 0.0)

    assert after["stickersmith_workers", ()] == 1
    assert grew("updates_total", "message") >= 8
    assert grew("updates_total", "callback_query") == 1
    assert grew("answer_seconds_count") >= 9
    assert grew("steps_total", "train") == 4
    assert grew("pictures_total") == 3
    assert grew("queue_wait_seconds_count", "train") == 1
    assert grew("queue_wait_seconds_count", "draw") == 1
    assert grew("jobs_ended_total", "train", "done") == 1
    assert grew("worker_losses_total") == grew("worker_restarts_total") == 1
    assert grew("telegram_errors_total", "server") >= 1
    assert after["stickersmith_data_bytes", ()] > 0
    assert after["stickersmith_queue_jobs", ("train", "queued")] == 0
    for said in (*MARKS, "zuvix", "Ada", str(ada.id), stage.playground.token, str(stage.config.storage.dir)):
        assert said not in text


async def test_jobs_that_wait_are_seen(stage: Stage, ada: Person) -> None:
    """By kind and state, with the age of the oldest."""
    async with stage.bot() as running, watched(running) as client:
        running.engine.workers.clear()
        await ada.send("/sticker a fox --seed 1")

        async def waits() -> bool:
            return (await values(client))["stickersmith_queue_jobs", ("draw", "queued")] == 1

        await until_async(waits)
        assert (await values(client))["stickersmith_queue_oldest_seconds", ("draw",)] >= 0


async def test_health_says_what_is_wrong(stage: Stage, ada: Person) -> None:
    """200 while updates can be taken; 503 while Telegram or the database cannot be used, 200 again afterwards."""
    async with stage.bot() as running, watched(running) as client:

        async def health() -> tuple[int, bool, bool]:
            answer = await client.get("/health")
            return answer.status_code, answer.json()["telegram"], answer.json()["database"]

        async def becomes(expected: tuple[int, bool, bool]) -> None:
            async def is_so() -> bool:
                return await health() == expected

            await until_async(is_so)

        await ada.send("/start")
        await ada.wait_for("/new")
        await becomes((200, True, True))
        fault = stage.playground.faults.add(Fault(method="getUpdates", error=(502, "Bad"), times=999))
        await becomes((503, False, True))
        fault.times = 0
        await becomes((200, True, True))
        path = stage.config.storage.dir / "bot.sqlite"
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            await ada.send("/new zuvix")
            await becomes((503, True, False))
        await becomes((200, True, True))


async def test_an_address_that_is_taken_is_named(stage: Stage) -> None:
    """The operator reads which setting it was."""
    async with stage.bot() as running:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            watching = Watching(
                listen=listen,
                store=running.parts.store,
                disk=running.parts.disk,
                updates_come=lambda: True,
                workers=lambda: 0,
            )
            with pytest.raises(ConfigError, match=f"metrics.listen: the bot cannot listen on {listen}"):
                await watching.run()


async def test_the_dashboard_asks_for_what_there_is(stage: Stage) -> None:
    """Every series in a query of docs/grafana.json is one of /metrics, with labels that it has."""
    async with stage.bot() as running, watched(running) as client:
        text = (await client.get("/metrics")).text
    families = list(text_string_to_metric_families(text))
    there = {sample.name for family in families for sample in family.samples}
    # Counters with labels of which none has been counted yet have no sample: their names are in the TYPE lines.
    there |= {f"{family.name}_total" for family in families if family.type == "counter"}
    labels = {name for family in families for one in family.samples for name in one.labels} | {"state"}
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(queries) >= 12
    asked = {name for query in queries for name in re.findall(r"\b(?:stickersmith|process)_\w+", query)}
    assert asked <= there
    by = {
        name
        for query in queries
        for group in re.findall(r"by \(([^)]*)\)", query)
        for name in group.split(", ")
    }
    assert by <= labels
    families_told = {family.name for family in families if family.name.startswith("stickersmith_")}
    shown = {name for name in families_told if any(name in query for query in queries)}
    assert families_told == shown, "each of ours is on the dashboard"
