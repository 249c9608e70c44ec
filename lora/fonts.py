"""Writes text of any script on pictures. Imports no torch.

Each run of letters is written in the first of Noto's fonts that has them. A letter that no font has is written as its
code point, such as [U+E000], instead of an empty box.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from importlib import resources

from PIL import ImageDraw, ImageFont

LEADING = 1.25  # a line's height, as a share of its size
WEIGHT = 400  # regular; the default of the CJK file is thin
FIRST = (
    "NotoSans[wght].ttf",
    "NotoSansCJK-VF.otf.ttc",
    "NotoEmoji[wght].ttf",
)  # after them all others, by name
EMOJI = 2  # index in FIRST
MISSING = "\U0010ffff"  # a code point that no font has
JOINER = "\u200d"  # zero-width joiner: joins several emoji into one
TONES = ("\U0001f3fb", "\U0001f3ff")  # first and last skin tone; they colour the emoji before them

Pen = ImageDraw.ImageDraw
Ink = tuple[int, int, int]


def line_height(size: int) -> int:
    """The distance between the tops of two lines, in pixels, for a font of ``size`` pixels."""
    return round(LEADING * size)


def width(text: str, size: int) -> float:
    """The width of the text in pixels."""
    return sum(_font(file, size).getlength(part) for part, file in _runs(text))


def write(pen: Pen, at: tuple[float, float], text: str, size: int, ink: Ink, anchor: str = "la") -> None:
    """Write one line. ``anchor`` is Pillow's: l, m or r, then a (its top), m or d (its bottom)."""
    ascent, descent = _font(_files()[0], size).getmetrics()
    left = at[0] - {"l": 0.0, "m": 0.5, "r": 1.0}[anchor[0]] * width(text, size)
    baseline = at[1] + {"a": ascent, "m": (ascent - descent) / 2, "d": -descent}[anchor[1]]
    for part, file in _runs(text):
        font = _font(file, size)
        pen.text((left, baseline), part, fill=ink, font=font, anchor="ls")
        left += font.getlength(part)


def wrapped(text: str, size: int, room: float, most: int | None = None) -> list[str]:
    """The text in lines of at most ``room`` pixels. Of more than ``most`` lines the last one ends with an ellipsis.

    A word that is wider than a line is broken, for example a sentence in a script without spaces.
    """
    lines = [""]
    for word in text.split():
        for part in _broken(word, size, room):
            longer = f"{lines[-1]} {part}".strip()
            if width(longer, size) <= room or not lines[-1]:
                lines[-1] = longer
            else:
                lines.append(part)
    if most is None or len(lines) <= most:
        return lines
    return [*lines[: most - 1], _shortened(lines[most - 1], size, room)]


def cut(text: str, size: int, room: float) -> str:
    """The text if it fits into ``room`` pixels, else its beginning with an ellipsis."""
    return text if width(text, size) <= room else _shortened(text, size, room)


def _shortened(text: str, size: int, room: float) -> str:
    clusters = _clusters(text)
    while clusters and width(f"{''.join(clusters)}…", size) > room:
        clusters.pop()
    return f"{''.join(clusters).rstrip()}…"


def _broken(word: str, size: int, room: float) -> Iterator[str]:
    """The word in parts that fit; each has at least one letter."""
    part = ""
    for cluster in _clusters(word):
        if part and width(part + cluster, size) > room:
            yield part
            part = ""
        part += cluster
    yield part


def _clusters(text: str) -> list[str]:
    """Letters, each with the combining marks after it."""
    found: list[str] = []
    for letter in text:
        if found and (_is_mark(letter) or found[-1].endswith(JOINER)):
            found[-1] += letter
        else:
            found.append(letter)
    return found


def _is_mark(letter: str) -> bool:
    return unicodedata.category(letter) in ("Mn", "Mc", "Me", "Cf") or TONES[0] <= letter <= TONES[1]


def _runs(text: str) -> list[tuple[str, str]]:
    """(run of letters, font file that has them); marks and spaces belong to the run before them."""
    runs: list[tuple[str, str]] = []
    for letter in text:
        before = runs[-1][1] if runs else _files()[0]
        keeps_font = letter.isspace() and before != _files()[EMOJI]  # the emoji font's space is too wide
        stays = _is_mark(letter) or keeps_font
        file = before if stays else _file_with(letter)
        if file is None:
            letter, file = f"[U+{ord(letter):04X}]", _files()[0]
        if runs and runs[-1][1] == file:
            runs[-1] = (runs[-1][0] + letter, file)
        else:
            runs.append((letter, file))
    return runs


@lru_cache(maxsize=1)
def _files() -> tuple[str, ...]:
    """The fonts' paths, in the order in which a letter is looked for."""
    folders = [resources.files(package) for package in ("manimgx_fonts", "manimgx_fonts_cjk")]
    found = {path.name: str(path) for folder in folders for path in folder.iterdir()}
    others = sorted(name for name in found if name.startswith("NotoSans") and "Italic" not in name)
    return tuple(found[name] for name in dict.fromkeys((*FIRST, *others)))


@lru_cache(maxsize=4096)
def _file_with(letter: str) -> str | None:
    return next((file for file in _files() if _glyph(file, letter) != _glyph(file, MISSING)), None)


@lru_cache(maxsize=64)
def _probe(file: str) -> ImageFont.FreeTypeFont:
    """A font with basic layout: used to find out whether it has a letter."""
    return ImageFont.truetype(file, 24, layout_engine=ImageFont.Layout.BASIC)


def _glyph(file: str, letter: str) -> tuple[tuple[int, int], bytes]:
    mask = _probe(file).getmask(letter)
    return mask.size, bytes(mask)


@lru_cache(maxsize=256)
def _font(file: str, size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.truetype(file, size)
    font.set_variation_by_axes([WEIGHT])
    return font
