"""Who is banned, who was let in, and the invites of admins. No row says more of a stranger than their id."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass

from bot.store import Store

TOKEN_BYTES = 12  # 16 characters of a link


@dataclass(frozen=True, kw_only=True)
class Invite:
    """A link that lets ``uses_left`` more people in until ``expires_at`` (seconds since 1970)."""

    id: int
    token: str
    uses_left: int
    expires_at: float


async def banned(store: Store) -> set[int]:
    """The ids of all who are banned."""
    return {row[0] for row in await store.rows("SELECT id FROM ban")}


async def members(store: Store) -> set[int]:
    """The ids of all who were let in by an admin or an invite."""
    return {row[0] for row in await store.rows("SELECT id FROM member")}


async def names(store: Store) -> set[str]:
    """The @names, in small letters, whose next holder to write is let in."""
    return {row[0] for row in await store.rows("SELECT name FROM member_name")}


async def ban(store: Store, person: int) -> None:
    """Ban a person, and forget what they wrote that is not worked off yet."""
    async with store.transaction():
        await store.change("INSERT INTO ban (id) VALUES (?) ON CONFLICT DO NOTHING", person)
        await store.change("DELETE FROM inbox WHERE person = ? AND state IN ('waiting', 'kept')", person)


async def unban(store: Store, person: int) -> None:
    """Take a ban back."""
    await store.change("DELETE FROM ban WHERE id = ?", person)


async def let_in(store: Store, person: int, name: str | None = None) -> None:
    """Make somebody a member, who is not banned any more. ``name`` is what they were let in by, if by that."""
    async with store.transaction():
        await unban(store, person)
        await store.change("INSERT INTO member (id) VALUES (?) ON CONFLICT DO NOTHING", person)
        await store.change("DELETE FROM member_name WHERE name = ?", name)


async def expect_name(store: Store, name: str) -> None:
    """Let in whoever writes under this @name next."""
    await store.change("INSERT INTO member_name (name) VALUES (?) ON CONFLICT DO NOTHING", name)


async def invite(store: Store, *, uses: int, seconds: float) -> Invite:
    """Make an invite."""
    row = await store.row(
        "INSERT INTO invite (token, uses_left, expires_at) VALUES (?, ?, ?) RETURNING *",
        secrets.token_urlsafe(TOKEN_BYTES),
        uses,
        time.time() + seconds,
    )
    assert row is not None
    return Invite(**dict(row))


async def open_invites(store: Store) -> list[Invite]:
    """The invites that still let somebody in, oldest first."""
    rows = await store.rows(
        "SELECT * FROM invite WHERE uses_left > 0 AND expires_at > ? ORDER BY id", time.time()
    )
    return [Invite(**dict(row)) for row in rows]


async def redeem(store: Store, token: str, person: int) -> bool:
    """Use an invite up by one and let the person in; False if it lets nobody in any more."""
    async with store.transaction():
        used = await store.change(
            "UPDATE invite SET uses_left = uses_left - 1 WHERE token = ? AND uses_left > 0 AND expires_at > ?",
            token,
            time.time(),
        )
        if used:
            await let_in(store, person)
    return bool(used)


async def revoke(store: Store, id: int) -> bool:
    """Delete an invite; whoever came in by it stays. False if there is none."""
    return bool(await store.change("DELETE FROM invite WHERE id = ?", id))


async def forget_invites(store: Store) -> None:
    """Delete invites that let nobody in any more."""
    await store.change("DELETE FROM invite WHERE uses_left <= 0 OR expires_at <= ?", time.time())
