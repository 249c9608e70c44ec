"""What is held of a person: which rows of which table. Read from the schema, so that a new table is covered.

A row is a person's if its column ``person`` says so, or if it belongs to one of their styles, jobs, packs or the like.
"""

from __future__ import annotations

import sqlite3

from bot.store import Store

APART = ("inbox", "erasure")  # they outlast the other rows for a moment
_STYLES = "SELECT id FROM style WHERE person = ?1"
_JOBS = "SELECT id FROM job WHERE person = ?1"
# A column that names an owner -> the owner's rows. The first that a table has counts.
_OWNERS = {
    "person": "?1",
    "style": _STYLES,
    "job": _JOBS,
    "pack": "SELECT id FROM pack WHERE person = ?1",
    "drawing": f"SELECT id FROM drawing WHERE job IN ({_JOBS})",  # noqa: S608 - constants only
    "import": "SELECT id FROM import WHERE person = ?1",
    "change": f"SELECT id FROM change WHERE style IN ({_STYLES})",  # noqa: S608 - constants only
    "sample": f"SELECT id FROM sample WHERE style IN ({_STYLES})",  # noqa: S608 - constants only
}


async def tables(store: Store) -> dict[str, str]:
    """Each table that holds people's rows -> the condition that a person's rows fulfil; ?1 is the person's id.

    In the order in which rows can be deleted: conditions that look at other tables come first, ``person`` comes last.
    """
    found = {}
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    for (table,) in await store.rows(names):
        columns = {row["name"] for row in await store.rows(f"PRAGMA table_info({table})")}
        if (owner := next((column for column in _OWNERS if column in columns), None)) is not None:
            found[table] = "id = ?1" if table == "person" else f"{owner} IN ({_OWNERS[owner]})"
    return dict(sorted(found.items(), key=lambda item: (item[0] == "person", -item[1].count("SELECT"))))


async def rows(store: Store, person: int) -> dict[str, list[sqlite3.Row]]:
    """All that the database holds of a person, by table."""
    return {
        table: await store.rows(f"SELECT * FROM {table} WHERE {condition} ORDER BY rowid", person)  # noqa: S608
        for table, condition in (await tables(store)).items()
    }


async def delete(store: Store, person: int) -> None:
    """Delete all of it but what is ``APART``. The blobs are the caller's to sweep."""
    async with store.transaction():
        await store.rows("PRAGMA defer_foreign_keys = ON")  # until the transaction ends
        for table, condition in (await tables(store)).items():
            if table not in APART:
                await store.change(f"DELETE FROM {table} WHERE {condition}", person)  # noqa: S608 - see above
