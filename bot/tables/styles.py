"""Styles: keyword and owner of each, and the adapter that it draws with."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from bot.store import Store
from bot.tables import retention, usage
from bot.tables.jobs import JobState
from lora.data import captions


@dataclass(frozen=True, kw_only=True)
class Style:
    """A style. ``samples`` is the number of its pictures, ``adapter`` the blob that draws it, if any.

    ``adapter_step`` is the training step of that adapter, ``base`` the hash of the base that it was trained on (None =
    not known), ``finished`` whether its training is done. ``imported``: made of an adapter file. ``trained_as`` is
    the keyword that the adapter was trained with: the old one if the style was renamed since. ``barred``: an admin has
    ended its sharing, and its owner cannot share it again.
    """

    id: int
    person: int
    keyword: str
    samples: int
    adapter: str | None
    adapter_step: int | None
    base: str | None
    finished: bool
    imported: bool
    trained_as: str | None
    barred: bool = False


# The adapter is that of the newest training that is done; if there is none, of the newest one with a checkpoint. Of
# its checkpoints it is the one that the person has chosen (used), else the last one.
_STYLE = f"""
SELECT style.*, (SELECT count(*) FROM sample WHERE sample.style = style.id) AS samples,
    newest.adapter, newest.step AS adapter_step, newest.base, coalesce(job.state = '{JobState.DONE}', 0) AS finished,
    job.keyword AS trained_as
FROM style
LEFT JOIN checkpoint AS newest ON newest.id = (
    SELECT checkpoint.id FROM checkpoint JOIN job ON job.id = checkpoint.job
    WHERE checkpoint.style = style.id
    ORDER BY job.state = '{JobState.DONE}' DESC, job.id DESC, checkpoint.used DESC, checkpoint.step DESC LIMIT 1)
LEFT JOIN job ON job.id = newest.job
"""  # noqa: S608 - a constant of ours
_MAY_DRAW = "(style.person = ?2 OR style.id IN (SELECT style FROM guest WHERE person = ?2))"


def _style(row: sqlite3.Row) -> Style:
    flags = {name: bool(row[name]) for name in ("finished", "imported", "barred")}
    return Style(**(dict(row) | flags))


async def add(store: Store, person: int, keyword: str) -> bool:
    """Make a style and make it the current one. False if the person had it already; then it is only made current."""
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
    return None if row is None else _style(row)


async def usable(store: Store, person: int, id: int | None) -> Style | None:
    """A style that this person may draw in: their own, or one that is shared with them."""
    row = await store.row(f"{_STYLE} WHERE style.id = ?1 AND {_MAY_DRAW}", id, person)
    return None if row is None else _style(row)


async def lent_to(store: Store, person: int) -> list[Style]:
    """The styles of others that are shared with this person, in the order in which they came."""
    rows = await store.rows(
        f"{_STYLE} JOIN guest ON guest.style = style.id AND guest.person = ? ORDER BY joined_at", person
    )
    return [_style(row) for row in rows]


async def by_keyword(store: Store, person: int, keyword: str) -> Style | None:
    """A style that this person may draw in, by its keyword; of several, their own."""
    row = await store.row(
        f"{_STYLE} WHERE style.keyword = ?1 AND {_MAY_DRAW} ORDER BY style.person = ?2 DESC, style.id LIMIT 1",
        keyword,
        person,
    )
    return None if row is None else _style(row)


async def all_of(store: Store, person: int) -> list[Style]:
    """A person's styles, oldest first."""
    rows = await store.rows(f"{_STYLE} WHERE style.person = ? ORDER BY style.id", person)
    return [_style(row) for row in rows]


