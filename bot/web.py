"""An HTTP server of the bot at one address: for who watches it, and for Telegram's webhook."""

from __future__ import annotations

import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from bot.errors import ConfigError

ADDRESS = re.compile(r"(\[[0-9A-Fa-f:]+\]|[\w.-]+):(\d{1,5})")  # HOST:PORT, [IPv6]:PORT
END_SECONDS = 5.0  # for answers under way when the bot ends


@asynccontextmanager
async def serving(
    app: web.Application, listen: str, setting: str, tls: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    """Answer at ``listen`` for as long as the block lasts. Raises ConfigError that names the ``setting``."""
    found = ADDRESS.fullmatch(listen)
    assert found is not None, "bot.config has checked it"
    # No line for each request: who asks from where is nobody's business.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=END_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, found[1].strip("[]"), int(found[2]), ssl_context=tls).start()
    except OSError as error:
        await runner.cleanup()
        raise ConfigError(f"{setting}: the bot cannot listen on {listen}: {error.strerror}") from error
    try:
        yield
    finally:
        await runner.cleanup()
