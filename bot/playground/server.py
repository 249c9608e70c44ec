"""The playground's HTTP server: a Bot API for the bot, a chat for people, a page for the browser."""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
import traceback
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from bot.playground import limits
from bot.playground.api import METHODS
from bot.playground.chat import Chat
from bot.playground.faults import Fault, Faults, Pace, check_refusal
from bot.playground.limits import ApiError
from bot.playground.stills import Stills
from bot.playground.wire import Call, answer, read_call, refusal
from bot.playground.world import BotAccount, World

log = logging.getLogger(__name__)

BOT_ID = 7_000_000_001
PAGE = Path(__file__).parent / "page"
LENIENT = Pace()
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " font-src 'self'; media-src 'self' blob:;"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(kw_only=True)
class Playground:
    """A running server. Tests read and change ``world`` and ``faults``."""

    world: World
    faults: Faults
    address: str = ""  # http://127.0.0.1:PORT
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=10_000))  # what the bot has asked for

    @property
    def token(self) -> str:
        """The only token that the server knows."""
        return self.world.bot.token

    @property
    def api_url(self) -> str:
        """What the bot's ``[telegram] api_url`` must be."""
        return f"{self.address}/bot"

    @property
    def file_url(self) -> str:
        """What the bot's ``[telegram] file_url`` must be."""
        return f"{self.address}/file/bot"

    async def method(self, request: web.Request) -> web.StreamResponse:
        """``/bot<token>/<method>``."""
        try:
            self._check_token(request)
            call = await read_call(request, request.match_info["method"].lower())
            return await self._perform(request, call)
        except ApiError as error:
            return refusal(error)
        except web.HTTPRequestEntityTooLarge:
            return refusal(ApiError(413, "Request Entity Too Large"))
        except Exception as error:  # a bug of the playground must not look like a bug of the bot
            where = "".join(traceback.format_tb(error.__traceback__))  # the message may quote people's words
            log.error("%s failed with %s\n%s", request.match_info["method"], type(error).__name__, where)
            return refusal(ApiError(500, "Internal Server Error"))

    async def _perform(self, request: web.Request, call: Call) -> web.StreamResponse:
        method = METHODS.get(call.method)
        if method is None:
            raise ApiError(404, "Not Found: method not found")
        self.calls.append(call)
        fault = self.faults.take(call)
        if fault is not None and fault.page is not None:
            return web.Response(status=fault.page[0], text=fault.page[1], content_type="text/html")
        check_refusal(fault)
        self.faults.check_pace(call)
        result = await method(self.world, call)
        if fault is not None:
            await _spoil(request, fault)
        whole = answer(result)
        return await _half(request, whole) if fault is not None and fault.cut else whole

    async def download(self, request: web.Request) -> web.StreamResponse:
        """``/file/bot<token>/<file_path>``."""
        try:
            self._check_token(request)
            fault = self.faults.take(Call(method="file", params={}))
            check_refusal(fault)
        except ApiError as error:
            return refusal(error)
        if fault is not None and fault.page is not None:
            return web.Response(status=fault.page[0], text=fault.page[1], content_type="text/html")
        file = self.world.files.by_path(request.match_info["path"])
        if file is None or file.size > limits.DOWNLOAD_BYTES:
            return refusal(ApiError(404, "Not Found"))
        if fault is not None:
            await _spoil(request, fault)
            if fault.cut:
                return await _half(request, web.Response(body=self.world.files.read(file)))
        headers = {"Content-Type": "application/octet-stream"}
        return web.FileResponse(self.world.files.place(file), headers=headers)

    def _check_token(self, request: web.Request) -> None:
        given = request.match_info["token"].encode()
        if not hmac.compare_digest(given, self.world.bot.token.encode()):
            raise ApiError(401, "Unauthorized")

    async def control(self, request: web.Request) -> web.Response:
        """``POST /faults`` with the fields of a ``Fault``; ``DELETE /faults`` clears them."""
        if request.method == "DELETE":
            self.faults.clear()
            return web.json_response({})
        fields = await request.json()
        for name in ("error", "page"):
            if fields.get(name):
                fields[name] = tuple(fields[name])
        self.faults.add(Fault(**fields))
        return web.json_response({})


