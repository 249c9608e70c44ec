"""Delivers updates to a webhook as Telegram does: a chat's in order, again with growing pauses until it hears 2xx."""

from __future__ import annotations

import asyncio
import ssl
import time
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

import aiohttp

from bot.playground.limits import bad_request
from bot.playground.updates import Updates
from bot.playground.wire import Json

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - the name of a header
PORTS = (80, 88, 443, 8443)
LOOPBACK = ("127.0.0.1", "localhost")
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 60.0  # seconds before an update is sent again, doubling
ANSWER_SECONDS = 60.0  # for the bot's answer
CHATS_AT_ONCE = 40


def check_url(url: str) -> None:
    """Raise Telegram's error for an address that it would not take. This machine's may have any port, and no TLS."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:  # no port, or half of an IPv6 address
        port = 0
    if port == 0:
        raise bad_request("invalid webhook URL specified")
    if parts.hostname in LOOPBACK and parts.scheme in ("http", "https"):
        return
    if parts.scheme != "https":
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if (port or 443) not in PORTS:
        raise bad_request("bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443")


class Delivery:
    """Sends waiting updates to the webhook that is set. ``info`` is what getWebhookInfo adds."""

    def __init__(self, updates: Updates) -> None:
        self._updates = updates
        self._busy: dict[int, asyncio.Task[None]] = {}  # chat -> what is being sent
        self._pauses: dict[int, tuple[float, float]] = {}  # chat -> pause, not before (monotonic)
        self.info: Json = {}

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(ANSWER_SECONDS)) as session:
            try:
                while True:
                    self._begin(session)
                    await self._updates.changed(FIRST_PAUSE)
            finally:
                for task in self._busy.values():
                    task.cancel()
                await asyncio.gather(*self._busy.values(), return_exceptions=True)

    def reset(self) -> None:
        """Another webhook was set: its errors begin anew."""
        self.info.clear()
        self._pauses.clear()

    def _begin(self, session: aiohttp.ClientSession) -> None:
        hook = self._updates.webhook
        if not hook:
            return
        seen: set[int] = set()
        for chat, update in self._updates.oldest():
            due = self._pauses.get(chat, (0.0, 0.0))[1] <= time.monotonic()
            if chat not in seen and chat not in self._busy and due and len(self._busy) < CHATS_AT_ONCE:
                self._busy[chat] = asyncio.create_task(self._send(session, hook, chat, update))
            seen.add(chat)

    async def _send(self, session: aiohttp.ClientSession, hook: Json, chat: int, update: Json) -> None:
        try:
            wrong = await self._post(session, hook, update)
            if wrong is None:
                self._updates.done(update["update_id"])
                self._pauses.pop(chat, None)
                return
            pause = min(2 * self._pauses.get(chat, (FIRST_PAUSE / 2, 0.0))[0], LONGEST_PAUSE)
            self._pauses[chat] = (pause, time.monotonic() + pause)
            self.info |= {"last_error_date": int(time.time()), "last_error_message": wrong}
        finally:
            del self._busy[chat]
            self._updates.ring()

    async def _post(self, session: aiohttp.ClientSession, hook: Json, update: Json) -> str | None:
        """What went wrong, None if the update is delivered."""
        headers = {SECRET_HEADER: hook["secret"]} if hook["secret"] else {}
        try:
            tls = ssl.create_default_context(cadata=hook["certificate"]) if hook["certificate"] else True
            async with session.post(hook["url"], json=update, headers=headers, ssl=tls) as response:
                if response.ok:
                    return None
                with suppress(ValueError):
                    return f"Wrong response from the webhook: {response.status} {HTTPStatus(response.status).phrase}"
                return f"Wrong response from the webhook: {response.status}"
        except aiohttp.ClientConnectorCertificateError:
            return "SSL error {error:0A000086:SSL routines::certificate verify failed}"
        except aiohttp.ClientConnectorError:
            return "Connection refused"
        except TimeoutError:
            return "Read timeout expired"
        except (aiohttp.ClientError, ssl.SSLError) as error:
            return type(error).__name__
