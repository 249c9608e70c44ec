"""A data set from nothing: candidates for every caption of a table, and those that a person keeps as an imagefolder.

OUT/invention.json says what is drawn, OUT/candidates/NNNN.png are the drawings, OUT/sheet-N.png shows them,
OUT/keep.txt takes the numbers of the good ones. All that is drawn comes from the captions, the base and the
seed; so a call that was cut off goes on where it stopped, and one that asks for something else is refused.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from lora.data.pictures import PictureError, open_rgba
from lora.drawing.sampling import Item, Picture, draw
from lora.files import write_whole
from lora.models.base_model import Base
from lora.sheets import numbered_sheet

MOST = 1_000  # candidates of one data set; nobody looks at more

PLAN, KEEP, TABLE = "invention.json", "keep.txt", "metadata.jsonl"
FLAGS = {"each": "n"}  # of python -m lora invent, where they are not called as in the plan


class CandidatesError(Exception):
    """What was asked for cannot be done; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class CandidatesPlan:
    """What is drawn: ``each`` candidates for each caption. Number i, from 1, is drawn with seed + i - 1."""

    captions: tuple[str, ...]
    each: int
    base: str  # the hash of its denoiser
    adapter: str  # sha256 of the LoRA file, empty without one
    seed: int
    cfg: float
    steps: int

    @property
    def count(self) -> int:
        """How many candidates there are in all."""
        return self.each * len(self.captions)

    def caption(self, number: int) -> str:
        """What candidate ``number`` shows."""
        return self.captions[(number - 1) // self.each]


def begin(out: Path, wanted: CandidatesPlan) -> None:
    """Claim the folder for this invention. Raises InventError if it holds another one, or something else."""
    if wanted.count > MOST:
        raise CandidatesError(
            f"{wanted.count} candidates; {MOST} are the most: take fewer captions or a smaller --n"
        )
    plan = {**asdict(wanted), "captions": list(wanted.captions)}
    known = out / PLAN
    if known.is_file():
        if different := _differences(_begun(known), plan):
            raise CandidatesError(f"{out}: begun otherwise: {', '.join(different)}; give another --out")
        return
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise CandidatesError(f"{out}: is there already and holds something else; give another --out")
    write_whole(known, json.dumps(plan, ensure_ascii=False, indent=1).encode())


def _begun(known: Path) -> dict[str, Any]:
    """What the folder was begun for. Raises InventError if that cannot be read any more."""
    try:
        return dict(json.loads(known.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise CandidatesError(f"{known}: damaged; give another --out") from error


def _differences(begun: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    """What is asked for otherwise now, by the names of the flags; hashes and captions tell too much or nothing."""
    found = []
    for key, mine in wanted.items():
        theirs = begun.get(key)
        if theirs == mine:
            continue
        hidden = {"captions": "other captions", "base": "another base", "adapter": "another adapter"}
        found.append(hidden.get(key) or f"--{FLAGS.get(key, key)} was {theirs} and is {mine}")
    return found


def candidate(out: Path, number: int) -> Path:
    """Where a candidate is."""
    return out / "candidates" / f"{number:04d}.png"


def draw_missing(out: Path, wanted: CandidatesPlan, base: Base, adapter: bytes | None) -> Iterator[int]:
    """Draw the candidates that are not there yet and give each one's number."""
    missing = [n for n in range(1, wanted.count + 1) if not candidate(out, n).is_file()]
    items = [
        Item(prompt=wanted.caption(n), adapter=adapter, seed=wanted.seed + n - 1, cfg=wanted.cfg)
        for n in missing
    ]
    for drawn in draw(base, items, steps=wanted.steps):
        if isinstance(drawn, Picture):
            write_whole(candidate(out, missing[drawn.index]), png(drawn.image))
            yield missing[drawn.index]


def write_proofs(out: Path, wanted: CandidatesPlan) -> list[Path]:
    """Write the contact sheets, and an empty keep-list if there is none; gives the sheets."""
    rows = [
        numbered_sheet.NumberedRow(
            caption=caption, pictures=[(n, _open(out, n)) for n in _numbers(wanted, place)]
        )
        for place, caption in enumerate(wanted.captions)
    ]
    paths = []
    for page, sheet in enumerate(numbered_sheet.sheets(rows), start=1):
        paths.append(out / f"sheet-{page}.png")
        write_whole(paths[-1], png(sheet))
    if not (out / KEEP).exists():
        write_whole(out / KEEP, _blank_list(wanted).encode())
    return paths


def kept(out: Path, wanted: CandidatesPlan, numbers: str | None) -> list[int]:
    """The numbers to keep, from ``numbers`` or else from the keep-list. Raises InventError for nonsense."""
    where = "--keep" if numbers is not None else str(out / KEEP)
    if numbers is None:
        path = out / KEEP
        numbers = path.read_text(encoding="utf-8") if path.is_file() else ""
    lines = [line.split("#")[0] for line in numbers.splitlines()]
    words = [word for line in lines for word in re.split(r"[\s,;]+", line) if word]
    if wrong := [word for word in words if not re.fullmatch(r"\d{1,6}", word)]:
        raise CandidatesError(f"{where}: {wrong[0]!r} is no number")
    found = sorted({int(word) for word in words})
    if wrong_numbers := [n for n in found if not 1 <= n <= wanted.count]:
        raise CandidatesError(
            f"{where}: there is no candidate {wrong_numbers[0]}; they go from 1 to {wanted.count}"
        )
    return found


def build(
    out: Path,
    wanted: CandidatesPlan,
    numbers: Sequence[int],
    finish: Callable[[Image.Image], Image.Image] | None = None,
) -> None:
    """Make ``out`` an imagefolder of these candidates, each through ``finish`` if there is one.

    The table is written last; pictures of an earlier choice are taken away after that.
    """
    rows, names = [], set()
    for number in numbers:
        image = _open(out, number).convert("RGB")
        name = f"{number:04d}.png"
        write_whole(out / name, png(finish(image) if finish else image))
        rows.append(json.dumps({"file_name": name, "text": wanted.caption(number)}, ensure_ascii=False))
        names.add(name)
    write_whole(out / TABLE, ("\n".join(rows) + "\n").encode())
    for path in out.glob("[0-9][0-9][0-9][0-9].png"):
        if path.name not in names:
            path.unlink()


def png(image: Image.Image) -> bytes:
    """A picture as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _numbers(wanted: CandidatesPlan, place: int) -> range:
    return range(place * wanted.each + 1, (place + 1) * wanted.each + 1)


def _open(out: Path, number: int) -> Image.Image:
    path = candidate(out, number)
    try:
        return open_rgba(path.read_bytes())
    except (PictureError, FileNotFoundError) as error:
        raise CandidatesError(
            f"{path}: {error}; delete it and call again to have it drawn once more"
        ) from error


def _blank_list(wanted: CandidatesPlan) -> str:
    lines = [
        "# Write the numbers of the pictures to keep, with spaces, commas or line ends between them.",
        "# What follows a # is not read. Then call the same command again.",
        "",
    ]
    for place, caption in enumerate(wanted.captions):
        numbers = _numbers(wanted, place)
        lines += [f"# {numbers[0]}-{numbers[-1]}: {caption}", ""]
    return "\n".join(lines)
