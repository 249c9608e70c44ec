"""Styles: a person's named looks."""

from __future__ import annotations

from dataclasses import dataclass

from bot.store import Store


@dataclass(frozen=True, kw_only=True)
class Style:
    """One look. ``samples`` counts its pictures, ``adapter`` is the blob that draws in it, if any yet.

    ``adapter_step`` is the training step of that adapter, ``base`` the hash of the base that it was trained on
    (None = not known), ``finished`` whether its training has ended.
    """

    id: int
    person: int
    keyword: str
    samples: int
    adapter: str | None
    adapter_step: int | None
    base: str | None
    finished: int


# The used checkpoint of the last finished training, else its last one; before there is a finished training,
# the same of the newest unfinished one.
_STYLE = """
SELECT style.*, (SELECT count(*) FROM sample WHERE sample.style = style.id) AS samples,
    newest.adapter, newest.step AS adapter_step, newest.base, coalesce(job.state = 'done', 0) AS finished
FROM style
LEFT JOIN checkpoint AS newest ON newest.id = (
    SELECT checkpoint.id FROM checkpoint JOIN job ON job.id = checkpoint.job
    WHERE checkpoint.style = style.id
    ORDER BY job.state = 'done' DESC, job.id DESC, checkpoint.used DESC, checkpoint.step DESC LIMIT 1)
LEFT JOIN job ON job.id = newest.job
"""


async def add(store: Store, person: int, keyword: str) -> bool:
    """Make a style and work on it; False if the person has it already, and then only work on it."""
    async with store.transaction():
        made = await store.change(
            "INSERT INTO style (person, keyword) VALUES (?, ?) ON CONFLICT DO NOTHING", person, keyword
        )
        await store.change(
            "UPDATE person SET style = (SELECT id FROM style WHERE person = ?1 AND keyword = ?2)"
            " WHERE id = ?1",
            person,
            keyword,
        )
    return bool(made)


async def get(store: Store, person: int, id: int | None) -> Style | None:
    """A style of this person; None if there is no such or it is somebody else's."""
    row = await store.row(f"{_STYLE} WHERE style.id = ? AND style.person = ?", id, person)
    return None if row is None else Style(**dict(row))


async def all_of(store: Store, person: int) -> list[Style]:
    """A person's styles, oldest first."""
    rows = await store.rows(f"{_STYLE} WHERE style.person = ? ORDER BY style.id", person)
    return [Style(**dict(row)) for row in rows]


async def remove(store: Store, style: Style) -> list[str]:
    """Delete a style with its samples and adapters; gives the blobs that may be unused now."""
    async with store.transaction():
        names = await store.rows(
            "SELECT blob FROM sample WHERE style = ?1"
            " UNION SELECT job_sample.blob FROM job_sample JOIN job ON job.id = job WHERE style = ?1"
            " UNION SELECT adapter FROM checkpoint WHERE style = ?1"
            " UNION SELECT sheet FROM comparison WHERE style = ?1"
            " UNION SELECT state FROM checkpoint WHERE style = ?1 AND state IS NOT NULL",
            style.id,
        )
        await store.change(
            "DELETE FROM job_sample WHERE job IN (SELECT id FROM job WHERE style = ?)", style.id
        )
        await store.change("UPDATE job SET adapter = NULL WHERE style = ?", style.id)
        await store.change("DELETE FROM style WHERE id = ?", style.id)
    return [row[0] for row in names]
