"""People: name, languages, current style, and whether they have blocked the bot."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from bot.store import Store


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who chats with the bot. ``style`` is the current one, which commands without a style mean.

    ``since``: when the first message of theirs was sent, seconds since 1970; 0 = before that was stored.
    Languages are codes such as "ru" or "pt-br". ``chosen_language`` is None until they choose one with /language.
    """

    id: int
    name: str = field(repr=False)
    username: str | None = field(default=None, repr=False)  # their @name, without the @
    client_language: str
    chosen_language: str | None = None
    style: int | None
    blocked: bool
    since: float = 0.0

    @property
    def language(self) -> str:
        """In which the bot talks to them."""
        return self.chosen_language or self.client_language

    @property
    def writes_in(self) -> str:
        """In which they probably write. Who has chosen English may do so because the bot lacks their language."""
        chosen = self.chosen_language
        return chosen if chosen and chosen != "en" else self.client_language


def _person(row: sqlite3.Row) -> Person:
    values = dict(row)
    values["client_language"] = values.pop("language")
    return Person(**(values | {"blocked": bool(row["blocked"])}))


async def see(
    store: Store, *, id: int, name: str, language: str, username: str | None = None, at: float = 0.0
) -> Person:
    """Store who has written at this time: a new person, or the new names and language of the client.

    They have not blocked the bot. A language that they have chosen stays.
    """
    known = await store.row("SELECT * FROM person WHERE id = ?", id)
    now = (name, username, language, 0)
    if known and (known["name"], known["username"], known["language"], known["blocked"]) == now:
        return _person(known)  # nothing to write, as for most updates
    if username is not None:  # a name can change hands
        await store.change(
            "UPDATE person SET username = NULL WHERE username = ? COLLATE NOCASE AND id != ?", username, id
        )
    row = await store.row(
        "INSERT INTO person (id, name, language, username, since) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
        " SET name = excluded.name, language = excluded.language, username = excluded.username, blocked = 0"
        " RETURNING *",
        id,
        name,
        language,
        username,
        at,
    )
    assert row is not None
    return _person(row)


async def get(store: Store, id: int) -> Person:
    """The person with this id, who must exist."""
    row = await store.row("SELECT * FROM person WHERE id = ?", id)
    assert row is not None
    return _person(row)


async def find(store: Store, id: int) -> Person | None:
    """The person with this id, None if they are not known, or not any more."""
    row = await store.row("SELECT * FROM person WHERE id = ?", id)
    return None if row is None else _person(row)


async def by_username(store: Store, username: str) -> Person | None:
    """Who had this @name when they wrote last, in any case of letters; None if nobody did."""
    row = await store.row("SELECT * FROM person WHERE username = ? COLLATE NOCASE", username)
    return None if row is None else _person(row)


async def language_of(store: Store, id: int, otherwise: str) -> str:
    """The language to talk in to somebody who may not be known yet; then it is ``otherwise``."""
    row = await store.row("SELECT * FROM person WHERE id = ?", id)
    return otherwise if row is None else _person(row).language


async def choose_language(store: Store, id: int, language: str) -> None:
    """Talk to the person in this language, whatever their client says."""
    await store.change("UPDATE person SET chosen_language = ? WHERE id = ?", language, id)


async def work_on(store: Store, id: int, style: int) -> None:
    """Make ``style`` the person's current one."""
    await store.change("UPDATE person SET style = ? WHERE id = ?", style, id)


async def block(store: Store, id: int) -> None:
    """Remember that the person has blocked the bot: nothing can be sent until they write again."""
    await store.change("UPDATE person SET blocked = 1 WHERE id = ?", id)
