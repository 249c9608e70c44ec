"""How much one person may have going on at a time."""

from __future__ import annotations

from bot.context import Context
from bot.errors import UserError
from bot.tables import jobs


async def check_room(context: Context) -> None:
    """Raise UserError if the person has as many jobs waiting or running as is allowed."""
    most = context.parts.config.limits.jobs_per_person
    if len(await jobs.active_of(context.parts.store, context.person.id)) >= most:
        raise UserError("too-many-jobs", most=most)
