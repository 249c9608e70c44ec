"""Once a day: deletes what is old, and what a deleted style or a killed process has left."""

from __future__ import annotations

import asyncio
import time

from bot.blobs import Blobs
from bot.store import Store
from bot.tables import access, changes, imports, inbox, retention, trainings, usage

DAY = 24 * 3600.0  # seconds


class Tidy:
    """Deletes everything that is older than ``keep_days`` and that nothing else needs."""

    def __init__(self, *, store: Store, blobs: Blobs, keep_days: int) -> None:
        self._store = store
        self._blobs = blobs
        self._keep_days = keep_days

    async def run(self) -> None:
        """Tidy at the start, then once a day, until cancelled."""
        while True:
            await self.tidy()
            await asyncio.sleep(DAY)

    async def _measure(self) -> None:
        """Store the sizes of files that are not known: of rows from before there was such a column."""
        for table, id, names in await usage.without_size(self._store):
            await usage.store_size(self._store, table, id, await self._blobs.size(names))

    async def tidy(self) -> None:
        """Delete rows first, then the files that no row names any more, then what the database's log still holds."""
        await trainings.tidy_ended(self._store)
        await inbox.forget_old(self._store)
        await retention.forget_old(self._store, time.time() - self._keep_days * DAY)
        await retention.forget_changes(self._store, time.time() - self._keep_days * DAY)
        await retention.forget_deleted_styles(self._store)
        await retention.forget_seen(self._store)
        await imports.forget_told(self._store, time.time() - DAY)
        await changes.forget_before(self._store, time.time() - DAY)
        await access.forget_invites(self._store)
        await usage.forget_old(self._store)
        await self._measure()
        await self._blobs.sweep_all()
        await self._store.empty_log()
