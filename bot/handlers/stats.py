"""/stats of admins: how the bot does today."""

from __future__ import annotations

from bot import stats
from bot.context import Context


async def show(context: Context) -> None:
    """Send people, jobs, waiting times, errors, disk and workers."""
    parts = context.parts
    use = await parts.disk.use()
    await context.send(await stats.text(context.words, parts.store, use, dict(parts.dispatch.devices)))
