"""The inbox: updates as Telegram gave them, stored before they are confirmed."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from bot.reading import has_file
from bot.store import Store

DAY = 24 * 3600.0  # seconds

# The index is of these rows alone. SQLite takes it only for a query that says the same, so all of them do;
# without it each looks at every update of a week.
_WAITING = "state = 'waiting' AND state IN ('waiting', 'kept')"
_KEPT = "state = 'kept' AND state IN ('waiting', 'kept')"


class LetterState(StrEnum):
    """How far an update is."""

    WAITING = "waiting"  # to be worked off
    KEPT = "kept"  # for later: its person has no style yet
    UNREADABLE = "unreadable"  # put aside: the library cannot read it
    DONE = "done"  # worked off or given up


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One stored update. ``tries`` counts how often its work was begun, except for what was waited out.

    It is 1 from the start: a kill before the first try makes it one too many.
    """

    id: int
    update_id: int
    digest: str
    person: int
    body: str = field(repr=False)
    state: LetterState
    tries: int
    received_at: float
    done_at: float | None
    upload: int  # 1: a message with a file


async def put(store: Store, updates: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Store (person, update) all at once; what is there already stays as it is.

    The first try of each is counted now, so that beginning it is no change of its own.
    """
    now, rows = time.time(), []
    for person, update in updates:
        try:
            body = json.dumps(update)
        except RecursionError:  # nested too deeply for Python: put aside later
            body = ""
        digest = hashlib.sha256(body.encode()).hexdigest()
        rows.append((update["update_id"], digest, person, body, now, has_file(update)))
    # '' is the digest of rows from before there were digests
    await store.change_many(
        "INSERT INTO inbox (update_id, digest, person, body, received_at, upload, tries)"
        " SELECT ?1, ?2, ?3, ?4, ?5, ?6, 1"
        " WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE update_id = ?1 AND digest IN (?2, ''))",
        rows,
    )


async def since(store: Store, after: float) -> list[tuple[int, float, bool]]:
    """(person, received_at, whether it had a file) of what came after this time (seconds since 1970), oldest first."""
    rows = await store.rows(
        "SELECT person, received_at, upload FROM inbox WHERE received_at > ? ORDER BY received_at", after
    )
    return [(row["person"], row["received_at"], bool(row["upload"])) for row in rows]


async def oldest(store: Store, person: int) -> Letter | None:
    """The person's oldest waiting update."""
    row = await store.row(
        f"SELECT * FROM inbox WHERE person = ? AND {_WAITING} ORDER BY id LIMIT 1",  # noqa: S608 - constants only
        person,
    )
    return None if row is None else Letter(**dict(row) | {"state": LetterState(row["state"])})


async def newest(store: Store) -> int:
    """The id of the newest row, 0 if there is none."""
    return int(await store.value("SELECT max(id) FROM inbox") or 0)


async def count(store: Store, letter: Letter, tries: int) -> None:
    """Count tries that begin (1), or take back those that were waited out (-1)."""
    await store.change("UPDATE inbox SET tries = tries + ? WHERE id = ?", tries, letter.id)


async def end(store: Store, letter: Letter, state: LetterState) -> None:
    """The update has been worked off or put aside. What it said is forgotten once it is done."""
    await store.change(
        "UPDATE inbox SET state = ?1, done_at = ?2, body = iif(?1 = 'done', '', body) WHERE id = ?3",
        state,
        time.time(),
        letter.id,
    )


async def release(store: Store, person: int) -> int:
    """Let a person's kept updates wait for their turn again; gives how many there were."""
    return await store.change(
        f"UPDATE inbox SET state = 'waiting', tries = 0 WHERE person = ? AND {_KEPT}",  # noqa: S608 - constants only
        person,
    )


async def kept(store: Store, person: int) -> int:
    """How many of a person's updates are kept for later."""
    found = f"SELECT count(*) FROM inbox WHERE person = ? AND {_KEPT}"  # noqa: S608 - constants only
    return int(await store.value(found, person))


async def waiting(store: Store, person: int) -> int:
    """How many of a person's updates are not worked off."""
    found = f"SELECT count(*) FROM inbox WHERE person = ? AND {_WAITING}"  # noqa: S608 - constants only
    return int(await store.value(found, person))


async def people_waiting(store: Store) -> list[int]:
    """Who has updates that are not worked off."""
    found = f"SELECT DISTINCT person FROM inbox WHERE {_WAITING}"  # noqa: S608 - constants only
    return [row[0] for row in await store.rows(found)]


async def forget_old(store: Store, *, done_days: float, kept_days: float) -> None:
    """Delete what was done so long ago, and what was kept for later so long.

    As long as a done update is there, it is recognised if Telegram sends it again.
    """
    now = time.time()
    await store.change(
        "DELETE FROM inbox WHERE (state IN ('done', 'unreadable') AND done_at < ?)"
        " OR (state = 'kept' AND received_at < ?)",
        now - done_days * DAY,
        now - kept_days * DAY,
    )