async def _spoil(request: web.Request, fault: Fault) -> None:
    """Delay the answer, or break the connection, after the work was done."""
    fault.done += 1
    await asyncio.sleep(fault.slow_seconds)
    if fault.drop and request.transport is not None:
        request.transport.close()


async def _half(request: web.Request, whole: web.Response) -> web.StreamResponse:
    """Send half of an answer whose header tells the whole length."""
    body = whole.body if isinstance(whole.body, bytes) else b""
    response = web.StreamResponse(
        headers={"Content-Type": "application/json", "Content-Length": str(len(body))}
    )
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


@web.middleware
async def _local_only(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse calls from other websites that are open in the same browser.

    Its requests carry its own Origin, or say that they are cross-site; and a name of its own that it
    points at 127.0.0.1 shows in Host.
    """
    host = request.headers.get("Host", "")
    port = request.transport.get_extra_info("sockname")[1] if request.transport else 0
    if host not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        return web.json_response({"error": "wrong host"}, status=403)
    if request.headers.get("Origin", f"http://{host}") != f"http://{host}":
        return web.json_response({"error": "wrong origin"}, status=403)
    foreign = request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
    if foreign and request.path != "/":
        return web.json_response({"error": "wrong site"}, status=403)
    return await handler(request)


@web.middleware
async def _chat_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refusals on the people's side as ``{"error": ...}``."""
    if not request.path.startswith("/chat/"):
        return await handler(request)
    try:
        return await handler(request)
    except ApiError as error:
        return web.json_response(
            {"error": error.description.removeprefix("Bad Request: ")}, status=error.code
        )
    except ValueError:
        return web.json_response({"error": "a number was expected"}, status=400)


def _page(name: str) -> Handler:
    async def give(request: web.Request) -> web.StreamResponse:
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        return web.FileResponse(PAGE / name, headers=headers | {"Cache-Control": "no-cache"})

    return give


def application(playground: Playground, *, control: bool) -> web.Application:
    """All routes. ``control`` adds ``/faults``."""
    app = web.Application(
        middlewares=[_local_only, _chat_errors], client_max_size=limits.UPLOAD_BYTES + (2 << 20)
    )
    app.router.add_route("*", "/bot{token:[^/]+}/{method}", playground.method)
    app.router.add_get("/file/bot{token:[^/]+}/{path:.+}", playground.download)
    app.router.add_routes(Chat(playground.world).routes())
    app.router.add_routes(Stills(playground.world).routes())
    app.router.add_get("/", _page("index.html"))
    for file in PAGE.iterdir():
        app.router.add_get(f"/{file.name}", _page(file.name))
    if control:
        app.router.add_route("*", "/faults", playground.control)
    return app


def new_token() -> str:
    """A made-up token: always of the same bot, always with another secret."""
    return f"{BOT_ID}:{secrets.token_urlsafe(26)}"


@asynccontextmanager
async def serve(
    folder: Path,
    *,
    token: str | None = None,
    port: int = 0,
    pace: Pace | None = LENIENT,
    control: bool = False,
) -> AsyncIterator[Playground]:
    """Run the server on 127.0.0.1 for as long as the block lasts. Port 0 takes any free one.

    Without a token one is made up; without a pace there is no limit. ``folder`` keeps the state: a server
    started again on it goes on where the last one was ended or killed.
    """
    world = World(folder, BotAccount(token=token or new_token()))
    playground = Playground(world=world, faults=Faults(pace))
    runner = web.AppRunner(application(playground, control=control), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    playground.address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    delivering = asyncio.create_task(world.delivery.run())
    try:
        yield playground
    finally:
        delivering.cancel()
        await asyncio.gather(delivering, return_exceptions=True)
        world.release()
        await runner.cleanup()
        world.close()
