"""Bodies of method calls: what breaks off, what is too large, and what is garbage."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.playground import Person, Playground, limits
from bot.playground.api import METHODS
from bot.playground.limits import ApiError
from bot.playground.wire import Call

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


GARBAGE: list[object] = [
    *(None, "", -1, 2**64, 10**30, 1.5, True, "abc", "a" * 5000, "<b>", "&#xd800;", "9" * 5000),
    *([], {}, [[]], [None], [{}], {"a": 1}, {"type": []}, "[", "[" * 100_000, "1e999", '"\\ud800"'),
    *({"message_id": "x"}, {"message_id": 2**70}, {"inline_keyboard": [[1]]}, [2**70], [{"command": ["a"]}]),
    *([{"type": [], "media": 5}] * 2, [{"offset": "x", "length": []}], {"text": {}, "start_parameter": 5}),
]


class Asked(dict[str, object]):
    """Parameters that note in ``names`` which of them are asked for."""

    def __init__(self, params: dict[str, object], names: list[str]) -> None:
        super().__init__(params)
        self.names = names

    def get(self, name: str, default: object = None) -> Any:
        if name not in self.names:
            self.names.append(name)
        return super().get(name, default)


async def test_no_garbage_is_the_playgrounds_fault(playground: Playground, ada: Person) -> None:
    """Whatever stands in a parameter of a method, the answer is a refusal or a result, never 500."""
    good = {"chat_id": ada.id, "user_id": ada.id, "text": "a", "media": [{}, {}], "results": []}
    for method in METHODS.values():
        names: list[str] = ["chat_id"]
        for name in names:  # a parameter that is asked for is added
            for value in GARBAGE:
                call = Call(method="join", params=Asked(good | {name: value}, names))
                with suppress(ApiError):
                    await asyncio.wait_for(method(playground.world, call), 5)


@pytest.mark.parametrize(
    ("body", "type"),
    [
        (b"\xff", "application/json"),
        (b"[" * 200_000, "application/json"),
        (b'{"chat_id": 1e999}', "application/json"),
        (b'{"text": "\\ud800"}', "application/json"),
        (b"{}", "application/json; charset=nope"),
        (b"a=\xff", "application/x-www-form-urlencoded"),
        (b"x", "multipart/form-data"),
        (b"--b\r\n", "multipart/form-data; boundary=b"),
        (
            b'--b\r\nContent-Disposition: form-data; name="document"; filename="\xff"\r\n\r\nx\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
        ),
    ],
)
async def test_a_body_that_cannot_be_read_is_refused(playground: Playground, body: bytes, type: str) -> None:
    """Text that is no UTF-8, numbers that are none, a form that is cut off: 400 in words."""
    async with httpx.AsyncClient() as client:
        url = f"{playground.api_url}{playground.token}/sendDocument"
        answer = await client.post(url, content=body, headers={"Content-Type": type})
    assert answer.json()["error_code"] == 400
    assert "can't parse" in answer.json()["description"]


async def test_people_get_no_500_either(playground: Playground, ada: Person) -> None:
    """Ids that no database holds, and members and items of other types, are refused."""
    async with httpx.AsyncClient(base_url=playground.address) as client:
        answers = [
            await client.get(f"/chat/{'9' * 30}/packs"),
            await client.get(f"/chat/{ada.id}/messages?chat={2**70}"),
            await client.get(f"/chat/{ada.id}/events?after={2**70}"),
            await client.post(f"/chat/{ada.id}/send", data={"text": "x", "reply_to": str(2**70)}),
            await client.post("/chat/groups", data={"title": "x", "members": "[[]]"}),
        ]
    assert [answer.status_code for answer in answers] == [404, 400, 400, 400, 400]
