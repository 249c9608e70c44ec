"""Finds the files that a table's names mean, however the table and the disk spell them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def key(name: str) -> str:
    """What names have in common that mean the same file.

    macOS and zip programs write accents as signs of their own (NFD), tables have whole letters (NFC); cameras write
    suffixes in capitals; a cell of a table may end with a blank.
    """
    return unicodedata.normalize("NFC", name).strip().casefold()


class FileNames:
    """The files in a folder, found by name. Each folder is listed once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._listed: dict[Path, dict[str, list[Path]]] = {}

    def find(self, name: str) -> Path | None:
        """The file that a name means: the one of that very name or else the only one that is spelled alike.

        A backslash stands for a slash where there is no file of that very name. A table may lie one folder above its
        pictures: what is not in the folder itself may be in one of the folders inside. Raises OSError.
        """
        for spelled in dict.fromkeys((name, name.replace("\\", "/"))):
            if not self._is_inside(spelled):
                continue
            if (exact := self._folder / os.path.normpath(spelled)).is_file():
                return exact
            if (alike := self._alike(Path(os.path.normpath(spelled)))) is not None:
                return alike
        below = self._below(name)
        return below[0] if len(below) == 1 else None

    def why_not(self, name: str) -> str:
        """Why ``find`` gives nothing for a name."""
        if not self._is_inside(name):
            return f"{name!r} lies outside of the folder"
        link = (self._folder / os.path.normpath(name)).is_symlink()
        if link:
            return f"{name!r} is a link to nothing"
        several = ", ".join(repr(path.relative_to(self._folder).as_posix()) for path in self._below(name))
        return f"there is no file {name!r}" + (f", but there are {several}; write which" if several else "")

    def _below(self, name: str) -> list[Path]:
        """The files of that name in the folders inside."""
        if not self._is_inside(name):
            return []
        inner = Path(os.path.normpath(name))
        folders = sorted(path.name for path in self._folder.iterdir() if path.is_dir())
        found = (self._alike(Path(one) / inner) for one in folders)
        return [path for path in found if path is not None]

    def _is_inside(self, name: str) -> bool:
        inner = Path(os.path.normpath(name))
        return not inner.is_absolute() and ".." not in inner.parts

    def _alike(self, inner: Path) -> Path | None:
        """The only file whose path has the same keys, part by part."""
        place = self._folder
        for part in inner.parts:
            known = self._list(place).get(key(part), [])
            exact = place / part
            if len(known) != 1 and exact not in known:
                return None
            place = exact if exact in known else known[0]
        return place if place.is_file() else None

    def _list(self, folder: Path) -> dict[str, list[Path]]:
        if folder not in self._listed:
            listed = self._listed[folder] = {}
            for path in folder.iterdir() if folder.is_dir() else ():
                listed.setdefault(key(path.name), []).append(path)
        return self._listed[folder]
