"""``GET /health`` and ``GET /metrics`` for who watches the bot: see docs/operate.md."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from bot import metrics
from bot.disk import Disk
from bot.store import Store
from bot.tables import stats
from bot.tables.jobs import ACTIVE, JobKind
from bot.web import serving

PATIENCE_SECONDS = 5.0  # a database that answers no query for so long is not healthy


class Watching:
    """Answers both. ``updates_come`` says whether Telegram can be reached, ``workers`` how many take jobs."""

    def __init__(
        self,
        *,
        listen: str,
        store: Store,
        disk: Disk,
        updates_come: Callable[[], bool],
        workers: Callable[[], int],
    ) -> None:
        self._listen = listen
        self._store = store
        self._disk = disk
        self._updates_come = updates_come
        self._workers = workers

    async def run(self) -> None:
        """Serve until cancelled; nothing where no address is set. Raises ConfigError if it cannot be listened on."""
        if not self._listen:
            await asyncio.Event().wait()
        app = web.Application()
        app.router.add_get("/health", self._health)
        app.router.add_get("/metrics", self._metrics)
        async with serving(app, self._listen, "metrics.listen"):
            await asyncio.Event().wait()

    async def _health(self, _: web.Request) -> web.Response:
        """200 if the bot can take updates and store them, else 503. A worker may be loading meanwhile."""
        found = {"telegram": self._updates_come(), "database": await self._database_works()}
        well = all(found.values())
        status = 200 if well else 503
        return web.json_response({"ok": well, **found, "workers": self._workers()}, status=status)

    async def _database_works(self) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._store.value("SELECT 1") == 1 and not self._store.failing
        except TimeoutError:
            return False

    async def _metrics(self, _: web.Request) -> web.Response:
        await self._ask()
        body = generate_latest(metrics.REGISTRY)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _ask(self) -> None:
        """What is true at this moment."""
        metrics.WORKERS.set(self._workers())
        metrics.WAITING_UPDATES.set(await stats.waiting_updates(self._store))
        metrics.DATABASE_BYTES.set(await stats.database_bytes(self._store))
        use = await self._disk.use()
        metrics.DATA_BYTES.set(use.used)
        metrics.DATA_BUDGET.set(use.budget)
        queue, now = await stats.queue(self._store), time.time()
        for kind in JobKind:
            for state in ACTIVE:
                metrics.QUEUE_JOBS.labels(kind.value, state.value).set(queue.get((kind, state), 0))
            asked_at = await stats.oldest_queued(self._store, kind)
            metrics.QUEUE_OLDEST.labels(kind.value).set(0.0 if asked_at is None else max(0.0, now - asked_at))
