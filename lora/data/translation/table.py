"""The table made of Unicode CLDR annotations (Unicode-3.0), one member of a zip for each language.

``xx.tsv``: form, stems, English. ``xx.names``: the names of the emoji, in the order of ``en.tsv``. ``en.tsv``:
emoji, name, keywords. ``build_table`` makes it.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

TABLE = Path(__file__).parents[2] / "bundled" / "cldr.zip"


@dataclass(frozen=True)
class Annotation:
    """One emoji as English annotates it."""

    emoji: str
    name: str
    keywords: tuple[str, ...]


@cache
def languages() -> frozenset[str]:
    """The languages that the table translates from."""
    with zipfile.ZipFile(TABLE) as file:
        return frozenset(name.removesuffix(".names") for name in file.namelist() if name.endswith(".names"))


def pairs(language: str) -> list[tuple[str, str, str]]:
    """(form, stems, English) of every foreign word or phrase."""
    rows = (line.split("\t") for line in _lines(f"{language}.tsv"))
    return [(form, stems, english) for form, stems, english in rows]


@cache
def emoji_rows() -> tuple[Annotation, ...]:
    """Every emoji with its English words."""
    rows = (line.split("\t") for line in _lines("en.tsv"))
    return tuple(Annotation(char, name, tuple(keywords)) for char, name, *keywords in rows)


@lru_cache(maxsize=4)
def names(language: str) -> dict[str, str]:
    """Emoji to its name in a language."""
    if language not in languages():
        return {row.emoji: row.name for row in emoji_rows()}
    return {
        row.emoji: name for row, name in zip(emoji_rows(), _lines(f"{language}.names"), strict=True) if name
    }


def _lines(member: str) -> list[str]:
    with zipfile.ZipFile(TABLE) as file:
        return file.read(member).decode("utf-8").split("\n")
