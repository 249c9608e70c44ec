"""A run's folder, as compare and demo read it: its checkpoints, its samples, the adapter that was chosen."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.commands.terminal import UsageError
from lora.output import BEST as BEST

if TYPE_CHECKING:
    from lora.jobs import Kept, Sample
    from lora.scorers import Eye, Reader

SCORES = "scores.json"
CHOSEN = "chosen.json"


def add_run(parser: argparse.ArgumentParser) -> None:
    """The flags that tell which run, on which base, from which samples."""
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the output folder of python -m lora train")
    add("--base", help="default: the base that the adapters name")
    add("--train_data_dir", type=Path, help="the samples; default: those that the run remembers")
    add("--image_column", default="image")
    add("--caption_column", default="text")


def checkpoints(run: Path) -> list[Kept]:
    """All whole checkpoints of a run in the order of their steps. Raises UsageError if there is none."""
    from lora import output
    from lora.jobs import Kept

    found = []
    for path in run.glob(f"checkpoint-*/{output.ADAPTER}"):
        number = path.parent.name.removeprefix("checkpoint-")
        if number.isdecimal():
            found.append(Kept(step=int(number), adapter=path.read_bytes()))
    if not found:
        raise UsageError(
            f"{run}: no checkpoint-N/{output.ADAPTER} in it; give the --output_dir of a training"
        )
    return sorted(found, key=lambda kept: kept.step)


def base_name(args: argparse.Namespace, adapter: bytes) -> str:
    """The base to draw with: the one that was given, else the one that the adapter was trained on, if it has a name."""
    from lora import adapters
    from lora.sources import NAMED

    if args.base:
        return str(args.base)
    about = adapters.read_about(adapter)
    if about is not None and about.base in ("sticker-nano", *NAMED):
        return about.base
    known = f" ({about.base})" if about else ""
    raise UsageError(f"{args.run}: trained on another base{known}; give its folder with --base")


def samples(args: argparse.Namespace) -> list[Sample]:
    """The samples that the run was trained on. Raises UsageError if it is not known where they are."""
    from lora.dataset import read_folder

    folder = args.train_data_dir or _remembered(args.run)
    if folder is None:
        raise UsageError(f"{args.run}: does not say where its samples are; give --train_data_dir")
    return read_folder(folder, image_column=args.image_column, caption_column=args.caption_column)


def _remembered(run: Path) -> Path | None:
    """The folder of samples that an earlier comparison was given."""
    known = read_json(run / SCORES)
    return Path(known["train_data_dir"]) if "train_data_dir" in known else None


def read_json(path: Path) -> dict[str, Any]:
    """A file that these commands wrote, or nothing. Raises UsageError if it is damaged."""
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path}: damaged ({error}); remove it and compare again") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path}: damaged; remove it and compare again")
    return value


def judges(args: argparse.Namespace, base: Any) -> tuple[Eye, Reader]:
    """Who judges the drawings: the networks in --eye and --clip, or the bundled ones."""
    from lora.scorers import eye
    from lora.scorers.classifier import DiffusionReader

    device = str(base.device)
    reader: Reader = DiffusionReader(base)
    if args.clip:
        from lora.scorers.encoders import ClipReader

        reader = ClipReader(args.clip, device)
    return eye(args.eye, device), reader
