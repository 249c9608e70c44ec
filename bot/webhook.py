"""Updates that Telegram sends to an address of the bot, in place of getUpdates.

An update is a row on the disk before Telegram hears 200; after any other answer it sends the update again. The secret
that Telegram names in each request is compared in constant time. What waits at Telegram when the operator turns to the
webhook, or back, stays there: ``drop_pending_updates`` is never set.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import re
import secrets
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web
from telegram import Bot, WebhookInfo
from telegram.error import BadRequest, TelegramError

from bot import tls
from bot.config import Telegram
from bot.errors import ConfigError
from bot.poll import CONFLICT, KINDS, TOLD, describe, has_id
from bot.reading import Json
from bot.state_log import StateLog
from bot.store import Store
from bot.tables import settings
from bot.telling import telling, telling_of
from bot.waiting import pause_after, waiting_helps
from bot.web import serving

log = logging.getLogger(__name__)

VARIABLE = "TELEGRAM_WEBHOOK_SECRET"
STORED = "webhook secret"
HEADER = "X-Telegram-Bot-Api-Secret-Token"
BODY_BYTES = 1 << 20  # an update is some kilobytes
STORE_SECONDS = 20.0  # then Telegram is told to send the update again
LOOK_SECONDS = 60.0  # between two looks at what Telegram says of the webhook

Take = Callable[[Sequence[Json]], Awaitable[None]]


class Webhook:
    """Takes updates at ``webhook_listen``, and keeps the webhook set."""

    def __init__(self, *, bot: Bot, store: Store, config: Telegram) -> None:
        self._bot = bot
        self._store = store
        self._config = config
        self._secret = b""
        self._take: Take | None = None
        self._last_error = 0.0  # when Telegram could not deliver last, seconds since 1970
        self._state = StateLog(log, "the webhook works again")
        self._storing = StateLog(log, "updates are stored again")

    @property
    def works(self) -> bool:
        """Whether Telegram had the webhook and no new failure when it was last asked."""
        return not self._state.failing

    async def run(self, take: Take) -> None:
        """Give updates to ``take`` until cancelled. Raises ConfigError for what the operator has to mend."""
        self._take = take
        self._secret = (await secret(self._store)).encode()
        app = web.Application(client_max_size=BODY_BYTES)
        app.router.add_post(urlsplit(self._config.webhook_url).path or "/", self._answer)
        async with serving(
            app, self._config.webhook_listen, "telegram.webhook_listen", tls.context(self._config)
        ):
            await self._keep_set()

    async def _answer(self, request: web.Request) -> web.Response:
        """Store the update of a request, then answer 200."""
        given = request.headers.get(HEADER, "").encode(errors="replace")
        if not hmac.compare_digest(given, self._secret):
            return web.Response(status=403)
        try:
            update = json.loads(await request.read())
        except (ValueError, RecursionError):
            return web.Response(status=400)
        if not has_id(update):
            return web.Response()  # it can be neither stored nor told from others: as with getUpdates
        return web.Response(status=200 if await self._stored(update) else 503)

    async def _stored(self, update: Json) -> bool:
        """Whether the update is a row, or was a stranger's. If not in time, Telegram keeps it."""
        assert self._take is not None
        try:
            async with asyncio.timeout(STORE_SECONDS):
                await self._take([update])
        except TimeoutError:
            self._storing.fails("late", "updates wait at Telegram: the database takes none")
            return False
        except sqlite3.OperationalError as error:
            if not waiting_helps(error):
                raise
            text = f"updates wait at Telegram until this is over: {error}"
            self._storing.fails(str(error), text, extra=telling_of(error))
            return False
        self._storing.works()
        return True

    async def _keep_set(self) -> None:
        """Set the webhook, look at it once a minute, and set it again if another program has changed it."""
        number, is_set = 0, False
        while True:
            try:
                if not is_set:
                    await self._set()
                    is_set, number = True, 0
                    log.info("Telegram sends updates to the webhook")
                await asyncio.sleep(LOOK_SECONDS)
                is_set = self._look(await self._bot.get_webhook_info())
            except TelegramError as error:
                kind, text = describe(error)
                self._state.fails(kind, text, extra=TOLD.get(kind))
                await asyncio.sleep(pause_after(error, number + 2))
                number += 1

    async def _set(self) -> None:
        """Tell Telegram the address. Raises ConfigError if it refuses the address itself."""
        own = self._config.webhook_certificate
        try:
            await self._bot.set_webhook(
                self._config.webhook_url,
                certificate=await asyncio.to_thread(Path(own).read_bytes) if own else None,
                allowed_updates=KINDS,
                drop_pending_updates=False,
                secret_token=self._secret.decode(),
            )
        except BadRequest as error:
            if "resolve" in str(error).lower():  # a name server may be away
                raise TelegramError(str(error)) from error
            raise ConfigError(f"telegram.webhook_url: Telegram refuses it: {error}") from error
        except OSError as error:
            raise ConfigError(f"telegram.webhook_certificate cannot be read: {error.strerror}") from error

    def _look(self, info: WebhookInfo) -> bool:
        """Whether the webhook is still this bot's. Log and tell what Telegram says is wrong."""
        if info.url != self._config.webhook_url:
            text = (
                "another program uses this bot's token: it has removed or replaced the webhook, which is set again;"
                " end that program, or ask @BotFather for another token"
            )
            self._state.fails(CONFLICT, text, extra=telling("admin-conflict"))
            return False
        failed = info.last_error_date.timestamp() if info.last_error_date else 0.0
        if failed > self._last_error and info.pending_update_count:
            self._state.fails(
                "delivery",
                f"Telegram cannot deliver to the webhook, {info.pending_update_count} updates wait there: "
                f"{info.last_error_message}",
                extra=telling("admin-webhook", n=info.pending_update_count),
            )
        else:
            self._state.works()
        self._last_error = failed
        return True


async def secret(store: Store) -> str:
    """What Telegram names in each request: the environment's, else one that is made once and stored."""
    if text := os.environ.pop(VARIABLE, "").strip():
        if not re.fullmatch(r"[A-Za-z0-9_-]{1,256}", text):
            raise ConfigError(f"{VARIABLE} may have 1 to 256 letters, digits, _ and -")
        return text
    if (stored := await settings.read(store, STORED)) is None:
        stored = secrets.token_urlsafe(48)
        await settings.write(store, STORED, stored)
    return str(stored)
