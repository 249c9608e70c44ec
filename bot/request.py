"""HTTP to the Bot API server. Only an answer in Telegram's own form counts as Telegram's.

A proxy, a firewall or a server that is being restarted answers with HTML, with an empty body or with a part
of one, under any code. Each of these is a NetworkError here, so it is waited out.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from functools import cache
from http import HTTPStatus
from typing import Any

import httpx
from telegram.error import BadRequest, Forbidden, NetworkError, TelegramError
from telegram.request import HTTPXRequest, RequestData

from bot.slots import without_slot

# What Telegram says when this person, or this group, can never be written to.
_GONE = (
    "blocked by the user",
    "user is deactivated",
    "can't initiate conversation",
    "bot was kicked",
    "not a member",
    "chat was deleted",
    "can't send messages to bots",
    "not enough rights",
    "have no rights",
)
KEPT_CONNECTIONS = 10  # idle ones; httpx asks each of them for its state at each call


class Request(HTTPXRequest):
    """python-telegram-bot's HTTP client with a stricter look at answers. It logs no body.

    Calls queue here, not in httpx, whose own queue costs time in proportion to calls x connections.
    """

    def __init__(self, *, connection_pool_size: int, seconds: float) -> None:
        """``seconds``: how long each part of a call may take."""
        limits = httpx.Limits(
            max_connections=connection_pool_size, max_keepalive_connections=KEPT_CONNECTIONS
        )
        super().__init__(
            connection_pool_size=connection_pool_size,
            read_timeout=seconds,
            write_timeout=seconds,
            connect_timeout=seconds,
            pool_timeout=seconds,
            httpx_kwargs={"limits": limits, "verify": _certificates()},
        )
        self._free = asyncio.Semaphore(connection_pool_size)

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, *timeouts: Any, **named: Any
    ) -> tuple[int, bytes]:
        """The code and the body. Raises NetworkError for an answer that is not Telegram's."""
        async with without_slot(), self._free:
            code, body = await super().do_request(url, method, request_data, *timeouts, **named)
        if method == "GET" and HTTPStatus.OK <= code < HTTPStatus.MULTIPLE_CHOICES:
            return code, body  # a file
        answer = _read(body)
        if answer is None or answer.get("ok") is not (code < HTTPStatus.MULTIPLE_CHOICES):
            raise NetworkError(f"an answer with code {code} that is not Telegram's")
        if answer["ok"] is False:
            _check_refusal(code, method, answer.get("description"))
        elif "result" not in answer:
            raise NetworkError("an answer without a result")
        return code, body

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The body as an object. Raises TelegramError; the library's own version logs the whole body."""
        answer = _read(payload)
        if answer is None:
            raise TelegramError("Invalid server response")
        return answer


@cache
def _certificates() -> ssl.SSLContext:
    """Loading them takes 0.1 s, so once for all clients."""
    return httpx.create_ssl_context()


def _read(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _check_refusal(code: int, method: str, description: object) -> None:
    """Raise the error that the library would not choose; return where its own choice is right."""
    if not isinstance(description, str):
        raise NetworkError(f"an answer with code {code} and no description")
    text = description.lower()
    if code == HTTPStatus.FORBIDDEN and not any(part in text for part in _GONE):
        raise NetworkError("an answer with code 403 that is not about the person")
    if code == HTTPStatus.BAD_REQUEST and "chat not found" in text:
        raise Forbidden(description)
    if method == "GET" and code == HTTPStatus.NOT_FOUND:
        raise BadRequest("file not found")
    if code == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        raise BadRequest(description)
