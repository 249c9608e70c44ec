"""/allow, /ban, /unban, /invite and /invites of admins: who may use the bot."""

from __future__ import annotations

import re

from telegram import MessageOrigin, MessageOriginHiddenUser, MessageOriginUser

from bot.context import Context
from bot.errors import Buttons, UserError
from bot.start_links import INVITE
from bot.tables import access, jobs, people
from bot.tables.access import Invite

MOST_USES = 1000
HOUR, DAY = 3600.0, 24 * 3600.0  # seconds
MOST_DAYS = 365
DEFAULT_SECONDS = 7 * DAY


async def allow(context: Context) -> None:
    """Let somebody in: by id, by @name, or as a reply to a forwarded message. Ends a ban, too."""
    name = _name(context.argument)
    known = await people.by_username(context.parts.store, name) if name else None
    if name and known is None:
        await access.expect_name(context.parts.store, name.lower())
        await context.parts.access.load()
        await context.say("allowed-name", name=name)
        return
    await _allow(context, known.id if known else await _who(context))


async def allow_pressed(context: Context) -> None:
    """Let the person of this button in."""
    await _allow(context, int(context.data[0]))


async def ban(context: Context) -> None:
    """Shut somebody out: their jobs end, and what they have sent is not worked off."""
    await shut_out(context, await _who(context))


async def ban_pressed(context: Context) -> None:
    """Ban the person of this button."""
    await shut_out(context, int(context.data[0]))


async def unban(context: Context) -> None:
    """Take a ban back."""
    id = await _who(context)
    await access.unban(context.parts.store, id)
    await context.parts.access.load()
    found = await people.find(context.parts.store, id)
    admitted = context.parts.access.admits(id, found.username if found else None)
    await context.say("unbanned" if admitted else "unbanned-stranger", who=await _called(context, id), id=id)


async def forwarded(context: Context) -> None:
    """Whose message an admin has forwarded, with buttons to let them in and to ban them."""
    id = _author(context.message.forward_origin)
    buttons = context.words.buttons([[("button-allow", f"allow:{id}"), ("button-ban", f"ban:{id}")]])
    await context.say("forwarded-by", who=await _called(context, id), id=id, buttons=buttons)


async def invite(context: Context) -> None:
    """Make an invite: ``/invite``, ``/invite 5``, ``/invite 5 30d``, ``/invite 12h``."""
    if context.parts.config.access.mode != "invite":
        raise UserError("invite-other-mode", mode=context.parts.config.access.mode)
    uses, seconds = _wish(context.argument)
    made = await access.invite(context.parts.store, uses=uses, seconds=seconds)
    await context.send(_line(context, made), buttons=_revoke_buttons(context, [made]))


async def invites(context: Context) -> None:
    """All invites that still let somebody in, each with a button that ends it."""
    found = await access.open_invites(context.parts.store)
    if not found:
        raise UserError("no-invites")
    lines = [_line(context, invite) for invite in found]
    await context.send("\n\n".join(lines), buttons=_revoke_buttons(context, found))


async def revoke(context: Context) -> None:
    """End the invite of this button."""
    revoked = await access.revoke(context.parts.store, int(context.data[0]))
    await context.say("invite-revoked" if revoked else "invite-gone")


async def shut_out(context: Context, id: int) -> None:
    """Ban this person. Raises UserError for an admin."""
    parts = context.parts
    if parts.access.is_admin(id):
        raise UserError("ban-admin")
    await access.ban(parts.store, id)
    await parts.access.load()
    for job in await jobs.active_of(parts.store, id):
        await parts.dispatch.cancel(id, job.id)
    parts.deliver.wake(id)
    await context.say("banned", who=await _called(context, id), id=id)


async def _allow(context: Context, id: int) -> None:
    await access.let_in(context.parts.store, id)
    await context.parts.access.load()
    await context.say("allowed", who=await _called(context, id))


async def _who(context: Context) -> int:
    """Whom a command means. Raises UserError if it names nobody, or somebody who is not known."""
    word = context.argument.strip()
    if re.fullmatch(r"\d{1,15}", word, re.ASCII):
        return int(word)
    if name := _name(word):
        known = await people.by_username(context.parts.store, name)
        if known is None:
            raise UserError("who-unknown", name=name)
        return known.id
    replied = context.message.reply_to_message
    if word or replied is None or replied.forward_origin is None:
        raise UserError("who-usage")
    return _author(replied.forward_origin)


def _author(origin: MessageOrigin | None) -> int:
    """Who wrote a message that was forwarded. Raises UserError if Telegram does not tell."""
    if isinstance(origin, MessageOriginUser):
        return origin.sender_user.id
    raise UserError("who-hidden" if isinstance(origin, MessageOriginHiddenUser) else "who-usage")


def _name(word: str) -> str | None:
    found = re.fullmatch(r"@(\w{4,32})", word.strip(), re.ASCII)
    return found[1] if found else None


async def _called(context: Context, id: int) -> str:
    """What an admin knows somebody by."""
    found = await people.find(context.parts.store, id)
    if found is None:
        return str(id)
    return f"@{found.username}" if found.username else f"{found.name} ({id})"


def _wish(argument: str) -> tuple[int, float]:
    """How many people an invite is for, and for how many seconds. Raises UserError."""
    uses, seconds = 1, DEFAULT_SECONDS
    for word in argument.split():
        found = re.fullmatch(r"(\d{1,4})([hd]?)", word, re.ASCII)
        if found is None:
            raise UserError("invite-usage", most=MOST_USES, days=MOST_DAYS)
        if found[2]:
            seconds = int(found[1]) * (HOUR if found[2] == "h" else DAY)
        else:
            uses = int(found[1])
    if not (1 <= uses <= MOST_USES and HOUR <= seconds <= MOST_DAYS * DAY):
        raise UserError("invite-usage", most=MOST_USES, days=MOST_DAYS)
    return uses, seconds


def _line(context: Context, invite: Invite) -> str:
    until = context.words.date(invite.expires_at)
    link = context.parts.sender.start_link(INVITE, invite.token)
    return context.words("invite", link=link, n=invite.uses_left, until=until)


def _revoke_buttons(context: Context, found: list[Invite]) -> Buttons:
    label = context.words.plain
    return [[(label("button-revoke", token=invite.token[:4]), f"revoke:{invite.id}")] for invite in found]
