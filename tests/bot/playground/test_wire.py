"""Bodies of method calls: what breaks off and what is too large."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from bot.playground import Playground, limits

HEAD = "POST /bot{token}/sendDocument HTTP/1.1\r\nHost: {host}\r\nContent-Length: 100000\r\n"
FORM = (
    "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    '--b\r\nContent-Disposition: form-data; name="document"; filename="a.png"\r\n\r\nhalf of a file'
)


def _deleted_files() -> set[str]:
    """The temporary files that this process holds open: each is deleted as soon as it is made."""
    links = {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
    return {link for link in links if link.endswith("(deleted)")}


async def test_an_upload_is_kept_in_memory(playground: Playground) -> None:
    """No temporary file is opened: one stayed open if its sender went away in the middle."""
    before = _deleted_files()
    host, port = playground.address.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write((HEAD.format(token=playground.token, host=f"{host}:{port}") + FORM).encode())
    await writer.drain()
    for _ in range(20):  # the server reads in this loop
        await asyncio.sleep(0.01)
        assert _deleted_files() == before
    writer.close()
    await writer.wait_closed()


async def test_a_name_that_no_header_can_hold_is_refused(playground: Playground) -> None:
    """A control character in a file's name is the sender's mistake; so is an address with a port that cannot be."""
    form = FORM.partition("\r\n\r\n")[2].replace("a.png", "a\x01.png") + "\r\n--b--\r\n"
    head = {"Content-Type": "multipart/form-data; boundary=b"}
    async with httpx.AsyncClient() as client:
        url = f"{playground.api_url}{playground.token}"
        answer = await client.post(f"{url}/sendDocument", content=form.encode(), headers=head)
        assert "can't parse the parts" in answer.json()["description"]
        for address in ("https://x.org:99999/", "https://x.org:abc/", "https://[::1/", "https://x.org:0/"):
            answer = await client.post(f"{url}/setWebhook", json={"url": address})
            assert answer.json()["description"] == "Bad Request: invalid webhook URL specified"


@pytest.mark.parametrize("filename", ["a.bin", None])
async def test_a_body_past_the_limit_is_refused(playground: Playground, filename: str | None) -> None:
    """A file or a field past Telegram's limit for uploads is answered with 413."""
    body = bytes(limits.UPLOAD_BYTES + (3 << 20))
    async with httpx.AsyncClient(timeout=60) as client:
        answer = await client.post(
            f"{playground.api_url}{playground.token}/sendDocument", files={"document": (filename, body)}
        )
    assert answer.json()["error_code"] == 413
