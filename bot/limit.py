"""The limit on the active jobs of one person."""

from __future__ import annotations

from bot.context import Context
from bot.errors import UserError
from bot.tables import jobs


async def check_room(context: Context) -> None:
    """Raise UserError if the person has as many waiting and running jobs as allowed."""
    most = context.parts.config.limits.jobs_per_person
    if len(await jobs.active_of(context.parts.store, context.person.id)) >= most:
        raise UserError("too-many-jobs", most=most)
