"""Links that start the bot, ``t.me/BOT?start=PREFIX_TOKEN``. What comes of each prefix is in ``bot.handlers.start``.

Telegram sends the bot ``/start PREFIX_TOKEN``. A parameter has at most 64 characters of A-Z, a-z, 0-9, _ and -.
"""

from __future__ import annotations

import re

INVITE = "i"  # an admin's invite
STYLE = "s"  # a style that somebody shares
WISH = "d"  # words of an inline query, to draw


def link(bot_name: str, prefix: str, token: str) -> str:
    """The address to send to people. ``bot_name`` has no @."""
    return f"https://t.me/{bot_name}?start={parameter(prefix, token)}"


def parameter(prefix: str, token: str) -> str:
    """What such a link puts behind /start."""
    return f"{prefix}_{token}"


def read(argument: str) -> tuple[str, str] | None:
    """Prefix and token of what follows /start; None if it is not of a link."""
    found = re.fullmatch(r"([a-z]+)_([A-Za-z0-9_-]{1,62})", argument.strip())
    return (found[1], found[2]) if found else None


def invite_token(text: object) -> str | None:
    """The token of a message that an invite's link has sent; None for any other."""
    if not isinstance(text, str) or not (found := re.fullmatch(r"/start(?:@\w+)?\s+(\S+)\s*", text)):
        return None
    parts = read(found[1])
    return parts[1] if parts is not None and parts[0] == INVITE else None
