"""getUpdates, as raw JSON: the library reads each update later, by itself, when its turn comes.

Any trouble is waited out with growing pauses. The operator reads one line when a kind of trouble begins.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any, TypeGuard
from urllib.parse import urlencode

from telegram import Bot
from telegram.error import Conflict, InvalidToken, RetryAfter, TelegramError

from bot.request import Request
from bot.secret import VARIABLE
from bot.state_log import StateLog
from bot.telling import telling
from bot.waiting import pause_after

log = logging.getLogger(__name__)

POLL_SECONDS = 50
CALL_SECONDS = 30.0  # for the answer itself, beyond the time that Telegram waits for updates
KINDS = ["message", "edited_message", "callback_query", "inline_query"]
MAX_ID = 2**63 - 1  # the largest number that SQLite stores
CONFLICT = "conflict"  # the kind of trouble that a second program with the token is
TOLD = {CONFLICT: telling("admin-conflict"), "token": telling("admin-token")}

Json = dict[str, Any]


class Poll:
    """Fetches batches of updates. Asking for the next batch confirms the last one to Telegram."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._http = Request(connection_pool_size=1, seconds=POLL_SECONDS + CALL_SECONDS)
        self._offset: int | None = None
        self._state = StateLog(log, "updates come in again")

    @property
    def works(self) -> bool:
        """Whether the last call has succeeded."""
        return not self._state.failing

    async def close(self) -> None:
        """Close the connection."""
        await self._http.shutdown()

    async def next(self) -> list[Json]:
        """The next batch, empty if none came for a while. Everything before it is confirmed from here on."""
        number = 0
        while True:
            try:
                updates = await self._ask()
            except TelegramError as error:
                kind, text = describe(error)
                self._state.fails(kind, text, extra=TOLD.get(kind))
                await self._mend(error)
                await asyncio.sleep(pause_after(error, number + 2))
                number += 1
                continue
            self._state.works()
            # None after an empty batch: after a week without updates Telegram's ids begin anew, maybe lower.
            self._offset = max(update["update_id"] for update in updates) + 1 if updates else None
            return updates

    async def _ask(self) -> list[Json]:
        wish = {"timeout": str(POLL_SECONDS), "allowed_updates": json.dumps(KINDS)}
        if self._offset is not None:
            wish["offset"] = str(self._offset)
        result: object = await self._http.post(f"{self._bot.base_url}/getUpdates?{urlencode(wish)}")
        if not isinstance(result, list):
            raise TelegramError("no list of updates")
        updates = [update for update in result if has_id(update)]
        if result and not updates:
            raise TelegramError("a list without an update id")
        return updates

    async def _mend(self, error: TelegramError) -> None:
        """A webhook that was set elsewhere keeps getUpdates from working: remove it."""
        if isinstance(error, Conflict) and "webhook" in str(error).lower():
            try:
                await self._bot.delete_webhook(drop_pending_updates=False)
            except TelegramError as second:
                log.info("the webhook cannot be removed yet: %s", type(second).__name__)


def describe(error: TelegramError) -> tuple[str, str]:
    """A kind of trouble, and the line for the operator."""
    if isinstance(error, InvalidToken):
        return (
            "token",
            f"Telegram does not know the token in {VARIABLE} any more; ask @BotFather for a new one",
        )
    if isinstance(error, Conflict) and "webhook" in str(error).lower():
        return "webhook", "another program has set a webhook for this bot; it is removed"
    if isinstance(error, Conflict):
        return CONFLICT, (
            f"another program uses the token in {VARIABLE}: each of the two gets only some of the messages; "
            "end one of them, or ask @BotFather for another token"
        )
    if isinstance(error, RetryAfter):
        return "429", f"Telegram asks this bot to wait: {error}"
    return type(error).__name__, f"no updates can be fetched, trying again: {error}"


def has_id(update: object) -> TypeGuard[Json]:
    """Whether it is an object with an id. All others can be neither stored nor confirmed."""
    if not isinstance(update, dict):
        return False
    id = update.get("update_id")
    return isinstance(id, int) and not isinstance(id, bool) and 0 <= id < MAX_ID
