"""A method call as it comes over HTTP: query, form, multipart with ``attach://name``, or a JSON body."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from bot.playground.limits import ApiError, bad_request

CHUNK_BYTES = 1 << 18
OCTETS = "application/octet-stream"  # the type of a file whose sender names none
UNREADABLE = (
    ValueError,
    LookupError,
    ConnectionError,
    web.RequestPayloadError,
)  # no UTF-8, no such charset, cut off
Json = dict[str, Any]  # an object of the Bot API, as its documentation names the fields


@dataclass(frozen=True, kw_only=True)
class Upload:
    """One file part of a multipart request."""

    name: str
    mime: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Call:
    """One method call: its parameters by name, still as they were sent, and its files."""

    method: str
    params: Mapping[str, object] = field(repr=False)
    files: Mapping[str, Upload] = field(default_factory=dict, repr=False)

    def has(self, name: str) -> bool:
        """Whether the parameter was sent with any value."""
        return self.params.get(name) not in (None, "")

    def text(self, name: str, default: str | None = None) -> str:
        """A string. Without a default the parameter is required."""
        value = self.params.get(name, default)
        if value is None:
            raise bad_request(f"parameter {name} is required")
        return value if isinstance(value, str) else json.dumps(value)

    def int(self, name: str, default: int | None = None) -> int:
        """A whole number, also when it was sent as a string."""
        if not self.has(name) and default is not None:
            return default
        try:
            value = int(self.text(name))
        except ValueError:
            value = None
        if not is_whole(value):
            raise bad_request(f"parameter {name} must be an integer")
        return value

    def flag(self, name: str) -> bool:
        """A Boolean; absent is false."""
        return str(self.params.get(name, "")).lower() in ("true", "1", "yes", "t", "y")

    def json(self, name: str) -> Any:
        """A list or object, which forms carry as a JSON string. None if absent."""
        value = self.params.get(name)
        if not isinstance(value, str):
            return value
        if not value:
            return None
        try:
            return parsed(value)
        except ValueError:
            raise bad_request(f"can't parse {name} JSON object") from None

    def object(self, name: str) -> Json:
        """An object; anything else is refused. Empty if absent."""
        value = self.json(name)
        if value is not None and not isinstance(value, dict):
            raise bad_request(f"can't parse {name}: expected an Object")
        return value or {}

    def objects(self, name: str) -> list[Json]:
        """A list of objects; anything else is refused. Empty if absent."""
        value = self.json(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise bad_request(f"can't parse {name}: expected an Array of Object")
        return value

    def strings(self, name: str) -> list[str]:
        """A list of strings; anything else is refused. Empty if absent."""
        value = self.json(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise bad_request(f"can't parse {name}: expected an Array of String")
        return value

    def file(self, name: str) -> Upload | str:
        """A file parameter: the part itself, the part that ``attach://`` names, or a file_id."""
        if name in self.files:
            return self.files[name]
        if not self.has(name):
            raise bad_request(f"there is no {name} in the request")
        return self.attached(self.text(name))

    def attached(self, reference: str) -> Upload | str:
        """What ``reference`` stands for: the part behind ``attach://name``, or a file_id as it is."""
        if not reference.startswith("attach://"):
            if "://" in reference:
                raise bad_request("wrong file identifier/HTTP URL specified")
            return reference
        part = self.files.get(reference.removeprefix("attach://"))
        if part is None:
            raise bad_request("wrong file identifier/HTTP URL specified")
        return part


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is a whole number of 64 bits, as ids, offsets and sizes are."""
    return type(value) is int and abs(value) < 2**63


def parsed(text: str) -> Any:
    """JSON. Raises ValueError for anything else: also for too many brackets, half a character, no number."""
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except RecursionError:
        raise ValueError("too many brackets") from None
    return found


async def read_call(request: web.Request, method: str) -> Call:
    """The call in an HTTP request. Raises ApiError for a body that cannot be read."""
    try:
        return await _read_call(request, method)
    except UNREADABLE:
        raise bad_request("can't parse the request's body") from None


async def _read_call(request: web.Request, method: str) -> Call:
    params: dict[str, object] = dict(request.query)
    if request.content_type == "application/json":
        params |= await _json_body(request)
        return Call(method=method, params=params)
    if request.content_type != "multipart/form-data":
        params |= {name: str(value) for name, value in (await request.post()).items()}
        return Call(method=method, params=params)
    files: dict[str, Upload] = {}
    try:
        async for name, part, data in _parts(request):
            if part.filename is None:
                params[name] = data.decode(errors="replace")
            else:
                mime = part.headers.get("Content-Type", OCTETS)
                f"{name}{part.filename}{mime}".encode()  # raises ValueError if one is no UTF-8
                files[name] = Upload(name=part.filename, mime=mime, data=data)
    except BadHttpMessage:  # such as a control character in a file's name
        raise bad_request("can't parse the parts of the form: a name holds what no header can") from None
    return Call(method=method, params=params, files=files)


async def _parts(request: web.Request) -> AsyncIterator[tuple[str, BodyPartReader, bytes]]:
    """The named parts of a form with their content. Raises HTTPRequestEntityTooLarge past the application's limit.

    ``Request.post`` writes files into temporary files and leaves them open if the sender goes away in the middle.
    """
    size = 0
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            continue
        data = bytearray()
        while chunk := await part.read_chunk(CHUNK_BYTES):
            size += len(chunk)
            if size > request.client_max_size:
                raise web.HTTPRequestEntityTooLarge(max_size=request.client_max_size, actual_size=size)
            data += chunk
        yield part.name, part, bytes(data)


async def _json_body(request: web.Request) -> dict[str, object]:
    text = await request.text()
    try:
        body = parsed(text or "{}")
    except ValueError:
        raise ApiError(400, "Bad Request: can't parse JSON object") from None
    if not isinstance(body, dict):
        raise ApiError(400, "Bad Request: object expected as JSON body")
    return body


def answer(result: object) -> web.Response:
    """A method's result on the wire."""
    return web.json_response({"ok": True, "result": result})


def refusal(error: ApiError) -> web.Response:
    """A method's refusal on the wire; Telegram repeats its code as the HTTP status."""
    body: Json = {"ok": False, "error_code": error.code, "description": error.description}
    if error.retry_after is not None:
        body["parameters"] = {"retry_after": error.retry_after}
    return web.json_response(body, status=error.code)
