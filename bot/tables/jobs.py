"""Jobs: rows that ask for a training or a draw, and the changes of their state."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from bot.store import Store
from lora.jobs import DrawOptions


class JobKind(StrEnum):
    """What a job asks for."""

    TRAIN = "train"  # an adapter from the samples of a style
    DRAW = "draw"  # stickers of a prompt
    CUT_OUT = "cutout"  # samples without their backgrounds

    @property
    def lane(self) -> JobKind:
        """The kind that it waits with: a cut-out is served like a draw."""
        return JobKind.TRAIN if self == JobKind.TRAIN else JobKind.DRAW


class JobState(StrEnum):
    """How far a job is."""

    QUEUED = "queued"  # waits for a worker, also after its worker was lost
    RUNNING = "running"  # its newest attempt was handed to a worker
    DONE = "done"  # the worker has finished it
    FAILED = "failed"  # it cannot be done; ``error`` says why
    CANCELLED = "cancelled"  # the person has stopped it


ACTIVE = (JobState.QUEUED, JobState.RUNNING)

# Parts of statements: constants, never anybody's text.
# options may hold words, too
FORGET_WORDS = (
    "prompt = '', prompt_original = NULL, prompt_unknown = '',"
    " lent_keyword = '', lent_name = '', trained_as = '', adapter = NULL, uncut = NULL, options = '{}'"
)
_OF_MESSAGE = "(origin = 'message ' || ?2 OR substr(origin, 1, length(?2) + 6) = 'edit ' || ?2 || ' ')"
OF_DELETED_STYLE = "style IS NULL AND keyword != ''"  # a draw without a style has no keyword


@dataclass(frozen=True, kw_only=True)
class Job:
    """One row.

    ``attempt`` is a fence: what a worker reports of a job changes the row only if it comes from the attempt that is
    running. ``losses`` are workers that died while they had this job alone, ``shared_losses`` those that had others
    too. ``prompt``, ``adapter`` and ``options`` are those of a draw; ``steps``, ``seed``, ``samples`` and ``step``
    those of a training. ``bot/migrations.py`` explains every column.
    """

    id: int
    person: int
    kind: JobKind
    style: int | None
    origin: str
    state: JobState
    attempt: int
    losses: int
    shared_losses: int
    handing_over: bool
    ended_at: float | None
    asked_at: float | None = None
    started_at: float | None = None
    adapter: str | None
    keyword: str
    prompt: str = field(repr=False)
    prompt_original: str | None = field(repr=False)
    prompt_unknown: str = field(repr=False)
    lent_keyword: str = field(repr=False)
    lent_name: str = field(repr=False)
    trained_as: str = field(repr=False)
    options: DrawOptions
    steps: int | None
    seed: int
    samples: int
    step: int
    note: str | None
    error: str | None
    message_id: int | None
    told: bool
    uncut: str | None
    background: tuple[int, int, int] | None
    chat: int | None

    @property
    def where(self) -> int:
        """The chat that is told of the job: a group, or the person's private one."""
        return self.person if self.chat is None else self.chat

    @property
    def asked_by(self) -> int | None:
        """The message that asked for it, None if a button did."""
        kind, _, message = self.origin.partition(" ")
        return int(message.split(" ")[0].split("/")[-1]) if kind in ("message", "edit") else None

    @property
    def active(self) -> bool:
        """Waiting or running."""
        return self.state in ACTIVE

    @property
    def suspect(self) -> bool:
        """Whether a worker died that had this job, and nothing has shown since that the job was not the cause."""
        return bool(self.losses or self.shared_losses)


def of_row(row: sqlite3.Row) -> Job:
    """A row of the table as a Job."""
    typed = {
        "kind": JobKind(row["kind"]),
        "state": JobState(row["state"]),
        "told": bool(row["told"]),
        "handing_over": bool(row["handing_over"]),
        "options": _options(row["options"]),
        "background": _colour(row["background"]),
    }
    return Job(**(dict(row) | typed))


