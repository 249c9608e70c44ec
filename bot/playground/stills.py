"""Still pictures of animated stickers (.tgs), which a browser cannot show; each is drawn once."""

from __future__ import annotations

import asyncio
import hashlib

from aiohttp import web

from bot import moving
from bot.errors import UserError
from bot.playground.limits import bad_request
from bot.playground.world import World

MOST = 500  # pictures kept; 512 px each, some 20 KB


class Stills:
    """The route of the pictures. Its answer has no content (204) for a sticker that cannot be drawn."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._drawn: dict[str, bytes] = {}  # by the sha256 of the sticker
        self._one = asyncio.Lock()  # a pack asks for all of its stickers at once

    def routes(self) -> list[web.RouteDef]:
        """The only one."""
        return [web.get("/chat/files/{file_id}/still", self.still)]

    async def still(self, request: web.Request) -> web.Response:
        """The first picture of an animated sticker that shows something, as PNG."""
        file = self._world.files.by_id(request.match_info["file_id"])
        if file.mime != "application/x-tgsticker":
            raise bad_request("the file is no animated sticker")
        picture = await self._picture(self._world.files.read(file))
        if not picture:
            return web.Response(status=204, headers={"Cache-Control": "no-store"})
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=86400"}
        return web.Response(body=picture, content_type="image/png", headers=headers)

    async def _picture(self, data: bytes) -> bytes:
        name = hashlib.sha256(data).hexdigest()
        async with self._one:
            if name not in self._drawn:
                if len(self._drawn) >= MOST:
                    self._drawn.pop(next(iter(self._drawn)))
                self._drawn[name] = await _drawn(data)
            return self._drawn[name]


async def _drawn(data: bytes) -> bytes:
    try:
        return await moving.still(data, "animated")
    except UserError:
        return b""
