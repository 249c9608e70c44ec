"""Draws a data set: candidates for every caption of a table. Those that a person selects become an imagefolder.

OUT/invention.json is the plan, OUT/candidates/NNNN.png are the drawings, OUT/sheet-N.png shows them, and a person
writes the numbers of the good ones into OUT/keep.txt. The plan determines every drawing. So a call that was
interrupted continues where it stopped, and a call with another plan is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from lora.data import metadata
from lora.data.metadata import MetadataRow
from lora.data.pictures import PictureError, open_rgba
from lora.drawing.sampling import Item, Picture, draw
from lora.files import write_whole
from lora.models.base_model import Base
from lora.sheets import numbered_sheet
from lora.sheets.paint import to_png

MOST = 1_000  # candidates of one data set: a person has to look at all of them
PLAN, KEEP = "invention.json", "keep.txt"
FLAGS = {"each": "n"}  # flags of python -m lora invent whose names differ from the plan's


class CandidatesError(Exception):
    """The candidates cannot be drawn or selected; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class CandidatesPlan:
    """What is drawn: ``each`` candidates for each caption. Number i, from 1, is drawn with seed + i - 1."""

    captions: tuple[str, ...]
    each: int
    base: str  # hash of its denoiser
    adapter: str  # sha256 of the LoRA file, empty without one
    seed: int
    cfg: float
    steps: int

    @property
    def count(self) -> int:
        """The number of candidates in all."""
        return self.each * len(self.captions)

    def caption(self, number: int) -> str:
        """The caption of candidate ``number``."""
        return self.captions[(number - 1) // self.each]


def begin(out: Path, plan: CandidatesPlan) -> None:
    """Write the plan into the folder. Raises CandidatesError if it has another plan or anything else in it."""
    if plan.count > MOST:
        raise CandidatesError(
            f"{plan.count} candidates; {MOST} are the most: take fewer captions or a smaller --n"
        )
    asked = {**asdict(plan), "captions": list(plan.captions)}
    path = out / PLAN
    if path.is_file():
        if different := _differences(_read_plan(path), asked):
            raise CandidatesError(f"{out}: begun otherwise: {', '.join(different)}; give another --out")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CandidatesError(f"{out}: is there already and holds something else; give another --out")
    write_whole(path, json.dumps(asked, ensure_ascii=False, indent=1).encode())


def _read_plan(path: Path) -> dict[str, Any]:
    """The plan in the folder. Raises CandidatesError if it cannot be read."""
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, RecursionError) as error:
        raise CandidatesError(f"{path}: damaged; give another --out") from error


def _differences(begun: dict[str, Any], asked: dict[str, Any]) -> list[str]:
    """What differs, by the names of the flags. Hashes and captions are not quoted."""
    found = []
    for key, mine in asked.items():
        theirs = begun.get(key)
        if theirs == mine:
            continue
        hidden = {"captions": "other captions", "base": "another base", "adapter": "another adapter"}
        found.append(hidden.get(key) or f"--{FLAGS.get(key, key)} was {theirs} and is {mine}")
    return found


def candidate(out: Path, number: int) -> Path:
    """The path of a candidate."""
    return out / "candidates" / f"{number:04d}.png"


def draw_missing(out: Path, plan: CandidatesPlan, base: Base, adapter: bytes | None) -> Iterator[int]:
    """Draw the candidates that do not exist yet, and yield each one's number."""
    missing = [n for n in range(1, plan.count + 1) if not candidate(out, n).is_file()]
    items = [
        Item(prompt=plan.caption(n), adapter=adapter, seed=plan.seed + n - 1, cfg=plan.cfg) for n in missing
    ]
    for drawn in draw(base, items, steps=plan.steps):
        if isinstance(drawn, Picture):
            write_whole(candidate(out, missing[drawn.index]), to_png(drawn.image))
            yield missing[drawn.index]


def write_sheets(out: Path, plan: CandidatesPlan) -> list[Path]:
    """Write the contact sheets, and an empty keep.txt if there is none. Returns the sheets' paths."""
    rows = [
        numbered_sheet.NumberedRow(
            caption=caption, pictures=[(n, _open(out, n)) for n in _numbers(plan, place)]
        )
        for place, caption in enumerate(plan.captions)
    ]
    paths = []
    for page, sheet in enumerate(numbered_sheet.sheets(rows), start=1):
        paths.append(out / f"sheet-{page}.png")
        write_whole(paths[-1], to_png(sheet))
    if not (out / KEEP).exists():
        write_whole(out / KEEP, _blank_list(plan).encode())
    return paths


def selected(out: Path, plan: CandidatesPlan, numbers: str | None) -> list[int]:
    """The candidates to keep, from ``numbers`` or else from keep.txt.

    Raises CandidatesError for a word that is no number, for a number without a candidate, and for another encoding.
    """
    where = "--keep" if numbers is not None else str(out / KEEP)
    if numbers is None:
        numbers = _read_list(out / KEEP)
    lines = [line.split("#")[0] for line in numbers.splitlines()]
    words = [word for line in lines for word in re.split(r"[\s,;]+", line) if word]
    if wrong := [word for word in words if not re.fullmatch(r"\d{1,6}", word)]:
        raise CandidatesError(f"{where}: {wrong[0]!r} is no number")
    found = sorted({int(word) for word in words})
    if wrong_numbers := [n for n in found if not 1 <= n <= plan.count]:
        raise CandidatesError(
            f"{where}: there is no candidate {wrong_numbers[0]}; they go from 1 to {plan.count}"
        )
    return found


def _read_list(path: Path) -> str:
    """What a person has written into keep.txt; "" without one. Raises CandidatesError."""
    try:
        return path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    except UnicodeDecodeError as error:
        raise CandidatesError(f"{path}: not UTF-8 text; save it as UTF-8") from error


def build(
    out: Path,
    plan: CandidatesPlan,
    numbers: Sequence[int],
    finish: Callable[[Image.Image], Image.Image] | None = None,
) -> None:
    """Make ``out`` an imagefolder of these candidates, each after ``finish`` if that is given.

    The table is written after the pictures. Then pictures of an earlier selection are removed.
    """
    rows: list[MetadataRow] = []
    for number in numbers:
        image = _open(out, number).convert("RGB")
        name = f"{number:04d}.png"
        write_whole(out / name, to_png(finish(image) if finish else image))
        rows.append(MetadataRow(file_name=name, caption=plan.caption(number), columns={"file_name": name}))
    metadata.write(out, rows, back_up=False)  # keep.txt and the candidates can make it again
    names = {row.file_name for row in rows}
    for path in out.glob("[0-9][0-9][0-9][0-9].png"):
        if path.name not in names:
            path.unlink()


def _numbers(plan: CandidatesPlan, place: int) -> range:
    return range(place * plan.each + 1, (place + 1) * plan.each + 1)


def _open(out: Path, number: int) -> Image.Image:
    path = candidate(out, number)
    try:
        return open_rgba(path.read_bytes())
    except (PictureError, FileNotFoundError) as error:
        raise CandidatesError(
            f"{path}: {error}; delete it and call again to have it drawn once more"
        ) from error


def _blank_list(plan: CandidatesPlan) -> str:
    lines = [
        "# Write the numbers of the pictures to keep, with spaces, commas or line ends between them.",
        "# What follows a # is not read. Then call the same command again.",
        "",
    ]
    for place, caption in enumerate(plan.captions):
        numbers = _numbers(plan, place)
        lines += [f"# {numbers[0]}-{numbers[-1]}: {caption}", ""]
    return "\n".join(lines)
