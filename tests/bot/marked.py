"""A visit whose words and pictures carry marks, and where marks are found."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from bot import ready_style
from bot.playground import Person, Picture
from bot.store import Store
from tests.bot.conftest import Stage
from tests.bot.fake_engine import picture

MARKS = (
    "qapla",
    "wubble",
    "frimp",
    "snerd",
)  # in captions, in prompts, in negative prompts, in refused captions


def marked_picture(number: int) -> bytes:
    """A PNG with a text chunk in its file."""
    out = io.BytesIO()
    about = PngInfo()
    about.add_text("about", f"qapla picture {number}")
    Image.open(io.BytesIO(picture(128, 128, number))).save(out, "PNG", pnginfo=about)
    return out.getvalue()


async def visit(stage: Stage, ada: Person) -> None:
    """A style from an album and single pictures, a training, drawings, one of them in a pack."""
    await ada.send("/new zuvix")
    await ada.wait_for("zuvix is open")
    pictures = [
        Picture(data=marked_picture(n), caption=f"a fox, qapla {n}", as_="document") for n in range(4)
    ]
    await ada.album(pictures)
    await ada.send_picture(marked_picture(4), as_="document", caption="a fox, qapla 4")
    await ada.wait_for("5 in all")
    await ada.send("/train")
    await ada.wait_for("Your style zuvix is ready")
    await ada.send("/sticker лиса wubble --seed 1 --n 3")  # so that her own words are kept, too
    await ada.wait_for("seed 1–3")
    sticker = next(message for message in ada.messages if message.kind == "sticker")
    await ada.press(sticker, "add:")
    await ada.wait_for("1 sticker added")


async def words_in(store: Store) -> list[str]:
    """Every place in the database that holds a mark: table, column and value."""
    found = []
    tables = await store.rows("SELECT name FROM sqlite_master WHERE type = 'table'")
    for (table,) in tables:
        for row in await store.rows(f"SELECT * FROM {table}"):
            found += [f"{table}.{key}: {value}" for key, value in dict(row).items() if marked(value)]
    return found


def marked(value: object) -> bool:
    return isinstance(value, str) and any(mark in value for mark in MARKS)


def files_with_marks(folder: Path) -> list[Path]:
    """Every file that holds a mark, pages of the database that are free now included."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in paths if any(mark.encode() in path.read_bytes() for mark in MARKS)]


def stored_files(stage: Stage) -> list[Path]:
    """Everybody's files; the ready-made style is nobody's."""
    ready = hashlib.sha256(ready_style.FILE.read_bytes()).hexdigest()
    found = (stage.config.storage.dir / "blobs").rglob("*")
    return [path for path in found if path.is_file() and path.name != ready]
