"""A playground of its own for every test, a person in it, and a bot of each library."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiogram
import pytest
import telegram
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer
from PIL import Image, ImageDraw

from bot.playground import Person, Playground, serve
from tests.patient_person import PatientPerson

Drawing = Callable[..., bytes]


@pytest.fixture
async def playground(tmp_path: Path) -> AsyncIterator[Playground]:
    """A server on a free port with an empty state, where everything may go wrong on demand."""
    async with serve(tmp_path / "playground", control=True) as running:
        yield running


@pytest.fixture
async def ada(playground: Playground) -> AsyncIterator[Person]:
    """A person who has started the bot."""
    async with PatientPerson.join(playground.address, "Ada") as person:
        await person.send("/start")
        yield person


@pytest.fixture
async def ptb(playground: Playground) -> AsyncIterator[telegram.Bot]:
    """python-telegram-bot's bot, as the product uses it."""
    async with telegram.Bot(playground.token, playground.api_url, playground.file_url) as bot:
        yield bot


@pytest.fixture
async def aio(playground: Playground) -> AsyncIterator[aiogram.Bot]:
    """aiogram's bot: a second library that reads every answer into its own typed models."""
    session = AiohttpSession(api=TelegramAPIServer.from_base(playground.address))
    async with aiogram.Bot(playground.token, session=session) as bot:
        yield bot


@pytest.fixture
def drawing() -> Drawing:
    """Makes encoded pictures: a disc on a transparent background."""

    def draw(width: int = 512, height: int = 512, format: str = "WEBP", colour: str = "tomato") -> bytes:
        image = Image.new("RGBA", (width, height))
        ImageDraw.Draw(image).ellipse((width // 8, height // 8, width * 7 // 8, height * 7 // 8), fill=colour)
        out = io.BytesIO()
        (image if format != "JPEG" else image.convert("RGB")).save(out, format)
        return out.getvalue()

    return draw
