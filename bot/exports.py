"""Sends people their files: adapters for other programs, data sets, and all that is held of them.

Files are written to a folder of their own, one part at a time, sent from there and deleted. A kill before the last part
means that all parts are sent again.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from telegram.error import Forbidden

from bot import export_entries, zip_parts
from bot.blobs import Blobs
from bot.per_person import PerPerson
from bot.sender import Sender
from bot.store import Store
from bot.tables import exports, jobs, people, styles
from bot.tables.exports import Export, ExportKind
from bot.tables.styles import Style
from bot.waiting import waiting_helps
from bot.words import Words
from bot.zip_parts import Entry

log = logging.getLogger(__name__)

CONVERTED_AT_ONCE = 1  # adapters: each takes a process with torch


@dataclass(kw_only=True)
class Result:
    """What came of an export: files that were sent, files that are too large for Telegram, and files that are lost."""

    sent: int = 0
    too_large: list[str] = field(default_factory=list)
    lost: int = 0


class Exports:
    """Put a row in with ``exports.ask``, then ``wake``."""

    def __init__(self, *, store: Store, blobs: Blobs, sender: Sender, folder: Path) -> None:
        self._store = store
        self._blobs = blobs
        self._sender = sender
        self._folder = folder
        self._converting = asyncio.Semaphore(CONVERTED_AT_ONCE)
        self._per_person = PerPerson(self._serve)

    def wake(self, person: int) -> None:
        """The person waits for files."""
        self._per_person.wake(person)

    async def resume(self) -> None:
        """Delete what a kill has left on the disk, and go on."""
        await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
        for person in await exports.people(self._store):
            self.wake(person)

    async def close(self) -> None:
        """Cancel all work. The rows keep what is not done."""
        await self._per_person.close()

    async def _serve(self, person: int) -> None:
        for export in await exports.of_person(self._store, person):
            words = Words(await people.language_of(self._store, person, "en"))
            try:
                text = await self._do(words, export)
                if await exports.end(self._store, export):
                    await self._say(export, text)
            except Forbidden:
                await people.block(self._store, person)
                await exports.end(self._store, export)
            except Exception as error:
                if waiting_helps(error):
                    raise
                log.error("an export (%s) failed", export.kind, exc_info=error)
                if await exports.end(self._store, export):  # else the person had everything deleted
                    await self._say(export, words("export-failed"))

    async def _do(self, words: Words, export: Export) -> str:
        """Send the files; gives the text about it."""
        style = await styles.get(self._store, export.person, export.style) if export.style else None
        if style is None and export.kind != ExportKind.EVERYTHING:
            return words("style-gone")
        if export.message_id is None:
            message_id = await self._sender.text(export.person, words("export-begins"))
            await exports.shown(self._store, export, message_id)
        self._folder.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            result = Result()
            async for file, name in self._files(export, style, Path(folder), result):
                await self._sender.document(export.person, file, name)
                result.sent += 1
                await asyncio.to_thread(file.unlink)
        told = _told(words, result)
        if style is not None and not style.finished and export.kind != ExportKind.SAMPLES and result.sent:
            told += "\n" + await unfinished(self._store, words, style)
        return told

    async def _files(
        self, export: Export, style: Style | None, folder: Path, result: Result
    ) -> AsyncIterator[tuple[Path, str]]:
        """Each file to send, with its name in the chat; the next one is written when the last one was sent."""
        if style is None:
            entries, result.lost = await export_entries.everything(self._store, self._blobs, export.person)
            parts, too_large = zip_parts.split(entries)
            name = "my-data"
        elif export.kind == ExportKind.SAMPLES:
            pictures, result.lost = await export_entries.of_samples(self._store, self._blobs, style.id)
            room = export_entries.room_for_table(pictures)
            parts, too_large = zip_parts.split((entry for entry, _ in pictures), zip_parts.PART_BYTES - room)
            parts = [
                [*part, export_entries.table([one for one in pictures if one[0] in part])] for part in parts
            ]
            name = style.keyword
        else:
            yield (
                await self._adapter(export.kind, style, folder),
                f"{style.keyword}-{export.kind}.safetensors",
            )
            return
        result.too_large = [entry.name for entry in too_large]
        for number, part in enumerate(parts, start=1):
            of_all = f"-{number}-of-{len(parts)}" if len(parts) > 1 else ""
            yield await self._zip(folder, part), f"{name}{of_all}.zip"

    async def _zip(self, folder: Path, part: list[Entry]) -> Path:
        file = folder / "part.zip"
        await asyncio.to_thread(zip_parts.write, file, part)
        return file

    async def _adapter(self, kind: ExportKind, style: Style, folder: Path) -> Path:
        """The style's adapter in another form. ``python -m lora export`` makes it: torch is not for this process."""
        path = self._blobs.path_of(style.adapter or "")
        if path is None:
            raise FileNotFoundError("the adapter is gone")
        out = folder / "adapter.safetensors"
        command = [
            "-m",
            "lora",
            "export",
            str(path),
            "--format",
            kind,
            "--title",
            style.keyword,
            "--out",
            str(out),
        ]
        async with self._converting:
            process = await asyncio.create_subprocess_exec(
                sys.executable, *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
            )
            try:
                code = await process.wait()
            finally:
                if process.returncode is None:  # cancelled
                    process.kill()
                    await process.wait()
        if code:
            raise RuntimeError(f"python -m lora export ended with {code}")
        return out

    async def _say(self, export: Export, text: str) -> None:
        """Edit the export's message, or send one."""
        now = export.message_id
        if now is None or not await self._sender.edit(export.person, now, text):
            await self._sender.text(export.person, text)


async def unfinished(store: Store, words: Words, style: Style) -> str:
    """How far a style has learned whose training is not done: it goes on, or was cancelled or failed."""
    goes_on = await jobs.trains(store, style.id)
    return words("export-unfinished" if goes_on else "export-ended", step=style.adapter_step)


def _told(words: Words, result: Result) -> str:
    lines = [words("export-sent", n=result.sent)]
    if result.too_large:
        lines.append(
            words("export-too-large", n=len(result.too_large), names=", ".join(result.too_large[:5]))
        )
    if result.lost:
        lines.append(words("export-lost", n=result.lost))
    return "\n".join(lines)
