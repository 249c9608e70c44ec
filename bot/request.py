"""HTTP to the Bot API server. Only an answer in Telegram's own form counts as Telegram's.

A proxy, a firewall or a server that is being restarted answers with HTML, with an empty body or with a part
of one, under any code. Each of these is a NetworkError here, so it is waited out.
"""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx
from telegram._utils.defaultvalue import DefaultValue
from telegram.error import BadRequest, Forbidden, NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData
from yarl import URL

from bot import metrics
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
UPLOAD_SECONDS = 20.0  # for a file, where the caller names no time
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Request(BaseRequest):
    """python-telegram-bot's HTTP client over aiohttp, with a stricter look at answers. It logs no body.

    The library's own client is httpx. A call with it takes 1.5 ms of processor time, with aiohttp 0.1 ms.
    """

    def __init__(self, *, connection_pool_size: int, seconds: float) -> None:
        """``seconds``: how long each part of a call may take."""
        self._seconds = seconds
        self._free = asyncio.Semaphore(connection_pool_size)  # who waits here holds no slot
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        """Seconds until an answer begins, and between its parts."""
        return self._seconds

    async def initialize(self) -> None:
        """Nothing: connections are opened by the calls that need them."""

    async def shutdown(self) -> None:
        """Close the connections. A later call opens new ones."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        """The code and the body. Raises NetworkError for an answer that is not Telegram's."""
        files = request_data is not None and request_data.contains_files
        reading = _chosen(read_timeout, self._seconds)
        writing = _chosen(write_timeout, UPLOAD_SECONDS if files else self._seconds)
        connecting = _chosen(connect_timeout, self._seconds)
        limits = aiohttp.ClientTimeout(
            total=None if method == "GET" else reading + writing + connecting,  # a file may take longer
            sock_connect=connecting,
            sock_read=reading,
        )
        async with without_slot(), self._free:
            try:
                code, body = await self._send(url, method, request_data, limits)
                _check(code, method, body)
            except TelegramError as error:
                metrics.count_error(error)
                raise
        if code >= HTTPStatus.BAD_REQUEST:  # the library raises it
            metrics.count_refusal(code)
        return code, body

    async def _send(
        self, url: str, method: str, data: RequestData | None, limits: aiohttp.ClientTimeout
    ) -> tuple[int, bytes]:
        if self._session is None:
            self._session = _session(url)
        form = None if data is None else _form(data)
        headers = FORM if isinstance(form, bytes) else None
        try:
            async with self._session.request(
                method,
                URL(url, encoded=True),
                data=form,
                headers=headers,
                timeout=limits,
                allow_redirects=False,
            ) as response:
                return response.status, await response.read()
        except TimeoutError as error:
            raise TimedOut from error
        except (aiohttp.ClientConnectionError, ssl.SSLError) as error:  # names the host, not the URL
            raise NetworkError(f"{type(error).__name__}: {error}") from error
        except aiohttp.ClientError as error:  # others name the URL, with the token in it
            raise NetworkError(type(error).__name__) from None

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The body as an object. Raises TelegramError; the library's own version logs the whole body."""
        answer = _read(payload)
        if answer is None:
            raise TelegramError("Invalid server response")
        return answer


def _chosen(seconds: Any, otherwise: float) -> float:
    """The seconds that a caller has named, else another number."""
    if isinstance(seconds, DefaultValue):
        return otherwise
    return float(seconds)


def _session(url: str) -> aiohttp.ClientSession:
    """Connections to the server of this URL, through the environment's proxy if there is one."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, ssl=_certificates()),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": BaseRequest.USER_AGENT},
        proxy=None if proxy_bypass(host) else getproxies().get(parts.scheme),
    )


def _form(data: RequestData) -> bytes | aiohttp.FormData:
    """Parameters as a form's text, or with files as multipart."""
    if not data.contains_files:
        return urlencode(data.json_parameters).encode()
    form = aiohttp.FormData()
    for name, value in data.json_parameters.items():
        form.add_field(name, value)
    for name, (filename, content, kind) in data.multipart_data.items():
        file = io.BytesIO(content) if isinstance(content, bytes) else content
        form.add_field(name, file, filename=filename, content_type=kind)
    return form


@cache
def _certificates() -> ssl.SSLContext:
    """Loading them takes 0.1 s, so once for all clients."""
    return httpx.create_ssl_context()


def _check(code: int, method: str, body: bytes) -> None:
    """Raise NetworkError for an answer that is not Telegram's, and for a refusal what it means."""
    if method == "GET" and HTTPStatus.OK <= code < HTTPStatus.MULTIPLE_CHOICES:
        return  # a file
    answer = _read(body)
    if answer is None or answer.get("ok") is not (code < HTTPStatus.MULTIPLE_CHOICES):
        raise NetworkError(f"an answer with code {code} that is not Telegram's")
    if answer["ok"] is False:
        _check_refusal(code, method, answer.get("description"))
    elif "result" not in answer:
        raise NetworkError("an answer without a result")


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
