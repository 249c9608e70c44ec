"""What one person may take: ``[limits]``, for admins ``[admin_limits]``. 0 is no limit.

Each check raises UserError with the limit and when it is free again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.config import Quotas
from bot.errors import UserError
from bot.store import Store
from bot.tables import jobs, usage
from bot.tables.jobs import JobKind

if TYPE_CHECKING:
    from bot.context import Context

MEGABYTE = 1_000_000


def limits_of(context: Context) -> Quotas:
    """The limits of the person."""
    return context.parts.config.limits_of(context.person.id)


async def check_training(context: Context) -> None:
    """Whether one more training may be asked for."""
    if not await context.parts.disk.has_room():
        raise UserError("disk-nearly-full")
    await check_room(context)
    await _check_bytes(context.parts.store, limits_of(context), context.person.id)
    most = limits_of(context).trainings_per_day
    if most and await usage.used_today(context.parts.store, context.person.id, JobKind.TRAIN) >= most:
        raise UserError("limit-trainings", most=most, when=_tomorrow(context))


async def check_drawing(context: Context, count: int) -> None:
    """Whether ``count`` more pictures may be asked for."""
    await check_room(context)
    most = limits_of(context).pictures_per_day
    used = await usage.used_today(context.parts.store, context.person.id, JobKind.DRAW) if most else 0
    if not most or used + count <= most:
        return
    left = max(0, most - used)
    key = "limit-pictures-left" if left else "limit-pictures"
    raise UserError(key, most=most, left=left, when=_tomorrow(context))


async def check_style(context: Context) -> None:
    """Whether one more style may be made."""
    most = limits_of(context).styles
    if most and await usage.kept_styles(context.parts.store, context.person.id) >= most:
        raise UserError("limit-styles", most=most)


async def check_sample(store: Store, limits: Quotas, person: int, bytes: int = 0) -> None:
    """Whether one more picture of so many bytes may be kept."""
    if limits.samples and await usage.kept_samples(store, person) >= limits.samples:
        raise UserError("limit-samples", most=limits.samples)
    await _check_bytes(store, limits, person, bytes)


async def check_adapter(context: Context, bytes: int) -> None:
    """Whether one more adapter of so many bytes may be kept."""
    await _check_bytes(context.parts.store, limits_of(context), context.person.id, bytes)


async def check_room(context: Context) -> None:
    """Whether the person may have one more job that waits or runs."""
    most = limits_of(context).jobs_per_person
    active = await jobs.active_of(context.parts.store, context.person.id) if most else []
    if len(active) < most or not most:
        return
    estimates = context.parts.dispatch.estimates
    await estimates.line.refresh()
    times = [(await estimates.estimate(job)).seconds for job in active]
    known = [seconds for seconds in times if seconds is not None]
    if known:
        raise UserError("too-many-jobs-until", most=most, when=context.words.relative(min(known)))
    raise UserError("too-many-jobs", most=most)


async def _check_bytes(store: Store, limits: Quotas, person: int, more: int = 0) -> None:
    most = limits.megabytes
    if most and await usage.kept_bytes(store, person) + more > most * MEGABYTE:
        raise UserError("limit-bytes", most=most)


def _tomorrow(context: Context) -> str:
    return context.words.relative(usage.seconds_until_tomorrow())
