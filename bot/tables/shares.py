"""Shared styles: a link to a style, of which only a hash is kept, and who draws in it by that link."""

from __future__ import annotations

import hashlib
import secrets
import time

from bot.store import Store

TOKEN_BYTES = 16  # 128 random bits: nobody guesses a link


async def new_link(store: Store, style: int) -> str:
    """The token of a new link to a style. An older link leads nowhere from now on, and who has used it goes on."""
    token = secrets.token_urlsafe(TOKEN_BYTES)
    await store.change(
        "INSERT INTO share (style, token_hash, made_at) VALUES (?, ?, ?)"
        " ON CONFLICT (style) DO UPDATE SET token_hash = excluded.token_hash, made_at = excluded.made_at",
        *(style, _hash(token), time.time()),
    )
    return token


async def bar(store: Store, style: int, barred: bool) -> None:
    """Let the owner share the style no more, or again."""
    await store.change("UPDATE style SET barred = ? WHERE id = ?", int(barred), style)


async def style_of(store: Store, token: str) -> tuple[int, int] | None:
    """(the style, its owner) that a link leads to; None if it leads nowhere."""
    row = await store.row(
        "SELECT style.id, style.person FROM share JOIN style ON style.id = share.style WHERE token_hash = ?",
        _hash(token),
    )
    return None if row is None else (row["id"], row["person"])


async def join(store: Store, style: int, person: int) -> None:
    """The person has opened the link: they may draw in the style, which becomes their current one."""
    async with store.transaction():
        await store.change(
            "INSERT INTO guest (style, person, joined_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            style,
            person,
            time.time(),
        )
        await store.change("UPDATE person SET style = ? WHERE id = ?", style, person)


async def leave(store: Store, style: int, person: int) -> bool:
    """The person does not want the style any more. False if they did not have it."""
    async with store.transaction():
        await _give_other_style(store, style, person)
        return bool(await store.change("DELETE FROM guest WHERE style = ? AND person = ?", style, person))


async def shared(store: Store, style: int) -> bool:
    """Whether the style has a link."""
    return await store.row("SELECT 1 FROM share WHERE style = ?", style) is not None


async def guests(store: Store, style: int) -> list[int]:
    """Who may draw in the style by its link."""
    return [row[0] for row in await store.rows("SELECT person FROM guest WHERE style = ?", style)]


async def end(store: Store, style: int) -> list[int]:
    """The link leads nowhere, and nobody draws in the style by it; gives who did."""
    async with store.transaction():
        found = await guests(store, style)
        for person in found:
            await leave(store, style, person)
        await store.change("DELETE FROM share WHERE style = ?", style)
    return found


async def _give_other_style(store: Store, style: int, person: int) -> None:
    """Who works in a style that they lose goes back to their own newest one, or to none."""
    await store.change(
        "UPDATE person SET style = (SELECT max(id) FROM style WHERE person = ?2) WHERE id = ?2 AND style = ?1",
        style,
        person,
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
