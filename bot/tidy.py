"""Once a night: deletes what is old, and what a deleted style or a killed process has left; cares for the database."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

from bot import database_file
from bot.blobs import Blobs
from bot.clock import lately
from bot.config import Storage
from bot.store import Store
from bot.tables import (
    access,
    changes,
    imports,
    inbox,
    questions,
    reports,
    retention,
    settings,
    trainings,
    usage,
    wishes,
)

DAY = 24 * 3600.0  # seconds
CARED = "time of the last care of the database"


class Tidy:
    """Deletes everything that is older than ``storage`` says and that nothing else needs."""

    def __init__(self, *, store: Store, blobs: Blobs, storage: Storage) -> None:
        self._store = store
        self._blobs = blobs
        self._storage = storage

    async def run(self) -> None:
        """Tidy at the start, then each night, until cancelled."""
        while True:
            await self.tidy()
            await self._care_if_due()
            await asyncio.sleep(seconds_until(self._storage.tidy_hour, datetime.now().astimezone()))

    async def _care_if_due(self) -> None:
        """Check the database and give its space back, unless that was done in the last hours."""
        if lately(await settings.read(self._store, CARED) or 0.0, DAY / 2):
            return
        await database_file.care(self._store, self._storage.dir / "bot.sqlite")
        await settings.write(self._store, CARED, time.time())
        await self._store.empty_log()

    async def _forget_jobs(self, before: float) -> None:
        """Delete old jobs in batches, between which everybody is served."""
        last: int | None = 0
        while last is not None:
            last = await retention.forget_old(self._store, before, after=last)

    async def _measure(self) -> None:
        """Store the sizes of files that are not known: of rows from before there was such a column."""
        for table, id, names in await usage.without_size(self._store):
            await usage.store_size(self._store, table, id, await self._blobs.size(names))

    async def tidy(self) -> None:
        """Delete rows first, then the files that no row names any more, then what the database's log still holds."""
        await trainings.tidy_ended(self._store)
        await inbox.forget_old(
            self._store, done_days=self._storage.inbox_days, kept_days=self._storage.waiting_days
        )
        before = time.time() - self._storage.keep_days * DAY
        await self._forget_jobs(before)
        await retention.forget_changes(self._store, before)
        await questions.forget_old(self._store, before)
        await wishes.forget_old(self._store, time.time() - DAY)
        await reports.forget_old(self._store, before)
        await retention.forget_deleted_styles(self._store)
        await retention.forget_seen(self._store)
        await imports.forget_told(self._store, time.time() - DAY)
        await changes.forget_before(self._store, time.time() - DAY)
        await access.forget_invites(self._store)
        await usage.forget_old(self._store)
        await self._measure()
        await self._blobs.sweep_all()
        await self._store.empty_log()


def seconds_until(hour: int, now: datetime) -> float:
    """The seconds from ``now`` until the clock shows this full hour next."""
    then = now.replace(hour=hour, minute=0, second=0, microsecond=0)
    if then <= now:
        then += timedelta(days=1)
    return (then - now).total_seconds()
