"""Animated stickers have a still picture, which the page shows."""

from __future__ import annotations

import asyncio
import io

import httpx
import pytest
from PIL import Image

from bot.errors import UserError
from bot.playground import Person, Playground
from tests.moving import animated

from .conftest import Drawing


async def test_an_animated_sticker_has_a_still_picture(playground: Playground, ada: Person) -> None:
    """It is a PNG in the sticker's size; of a file that is no animation there is none, and that is no error."""
    pytest.importorskip("thorvg_cython")
    moving = [
        await ada.send_picture(data, as_="sticker", name="a.tgs")
        for data in (animated(), b"\x1f\x8b no animation")
    ]
    async with httpx.AsyncClient(base_url=playground.address, timeout=60.0) as http:
        shown, none = [await http.get(f"/chat/files/{message.file_id}/still") for message in moving]
    assert (shown.status_code, shown.headers["Content-Type"]) == (200, "image/png")
    image = Image.open(io.BytesIO(shown.content))
    assert (image.size, image.getpixel((0, 0))[3], image.getpixel((256, 256))[3]) == ((512, 512), 0, 255)
    assert (none.status_code, none.content) == (204, b"")


async def test_each_is_drawn_once(
    playground: Playground, ada: Person, drawing: Drawing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many who ask for the same sticker at once wait for one process; other files are refused."""
    drawn: list[str] = []

    async def still(data: bytes, moves: str) -> bytes:
        drawn.append(moves)
        await asyncio.sleep(0)
        if data == b"other":
            raise UserError("sticker-no-still")
        return b"picture"

    monkeypatch.setattr("bot.moving.still", still)
    one, other = [await ada.send_picture(data, as_="sticker", name="a.tgs") for data in (b"one", b"other")]
    picture = await ada.send_picture(drawing(), as_="sticker")
    async with httpx.AsyncClient(base_url=playground.address) as http:
        asked = [one, one, one, other, picture]
        answers = await asyncio.gather(*(http.get(f"/chat/files/{each.file_id}/still") for each in asked))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 204, 400]
    assert drawn == ["animated", "animated"]
