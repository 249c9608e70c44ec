"""Drawings: the finished stickers of draws, and whether they have been sent."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import NamedTuple

from bot.store import Store
from bot.tables import jobs
from bot.tables.jobs import Job, JobState


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One finished sticker. ``message_id`` is the message that shows it, None until it has been sent."""

    id: int
    job: int
    position: int
    seed: int
    blob: str
    message_id: int | None
    uncut: str | None = None
    background: str | None = None
    file_id: str | None = None


async def add(
    store: Store,
    job: int,
    attempt: int,
    *,
    position: int,
    seed: int,
    blob: str,
    uncut: str | None = None,
    background: tuple[int, int, int] | None = None,
) -> None:
    """Store a sticker, if this attempt is running and has no sticker at this position yet."""
    await store.change(
        "INSERT INTO drawing (job, position, seed, blob, uncut, background) SELECT id, ?3, ?4, ?5, ?7, ?8 FROM job"
        " WHERE id = ?1 AND attempt = ?2 AND state = ?6 ON CONFLICT DO NOTHING",
        job,
        attempt,
        position,
        seed,
        blob,
        JobState.RUNNING,
        uncut,
        None if background is None else json.dumps(background),
    )


async def of_job(store: Store, job: int) -> list[Drawing]:
    """The stickers of a draw so far, by position."""
    rows = await store.rows("SELECT * FROM drawing WHERE job = ? ORDER BY position", job)
    return [Drawing(**dict(row)) for row in rows]


async def unsent(store: Store, job: int) -> list[Drawing]:
    """The stickers of a draw that have not been sent, by position."""
    rows = await store.rows(
        "SELECT * FROM drawing WHERE job = ? AND message_id IS NULL ORDER BY position", job
    )
    return [Drawing(**dict(row)) for row in rows]


async def get(store: Store, person: int, id: int) -> tuple[Drawing, Job] | None:
    """A sticker of this person and the job that drew it; None if there is no such or it is somebody else's."""
    row = await store.row("SELECT * FROM drawing WHERE id = ?", id)
    job = None if row is None else await jobs.get(store, row["job"])
    if row is None or job is None or job.person != person:
        return None
    return Drawing(**dict(row)), job


async def not_in_packs(store: Store, person: int, most: int) -> list[Drawing]:
    """The newest stickers of a person that are in no pack and not on their way into one."""
    rows = await store.rows(
        "SELECT drawing.* FROM drawing JOIN job ON job.id = drawing.job WHERE job.person = ? AND blob != ''"
        " AND NOT EXISTS (SELECT 1 FROM pack_sticker AS packed WHERE packed.drawing = drawing.id"
        " AND state NOT IN ('failed', 'removed')) ORDER BY drawing.id DESC LIMIT ?",
        *(person, most),
    )
    return [Drawing(**dict(row)) for row in rows]


async def by_message(store: Store, chat: int, message_id: int) -> tuple[Drawing, Job] | None:
    """The sticker that a message of a chat shows, and the job that drew it, whoever asked for it."""
    row = await store.row(
        "SELECT drawing.* FROM drawing JOIN job ON job.id = drawing.job"
        " WHERE drawing.message_id = ? AND coalesce(job.chat, job.person) = ?",
        message_id,
        chat,
    )
    job = None if row is None else await jobs.get(store, row["job"])
    return None if row is None or job is None else (Drawing(**dict(row)), job)


async def newest(store: Store, person: int) -> tuple[Drawing, Job] | None:
    """The newest sticker that was sent to a person in the private chat, and the job that drew it."""
    row = await store.row(
        "SELECT drawing.* FROM job JOIN drawing ON drawing.job = job.id WHERE person = ? AND chat IS NULL"
        " AND prompt != '' AND drawing.message_id > 0 ORDER BY drawing.id DESC LIMIT 1",
        person,
    )
    job = None if row is None else await jobs.get(store, row["job"])
    return None if row is None or job is None else (Drawing(**dict(row)), job)


class Shown(NamedTuple):
    """A sticker that Telegram has, and what it is found by: its prompt, and emoji and search words in a pack."""

    id: int
    file_id: str
    prompt: str
    prompt_original: str | None
    emoji: str | None  # JSON; None = it is in no pack
    keywords: str | None  # JSON


async def shown_of(store: Store, person: int, most: int) -> list[Shown]:
    """A person's newest stickers that Telegram has, newest first."""
    rows = await store.rows(
        "SELECT drawing.id, drawing.file_id, prompt, prompt_original, pack_item.emoji, pack_item.keywords"
        " FROM drawing JOIN job ON job.id = drawing.job"
        " LEFT JOIN pack_sticker ON pack_sticker.drawing = drawing.id"
        " LEFT JOIN pack_item ON pack_item.sticker = pack_sticker.id"
        " WHERE job.person = ? AND drawing.file_id IS NOT NULL AND prompt != '' ORDER BY drawing.id DESC LIMIT ?",
        person,
        most,
    )
    return [Shown(*row) for row in rows]


async def sent(store: Store, drawing: int, message_id: int, file_id: str | None = None) -> None:
    """Remember that a sticker has been sent, and Telegram's id of its file."""
    await store.change(
        "UPDATE drawing SET message_id = ?, file_id = ? WHERE id = ?", message_id, file_id, drawing
    )