def _options(text: str) -> DrawOptions:
    """The options of a row as they are known today.

    A row that was written before a field existed gets its default. A field that is not known is ignored: it was
    written by a newer version of the bot, or has been removed since, and the job can be shown without it.
    """
    stored = json.loads(text)
    known = [entry.name for entry in fields(DrawOptions)]
    return DrawOptions(**{name: _tuples(stored[name]) for name in known if name in stored})


def _tuples(value: object) -> Any:
    """JSON has lists for tuples."""
    return tuple(value) if isinstance(value, list) else value


def _colour(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    red, green, blue = json.loads(text)
    return red, green, blue


async def ask_draw(
    store: Store,
    *,
    person: int,
    origin: str,
    style: int | None,
    adapter: str | None,
    keyword: str,
    prompt: str,
    prompt_original: str | None = None,
    prompt_unknown: str = "",
    lent_keyword: str = "",
    lent_name: str = "",
    trained_as: str = "",
    options: DrawOptions,
    note: str | None,
    chat: int | None = None,
) -> None:
    """Insert a draw. A second one of the same person and origin is not inserted."""
    await store.change(
        "INSERT INTO job (kind, person, origin, style, adapter, keyword, prompt, prompt_original, prompt_unknown,"
        " lent_keyword, lent_name, trained_as, options, note, chat)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (person, origin) DO NOTHING",
        JobKind.DRAW,
        person,
        origin,
        style,
        adapter,
        keyword,
        prompt,
        prompt_original,
        prompt_unknown,
        lent_keyword,
        lent_name,
        trained_as,
        json.dumps(asdict(options)),
        note,
        chat,
    )


async def ask_cut(
    store: Store, *, person: int, drawing: int, origin: str, options: DrawOptions, chat: int | None = None
) -> bool:
    """Insert a draw that only cuts a drawing out again; False if what is needed for it is not kept any more.

    A second one of the same person and origin is not inserted, and gives True.
    """
    await store.change(
        "INSERT INTO job (kind, person, origin, style, adapter, keyword, prompt, prompt_original, prompt_unknown,"
        " lent_keyword, lent_name, trained_as, note, uncut, background, options, chat)"
        " SELECT kind, person, ?2, style, adapter, keyword, prompt, prompt_original, prompt_unknown,"
        " lent_keyword, lent_name, trained_as, note, drawing.uncut, drawing.background, ?3, ?4"
        " FROM drawing JOIN job ON job.id = drawing.job"
        " WHERE drawing.id = ?1 AND drawing.uncut IS NOT NULL AND prompt != '' ON CONFLICT (person, origin) DO NOTHING",
        drawing,
        origin,
        json.dumps(asdict(options)),
        chat,
    )
    return await by_origin(store, person, origin) is not None


async def ask_train(
    store: Store, *, person: int, origin: str, style: int, keyword: str, steps: int | None, seed: int
) -> None:
    """Insert a training with a copy of the style's samples; the caption of one without is the keyword.

    Raises Clash if the style has a waiting or running training, or the origin has asked before.
    """
    async with store.transaction():
        id = await store.value(
            "INSERT INTO job (person, kind, origin, style, keyword, steps, seed, samples) VALUES"
            " (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT count(*) FROM sample WHERE style = ?4)) RETURNING id",
            person,
            JobKind.TRAIN,
            origin,
            style,
            keyword,
            steps,
            seed,
        )
        await store.change(
            "INSERT INTO job_sample SELECT ?1, row_number() OVER (ORDER BY id), blob, coalesce(caption, ?3)"
            " FROM sample WHERE style = ?2",
            id,
            style,
            keyword,
        )


async def get(store: Store, id: int) -> Job | None:
    """The job, None if there is no such."""
    row = await store.row("SELECT * FROM job WHERE id = ?", id)
    return None if row is None else of_row(row)


async def by_origin(store: Store, person: int, origin: str) -> Job | None:
    """The job that this message or button press has asked for, None if it has not asked yet."""
    row = await store.row("SELECT * FROM job WHERE person = ? AND origin = ?", person, origin)
    return None if row is None else of_row(row)


async def by_message(store: Store, chat: int, message_id: int) -> Job | None:
    """The draw that a message of a chat shows, whoever asked for it."""
    row = await store.row(
        "SELECT * FROM job WHERE message_id = ? AND coalesce(chat, person) = ? AND kind = ?",
        *(message_id, chat, JobKind.DRAW),
    )
    return None if row is None else of_row(row)


async def active(store: Store) -> list[Job]:
    """All waiting and running jobs in the order in which they are served: draws first, then by age."""
    rows = await store.rows(
        "SELECT * FROM job WHERE state IN (?, ?) ORDER BY kind = ?, id", *ACTIVE, JobKind.TRAIN
    )
    return [of_row(row) for row in rows]


async def active_of(store: Store, person: int) -> list[Job]:
    """A person's waiting and running jobs, oldest first."""
    rows = await store.rows(
        "SELECT * FROM job WHERE person = ? AND state IN (?, ?) ORDER BY id", person, *ACTIVE
    )
    return await _named_today(store, [of_row(row) for row in rows])


async def _named_today(store: Store, found: Sequence[Job]) -> list[Job]:
    """The jobs; trainings and cut-outs with the keywords that their styles have now.

    The row of a training keeps the one that its adapter learns. A draw's is changed with its style's.
    """
    named = [job for job in found if job.kind != JobKind.DRAW and job.style is not None]
    keywords = {
        job.style: await store.value("SELECT keyword FROM style WHERE id = ?", job.style) for job in named
    }
    return [replace(job, keyword=keywords[job.style]) if keywords.get(job.style) else job for job in found]


async def trains(store: Store, style: int) -> bool:
    """Whether a training of the style waits or runs."""
    query = "SELECT 1 FROM job WHERE style = ? AND kind = ? AND state IN (?, ?)"
    return await store.row(query, style, JobKind.TRAIN, *ACTIVE) is not None


async def of_message(store: Store, person: int, message: str) -> Job | None:
    """The newest draw that a message has asked for, in its first form or edited."""
    row = await store.row(
        f"SELECT * FROM job WHERE person = ?1 AND kind = ?3 AND {_OF_MESSAGE} ORDER BY id DESC LIMIT 1",  # noqa: S608
        *(person, message, JobKind.DRAW),
    )
    return None if row is None else of_row(row)


async def active_of_message(store: Store, person: int, message: str) -> list[int]:
    """The waiting and running jobs that a message has asked for, in its first form or edited."""
    rows = await store.rows(
        f"SELECT id FROM job WHERE person = ?1 AND state IN (?3, ?4) AND {_OF_MESSAGE}",  # noqa: S608
        *(person, message, *ACTIVE),
    )
    return [row[0] for row in rows]


async def to_tell(store: Store, person: int) -> list[Job]:
    """A person's jobs whose end has not been told yet, oldest first; none if the person has blocked the bot."""
    rows = await store.rows(
        "SELECT job.* FROM job JOIN person ON person.id = person"
        " WHERE person = ? AND told = 0 AND NOT blocked ORDER BY job.id",
        person,
    )
    return await _named_today(store, [of_row(row) for row in rows])


async def people_with_news(store: Store) -> list[int]:
    """The people who have not been told the end of a job and have not blocked the bot."""
    rows = await store.rows(
        "SELECT DISTINCT person FROM job JOIN person ON person.id = person"
        " WHERE told = 0 AND ended_at IS NOT NULL AND NOT blocked"
    )
    return [row[0] for row in rows]


async def claim(store: Store, kind: JobKind, *, only: int | None = None) -> Job | None:
    """Make the oldest waiting job of a kind, or ``only`` this one, a running one with a new attempt.

    None if it does not wait (any more).
    """
    row = await store.row(
        "UPDATE job SET state = ?1, attempt = attempt + 1, handing_over = 1 WHERE id = (SELECT id FROM job"
        " WHERE state = ?2 AND (id = ?4 OR ?4 IS NULL AND kind = ?3) ORDER BY id LIMIT 1) RETURNING *",
        JobState.RUNNING,
        JobState.QUEUED,
        kind,
        only,
    )
    return None if row is None else of_row(row)


async def handed_over(store: Store, id: int, attempt: int) -> Job | None:
    """A worker has all files of this attempt; None if the attempt is not running any more."""
    row = await store.row(
        "UPDATE job SET handing_over = 0 WHERE id = ? AND attempt = ? AND state = ? RETURNING *",
        id,
        attempt,
        JobState.RUNNING,
    )
    return None if row is None else of_row(row)


async def running_attempt(store: Store, id: int, attempt: int) -> Job | None:
    """The job if this attempt of it is running; None if it has ended or a later attempt is running."""
    row = await store.row(
        "SELECT * FROM job WHERE id = ? AND attempt = ? AND state = ?", id, attempt, JobState.RUNNING
    )
    return None if row is None else of_row(row)


async def end(
    store: Store, id: int, attempt: int, state: JobState, error: str | None = None, note: str | None = None
) -> bool:
    """End a running attempt, with a note if it has one; False, and no change, if this attempt is not running."""
    changed = await store.change(
        "UPDATE job SET state = ?, error = ?, note = coalesce(?, note), handing_over = 0, ended_at = ?"
        " WHERE id = ? AND attempt = ? AND state = ?",
        state,
        error,
        note,
        time.time(),
        id,
        attempt,
        JobState.RUNNING,
    )
    return bool(changed)


async def put_back(store: Store, id: int, attempt: int) -> None:
    """Queue a running attempt again that was not handed over. What a worker says of this attempt is ignored."""
    await store.change(
        "UPDATE job SET state = ?, handing_over = 0 WHERE id = ? AND attempt = ? AND state = ?",
        JobState.QUEUED,
        id,
        attempt,
        JobState.RUNNING,
    )


async def requeue_all(store: Store) -> int:
    """Queue all running jobs again, when no worker has any; gives their number. No loss is counted."""
    return await store.change(
        "UPDATE job SET state = ?, handing_over = 0 WHERE state = ?", JobState.QUEUED, JobState.RUNNING
    )


async def cancel(store: Store, person: int, id: int) -> Job | None:
    """End a waiting or running job of this person; None if there is no such. Its worker is not told here."""
    row = await store.row(
        "UPDATE job SET state = ?, handing_over = 0, ended_at = ?"
        " WHERE id = ? AND person = ? AND state IN (?, ?) RETURNING *",
        JobState.CANCELLED,
        time.time(),
        id,
        person,
        *ACTIVE,
    )
    return None if row is None else of_row(row)


async def end_lent(store: Store, style: int) -> list[Job]:
    """End the open jobs of all who draw in this style and do not own it; gives them. No worker is told here."""
    rows = await store.rows(
        "UPDATE job SET state = ?, error = 'share-ended', handing_over = 0, ended_at = ?"
        " WHERE style = ? AND lent_keyword != '' AND state IN (?, ?) RETURNING *",
        JobState.FAILED,
        time.time(),
        style,
        *ACTIVE,
    )
    return [of_row(row) for row in rows]


async def mark_told(store: Store, id: int) -> None:
    """Remember that the person has been told the end of a job. The words of a deleted style are forgotten."""
    await store.change("UPDATE job SET told = 1 WHERE id = ?", id)
    await store.change(
        f"UPDATE job SET {FORGET_WORDS} WHERE id = ? AND {OF_DELETED_STYLE}",  # noqa: S608 - constants only
        id,
    )


async def set_message(store: Store, id: int, message_id: int) -> None:
    """Remember the bot's message that shows the progress of a job."""
    await store.change("UPDATE job SET message_id = ? WHERE id = ?", message_id, id)
