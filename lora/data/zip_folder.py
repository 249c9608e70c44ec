"""Reads a zip of pictures with captions in memory: judged by its directory first, nothing written to a disk.

The layout is that of ``lora.data.imagefolder``: a table beside the pictures, or a text file for each picture.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lora.data import file_names, imagefolder
from lora.data.imagefolder import Fault
from lora.data.pictures import MAX_BYTES
from lora.data.visible import visible

MAX_ENTRIES = 200
MAX_UNPACKED = 100 * 2**20  # bytes of all entries as declared; pictures hardly shrink in a zip of 20 MB
MAX_TEXT = 2**20  # bytes of all tables and caption files together: of each line and file there is an object
MAX_CAPTION = 4096  # characters, as in a message; a longer caption is cut off, and is too long all the same
MAX_DIRECTORY = MAX_ENTRIES * 1024  # bytes of the zip's list of entries: it is read before it can be counted
NO_PICTURES = ("__MACOSX", ".")  # names, or beginnings of names, that systems put in by themselves
OTHER_PICTURES = (".gif", ".bmp", ".tif", ".tiff", ".heic", ".avif")  # listed, so that their refusal is told
FILE_COLUMNS = ("file_name", "filename", "file", "image")
TABLES = (".jsonl", ".csv")
CAPTION_COLUMNS = ("text", "caption", "prompt", "description")
ZIP_ERRORS = {
    "damaged": "it is damaged, or of a kind that cannot be read",
    "entries": f"it has over {MAX_ENTRIES} entries",
    "too-large": f"unpacked it is over {MAX_UNPACKED >> 20} MB",
    "text": f"its tables and caption files are over {MAX_TEXT >> 20} MB together",
    "path": "a name in it is absolute or leads out of it",
    "link": "it holds a link or another special file",
    "encrypted": "it is encrypted",
    "no-pictures": "there are no pictures in it",
}
_END, _ZIP64 = b"PK\x05\x06", b"PK\x06\x07"
_END_BYTES, _LOCATOR_BYTES, _COMMENT_BYTES = 22, 20, 65535
_BROKEN = (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError, struct.error, zlib.error)


class ZipError(Exception):
    """A zip, or one of its entries, cannot be used. ``code`` is a key of ``ZIP_ERRORS``."""

    def __init__(self, code: str) -> None:
        assert code in ZIP_ERRORS, code
        super().__init__(ZIP_ERRORS[code])
        self.code = code


@dataclass(frozen=True, kw_only=True)
class ZipPicture:
    """A picture in a zip. ``entry`` is its place in the zip's directory, from 0."""

    entry: int
    name: str = field(repr=False)  # without folders
    caption: str | None = field(repr=False)