async def take_in(
    store: Store,
    *,
    person: int,
    keyword: str,
    trained_as: str,
    adapter: str,
    bytes: int,
    base: str | None,
    origin: str,
) -> None:
    """Make a style of an adapter (a blob) and make it the current one. Its row of a job is a training that is over."""
    async with store.transaction():
        await add(store, person, keyword)
        style = await store.value("SELECT style FROM person WHERE id = ?", person)
        await store.change("UPDATE style SET imported = 1 WHERE id = ?", style)
        job = await store.value(
            "INSERT INTO job (person, kind, origin, style, keyword, state, told, ended_at)"
            " VALUES (?, 'train', ?, ?, ?, ?, 1, ?) RETURNING id",
            *(person, origin, style, trained_as, JobState.DONE, time.time()),
        )
        await usage.count_back(store, job)
        await store.change(
            "INSERT INTO checkpoint (job, style, step, adapter, bytes, base) VALUES (?, ?, 0, ?, ?, ?)",
            *(job, style, adapter, bytes, base),
        )


async def rename(store: Store, style: Style, keyword: str) -> None:
    """Give a style another keyword, by which its packs are found. Raises Clash if the person has one so named.

    Draws in it show the new one; the worker goes on reading the one that the adapter was trained with.
    """
    async with store.transaction():
        await store.change("UPDATE style SET keyword = ? WHERE id = ?", keyword, style.id)
        named = (keyword, style.person, style.keyword)
        await store.change("UPDATE pack SET keyword = ? WHERE person = ? AND keyword = ?", *named)
        await _rename_draws(store, style, keyword)


async def _rename_draws(store: Store, style: Style, keyword: str) -> None:
    await store.change(
        "UPDATE job SET lent_name = ? WHERE style = ? AND lent_keyword != ''", keyword, style.id
    )
    draws = await store.rows(
        "SELECT id, keyword, prompt, trained_as FROM job WHERE style = ? AND kind = 'draw' AND lent_keyword = ''"
        " AND keyword != ''",
        style.id,
    )
    renamed = []
    for draw in draws:
        said = captions.without_keyword(draw["prompt"], draw["keyword"])
        trained_as = draw["trained_as"] or draw["keyword"]
        prompt = f"{keyword} {said}" if draw["prompt"] else ""
        renamed.append((keyword, prompt, "" if trained_as == keyword else trained_as, draw["id"]))
    await store.change_many("UPDATE job SET keyword = ?, prompt = ?, trained_as = ? WHERE id = ?", renamed)


async def remove(store: Store, style: Style) -> list[str]:
    """Delete a style with its samples, adapters, prompts and drawings; gives the blobs that may be unused now.

    Stickers that are in packs stay there. Draws whose end has not been told yet are forgotten after that.
    """
    async with store.transaction():
        names = await store.rows(
            "SELECT blob FROM sample WHERE style = ?1"
            " UNION SELECT blob FROM changed_sample JOIN change ON change.id = change WHERE style = ?1"
            " AND blob IS NOT NULL"
            " UNION SELECT job_sample.blob FROM job_sample JOIN job ON job.id = job WHERE style = ?1"
            " UNION SELECT adapter FROM checkpoint WHERE style = ?1"
            " UNION SELECT sheet FROM comparison WHERE style = ?1"
            " UNION SELECT state FROM checkpoint WHERE style = ?1 AND state IS NOT NULL",
            style.id,
        )
        await store.change(
            "DELETE FROM album_item WHERE person = ?1 AND album IN (SELECT album FROM album_item AS item"
            " JOIN sample ON sample.message_id = item.message_id WHERE item.person = ?1 AND sample.style = ?2)",
            style.person,
            style.id,
        )
        await store.change(
            "DELETE FROM job_sample WHERE job IN (SELECT id FROM job WHERE style = ?)", style.id
        )
        await store.change(
            "UPDATE job SET adapter = NULL, lent_keyword = '', lent_name = '' WHERE style = ?", style.id
        )
        await store.change("DELETE FROM style WHERE id = ?", style.id)
        drawn = await retention.forget_deleted_styles(store)
    return [row[0] for row in names] + drawn
