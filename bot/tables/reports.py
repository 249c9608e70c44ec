"""Reports: guests of a shared style tell the admins what is wrong with it, each once."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass
from enum import StrEnum

from bot.store import Store


class Reason(StrEnum):
    """What a guest says is wrong."""

    UNSAFE = "unsafe"  # its drawings are
    WORK = "work"  # it is somebody else's work
    OTHER = "other"


@dataclass(frozen=True, kw_only=True)
class Reported:
    """A style with open reports. ``reasons`` are those given, each with how often; times are seconds since 1970."""

    style: int
    keyword: str
    owner: int
    shared: bool
    guests: int
    reasons: dict[Reason, int]
    first: float
    last: float

    @property
    def count(self) -> int:
        """How many people have reported it."""
        return sum(self.reasons.values())


_REPORTED = """
SELECT report.style, keyword, style.person AS owner, min(at) AS first, max(at) AS last,
    sum(reason = 'unsafe') AS unsafe, sum(reason = 'work') AS work, sum(reason = 'other') AS other,
    EXISTS (SELECT 1 FROM share WHERE share.style = report.style) AS shared,
    (SELECT count(*) FROM guest WHERE guest.style = report.style) AS guests
FROM report JOIN style ON style.id = report.style
"""


async def add(store: Store, style: int, person: int, reason: Reason) -> bool:
    """A guest reports a style. False if they are no guest of it or have reported it before."""
    return bool(
        await store.change(
            "INSERT INTO report (style, person, reason, at) SELECT style, person, ?3, ?4 FROM guest"
            " WHERE style = ?1 AND person = ?2 ON CONFLICT DO NOTHING",
            *(style, person, reason, time.time()),
        )
    )


async def has(store: Store, style: int, person: int) -> bool:
    """Whether this person has reported the style."""
    return await store.row("SELECT 1 FROM report WHERE style = ? AND person = ?", style, person) is not None


async def open_ones(store: Store) -> list[Reported]:
    """The styles with open reports, the longest reported first."""
    rows = await store.rows(f"{_REPORTED} WHERE state = 'open' GROUP BY report.style ORDER BY first")
    return [_reported(row) for row in rows]


async def of_style(store: Store, style: int) -> Reported | None:
    """The open reports of a style; None if there are none."""
    row = await store.row(
        f"{_REPORTED} WHERE state = 'open' AND report.style = ? GROUP BY report.style", style
    )
    return None if row is None else _reported(row)


async def drawn(store: Store, style: int, most: int) -> list[str]:
    """Blobs of the newest drawings in a style that were made for those who report it."""
    rows = await store.rows(
        "SELECT blob FROM report JOIN job ON job.style = report.style AND job.person = report.person"
        " JOIN drawing ON drawing.job = job.id WHERE report.style = ? AND report.state = 'open' AND blob != ''"
        " ORDER BY drawing.id DESC LIMIT ?",
        *(style, most),
    )
    return [row["blob"] for row in rows]


async def dismiss(store: Store, style: int) -> None:
    """Close the open reports of a style; who has reported it cannot do so again for now."""
    async with store.transaction():
        await store.change("UPDATE report SET state = 'dismissed' WHERE style = ? AND state = 'open'", style)
        await store.change("DELETE FROM report_notice WHERE style = ?", style)


async def forget(store: Store, style: int) -> None:
    """Delete all reports of a style."""
    async with store.transaction():
        await store.change("DELETE FROM report WHERE style = ?", style)
        await store.change("DELETE FROM report_notice WHERE style = ?", style)


async def forget_old(store: Store, before: float) -> None:
    """Delete dismissed reports from before this time, and notices of reports that are not open any more."""
    async with store.transaction():
        await store.change("DELETE FROM report WHERE state = 'dismissed' AND at < ?", before)
        await store.change(
            "DELETE FROM report_notice WHERE style NOT IN (SELECT style FROM report WHERE state = 'open')"
        )


async def untold(store: Store, admin: int) -> list[tuple[int, int | None]]:
    """Styles with reports that this admin does not know of, each with the message that told of earlier ones."""
    rows = await store.rows(
        "SELECT report.style, message_id FROM report LEFT JOIN report_notice AS notice"
        " ON notice.style = report.style AND notice.person = ? WHERE state = 'open'"
        " GROUP BY report.style HAVING count(*) IS NOT notice.reports",
        admin,
    )
    return [(row["style"], row["message_id"]) for row in rows]


async def told(store: Store, admin: int, reported: Reported, message_id: int | None) -> None:
    """An admin has been told of these reports."""
    await store.change(
        "REPLACE INTO report_notice (style, person, message_id, reports) VALUES (?, ?, ?, ?)",
        *(reported.style, admin, message_id, reported.count),
    )


def _reported(row: sqlite3.Row) -> Reported:
    names = ("style", "keyword", "owner", "guests", "first", "last")
    given = {reason: row[reason.value] for reason in Reason if row[reason.value]}
    return Reported(**{name: row[name] for name in names}, shared=bool(row["shared"]), reasons=given)