class ZipFolder:
    """A zip that has passed all checks of its directory.

    ``faults`` counts lines of tables that cannot be used, ``missing`` has the names in tables that are of no picture.
    ``unread_tables`` has the names of tables of which no line can be read: another encoding, or one JSON array.
    ``unread`` counts pictures without a caption whose text file is neither UTF-8 nor UTF-16 with its mark.
    """

    def __init__(self, data: bytes) -> None:
        """Raises ZipError. Nothing is unpacked yet."""
        _check_directory_size(data)
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except _BROKEN as error:
            raise ZipError("damaged") from error
        self._entries = self._zip.infolist()
        self.faults = 0
        self.missing: list[str] = []
        self.unread_tables: list[str] = []
        self.unread = 0
        self._unread: set[str] = set()  # keys of the paths of pictures
        _check(self._entries)
        texts = self._files(*imagefolder.CAPTIONS, *TABLES)
        if sum(self._entries[number].file_size for number, _ in texts) > MAX_TEXT:
            raise ZipError("text")

    def pictures(self) -> list[ZipPicture]:
        """All pictures in the order of the zip, with their captions. Raises ZipError if there are none."""
        files = list(self._files(*imagefolder.PICTURES, *OTHER_PICTURES))
        beside, told = self._text_captions(), self._table_captions()
        here = {_key(path) for _, path in files}
        self.missing = [str(path) for path, _ in told if _key(path) not in here]
        captions = beside | {_key(path): caption for path, caption in told}
        found = [
            ZipPicture(entry=number, name=path.name, caption=captions.get(_key(path)))
            for number, path in files
        ]
        if not found:
            raise ZipError("no-pictures")
        self.unread = sum(
            picture.caption is None and _key(path) in self._unread
            for picture, (_, path) in zip(found, files, strict=True)
        )
        return found

    def read(self, entry: int, most: int = MAX_BYTES) -> bytes:
        """The bytes of one entry. Raises ZipError if they are over ``most``, or not those that the directory says."""
        info = self._entries[entry]
        if info.file_size > most:
            raise ZipError("too-large")
        try:
            with self._zip.open(info) as file:
                data = file.read(most + 1)
        except (*_BROKEN, RuntimeError) as error:
            raise ZipError("damaged") from error
        if len(data) != info.file_size:
            raise ZipError("damaged")
        return data

    def _files(self, *suffixes: str) -> Iterator[tuple[int, PurePosixPath]]:
        """The entries whose names end so, without what systems put in by themselves."""
        for number, info in enumerate(self._entries):
            path = _path(info.filename)
            if info.is_dir() or any(part.startswith(NO_PICTURES) for part in path.parts):
                continue
            if path.suffix.lower() in suffixes:
                yield number, path

    def _text_captions(self) -> dict[str, str]:
        """What each picture is called by a text file beside it, by the key of its path. Tables come before these."""
        beside = {}
        for number, path in self._files(*imagefolder.CAPTIONS):
            text = imagefolder.caption_in(Path(path.name), self.read(number, MAX_TEXT))
            pictures = [_key(path.with_suffix(suffix)) for suffix in imagefolder.PICTURES]
            if isinstance(text, Fault):
                self._unread.update(pictures)
            elif visible(text).strip():
                beside.update(dict.fromkeys(pictures, _caption(text)))
        return beside

    def _table_captions(self) -> list[tuple[PurePosixPath, str]]:
        """The lines of all tables that can be used: a picture's path and its caption.

        Of a table's folder or, for names that are not in it, of the folders inside, as where a table lies above.
        """
        keys = {_key(path) for _, path in self._files(*imagefolder.PICTURES, *OTHER_PICTURES)}
        found = []
        for number, path in self._files(*TABLES):
            below = _below(path, keys)
            for row in imagefolder.rows_in(Path(path.name), self.read(number, MAX_TEXT)):
                if isinstance(row, Fault):
                    if row.whole:
                        self.unread_tables.append(row.name)
                    self.faults += not row.whole
                    continue
                columns = {str(name).strip().lower(): value for name, value in row.columns.items()}
                name = next((columns[key] for key in FILE_COLUMNS if columns.get(key)), None)
                texts = next((columns[key] for key in CAPTION_COLUMNS if columns.get(key)), None)
                captions = [text for text in imagefolder.captions_of(texts) if visible(text).strip()]
                if not isinstance(name, str) or not captions or imagefolder.ODD.search(name + captions[0]):
                    self.faults += 1
                    continue
                beside = path.parent / _path(name)
                inside = below.get(_key(beside), []) if _key(beside) not in keys else []
                meant = PurePosixPath(inside[0]) if len(inside) == 1 else beside
                found.append((meant, _caption(captions[0])))
        return found


def _caption(text: str) -> str:
    """A caption on one line."""
    return " ".join(text.split())[:MAX_CAPTION]


def _below(table: PurePosixPath, keys: Iterable[str]) -> dict[str, list[str]]:
    """The pictures in the folders beside a table, by the key that they would have beside it themselves."""
    before = len(table.parent.parts)
    inside: dict[str, list[str]] = {}
    for key in keys:
        parts = key.split("/")
        inside.setdefault("/".join(parts[:before] + parts[before + 1 :]), []).append(key)
    return inside


def _check_directory_size(data: bytes) -> None:
    """Raise ZipError for a list of entries that is too long to be read, or that is no plain zip's."""
    end = data.rfind(_END, max(0, len(data) - _END_BYTES - _COMMENT_BYTES))
    if end < 0 or len(data) < end + _END_BYTES:
        raise ZipError("damaged")
    if data[max(0, end - _LOCATOR_BYTES) :].startswith(_ZIP64):
        raise ZipError("damaged")  # a zip of over 4 GB or 65,535 entries, or one that claims to be
    (count, size) = struct.unpack_from("<HI", data, end + 10)
    if count > MAX_ENTRIES or size > MAX_DIRECTORY:
        raise ZipError("entries")


def _check(entries: list[zipfile.ZipInfo]) -> None:
    """Raise ZipError for what no honest zip of pictures has."""
    if len(entries) > MAX_ENTRIES:
        raise ZipError("entries")
    for info in entries:
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.flag_bits & 0x1:
            raise ZipError("encrypted")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise ZipError("link")
        if _leads_out(info.orig_filename):
            raise ZipError("path")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ZipError("damaged")  # others unpack without a limit
    if sum(info.file_size for info in entries) > MAX_UNPACKED:
        raise ZipError("too-large")


def _leads_out(name: str) -> bool:
    parts = re.split(r"[/\\]", name)
    return "\0" in name or parts[0] == "" or ".." in parts or re.match(r"[A-Za-z]:", name) is not None


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/").removeprefix("./"))


def _key(path: PurePosixPath) -> str:
    return "/".join(file_names.key(part) for part in path.parts)
