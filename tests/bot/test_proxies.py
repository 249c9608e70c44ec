"""The examples of docs/operate.md for a proxy that ends TLS, run by nginx and Caddy where these are installed."""

from __future__ import annotations

import asyncio
import dataclasses
import re
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from bot import webhook
from bot.playground import Person
from tests.bot.conftest import Stage, free_port
from tests.bot.test_inbox import letter
from tests.waiting import until_async as until

PAGE = (Path(__file__).parents[2] / "docs" / "operate.md").read_text()
NGINX = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/own.pem;
        ssl_certificate_key {folder}/own.key;
        {example}
    }}
}}
"""


def example(first_line: str) -> str:
    """The indented block of the page that begins with this line."""
    (found,) = re.findall(rf"^    {re.escape(first_line)}\n(?:    .*\n|\n(?=    ))+", PAGE, re.MULTILINE)
    return found


def nginx(folder: Path, port: int, inner: str) -> list[str]:
    """The documented ``location`` in a server with a certificate of our own."""
    block = example("location = /stickersmith {").replace("127.0.0.1:8443", inner)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, port=port, example=block))
    return ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")]


def caddy(folder: Path, port: int, inner: str) -> list[str]:
    """The documented site, with our own certificate: Caddy cannot get one for this machine."""
    block = example("bot.example.org {").replace("127.0.0.1:8443", inner)
    site, rest = block.split("{", 1)
    own = f"https://localhost:{port} {{\n bind 127.0.0.1\n tls {folder}/own.pem {folder}/own.key\n"
    assert site.strip() == "bot.example.org"
    (folder / "Caddyfile").write_text(f"{{\n admin off\n auto_https off\n}}\n{own}{rest}")
    return ["caddy", "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]


def certificate(folder: Path) -> None:
    """One of our own for ``localhost``."""
    command = (
        "openssl req -newkey rsa:2048 -nodes -x509 -days 2 -subj /CN=localhost "
        f"-addext subjectAltName=DNS:localhost -keyout {folder}/own.key -out {folder}/own.pem"
    )
    subprocess.run(command.split(), check=True, capture_output=True)


@asynccontextmanager
async def running(command: list[str], folder: Path, port: int) -> AsyncIterator[None]:
    """The proxy's process, once it listens."""
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stderr=asyncio.subprocess.DEVNULL)

    async def listens() -> bool:
        assert process.returncode is None
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return False
        writer.close()
        return True

    try:
        await until(listens)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.mark.parametrize("proxy", [nginx, caddy], ids=["nginx", "caddy"])
async def test_the_documented_proxy_passes_updates_on(
    proxy: Callable[[Path, int, str], list[str]], stage: Stage, ada: Person, tmp_path: Path
) -> None:
    """With TLS and the secret: an update is answered, a wrong secret is 403, and nothing else is passed on."""
    if shutil.which(proxy.__name__) is None:
        pytest.skip(f"{proxy.__name__} is not installed")
    port, inner = free_port(), f"127.0.0.1:{free_port()}"
    certificate(tmp_path)
    hook = dataclasses.replace(
        stage.config.telegram,
        webhook_url=f"https://localhost:{port}/stickersmith",
        webhook_listen=inner,
        webhook_certificate=str(tmp_path / "own.pem"),
    )
    trusted = ssl.create_default_context(cafile=tmp_path / "own.pem")
    command = proxy(tmp_path, port, inner)
    async with (
        running(command, tmp_path, port),
        stage.bot(telegram=hook) as bot,
        httpx.AsyncClient(trust_env=False, verify=trusted) as client,
    ):
        await ada.send("/help")
        await ada.wait_for("Teach me a look")
        right = {webhook.HEADER: await webhook.secret(bot.parts.store)}
        for headers, status in (({}, 403), ({webhook.HEADER: "wrong"}, 403), (right, 200)):
            answer = await client.post(hook.webhook_url, json=letter(10**6), headers=headers)
            assert answer.status_code == status
        await client.post(hook.webhook_url + "/more", json=letter(10**6 + 1), headers=right)
        assert await bot.parts.store.value("SELECT count(*) FROM inbox") == 2
    assert "getupdates" not in {call.method for call in stage.playground.calls}
