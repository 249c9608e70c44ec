"""What a run was trained on: RUN/run.json. With it compare and demo find the run's samples, base and checkpoints.

run.json is the first file of a run that is written.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.cli import run_folder
from lora.cli.terminal import UsageError, about_adapter, read_adapter
from lora.files import write_whole

if TYPE_CHECKING:
    from lora.evaluation.scorers import ImageEncoder, PromptScorer
    from lora.jobs import Sample, SavedCheckpoint


@dataclass(frozen=True, kw_only=True)
class RunRecord:
    """What a run was trained on. Folders are as they were given, also if relative."""

    base: str
    train_data_dir: str
    image_column: str
    caption_column: str
    max_train_samples: int | None
    identity: dict[str, Any]  # checkpoints.fingerprint


MOST_DIGITS = 20  # of a whole number; a seed has at most 19
KINDS: dict[str, type | tuple[type, ...]] = {
    "base": str,
    "train_data_dir": str,
    "image_column": str,
    "caption_column": str,
    "max_train_samples": (int, type(None)),
    "identity": dict,
}


def write_record(output: Path, record: RunRecord) -> None:
    """Raises OSError."""
    write_whole(output / run_folder.RECORD, to_json(asdict(record)))


def to_json(value: object) -> bytes:
    """A file of JSON. Bytes of a path that are not UTF-8 are halves of characters to Python: here they are escapes."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    return f"{text}\n".encode(errors="backslashreplace")


def read_record(output: Path) -> RunRecord | None:
    """What a run was trained on; None without run.json. Raises UsageError if the file is damaged."""
    path = output / run_folder.RECORD
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: damaged ({error}); {_without()}") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path}: damaged (no JSON object); {_without()}")
    for name, kind in KINDS.items():
        if name not in value or not isinstance(value[name], kind):
            raise UsageError(f"{path}: damaged ({name} is missing or of another kind); {_without()}")
    return RunRecord(**{field.name: value[field.name] for field in fields(RunRecord)})


def _without() -> str:
    return "remove it, and say with --base and --train_data_dir what it said"


def add_run(parser: argparse.ArgumentParser) -> None:
    """The flags that tell which run, on which base, from which samples."""
    add = parser.add_argument
    add("run", type=Path, metavar="RUN", help="the output folder of python -m lora train")
    add("--base", help="default: the base that the run was trained on")
    add("--train_data_dir", type=Path, help="the samples; default: those that the run was trained on")
    add("--image_column", help="as in train; default: as the run was trained")
    add("--caption_column", help="as in train; default: as the run was trained")


def checkpoints(run: Path) -> list[SavedCheckpoint]:
    """All checkpoints of a run in the order of their steps. Raises UsageError: there is none, or one is damaged."""
    from lora.adapters import adapter_file
    from lora.jobs import SavedCheckpoint

    found = []
    for path in run.glob(f"checkpoint-*/{run_folder.ADAPTER}"):
        number = path.parent.name.removeprefix("checkpoint-")
        if number.isdecimal():
            adapter = read_adapter(path)
            with about_adapter(path):
                adapter_file.read_info(adapter)
            found.append(SavedCheckpoint(step=int(number), adapter=adapter))
    if not found:
        raise UsageError(
            f"{run}: no checkpoint-N/{run_folder.ADAPTER} in it; give the --output_dir of a training"
        )
    return sorted(found, key=lambda one: one.step)


def base_name(args: argparse.Namespace, adapter: bytes) -> str:
    """The base to draw with: that of --base, else that of run.json, else the one that the adapter names.

    Raises UsageError if the adapter's base is a folder or file that only its owner knows.
    """
    from lora.adapters import adapter_file
    from lora.models import sticker_nano
    from lora.models.sources import NAMED

    if args.base:
        return str(args.base)
    if record := read_record(args.run):
        return record.base
    about = adapter_file.read_info(adapter)
    if about is not None and about.base in (sticker_nano.NAME, *NAMED):
        return about.base
    known = f" ({about.base})" if about else ""
    raise UsageError(f"{args.run}: trained on another base{known}; give its folder with --base")


def samples(args: argparse.Namespace) -> list[Sample]:
    """The samples that the run was trained on. Sets ``args.train_data_dir`` to their folder if it was not given.

    Raises UsageError if the folder is not known, or is not there any more.
    """
    from lora.data.dataset import read_folder

    record = read_record(args.run)
    count = None
    if args.train_data_dir is None:
        args.train_data_dir = _remembered(args.run)
        count = record.max_train_samples if record else None
    columns = {
        "image_column": args.image_column or (record.image_column if record else "image"),
        "caption_column": args.caption_column or (record.caption_column if record else "text"),
    }
    return read_folder(args.train_data_dir, **columns)[:count]


def _remembered(run: Path) -> Path:
    """The folder of samples that an earlier comparison was given, else that of the training."""
    record = read_record(run)
    compared = read_json(run / run_folder.SCORES).get("train_data_dir")
    if not isinstance(compared, str | None):
        raise UsageError(f"{run / run_folder.SCORES}: damaged; remove it and compare again")
    known = list(dict.fromkeys(folder for folder in (compared, record and record.train_data_dir) if folder))
    if not known:
        raise UsageError(f"{run}: does not say where its samples are; give --train_data_dir")
    found = next((path for folder in known if (path := Path(folder)).is_dir()), None)
    if found is None:
        raise UsageError(
            f"{run}: its samples were in {' and '.join(known)}, and from {Path.cwd()} there is no such folder; "
            "give --train_data_dir"
        )
    return found


def read_json(path: Path) -> dict[str, Any]:
    """A file that these commands wrote, or nothing. Raises UsageError if it is damaged."""
    if not path.is_file():
        return {}
    try:
        value = json.loads(
            path.read_text(encoding="utf-8"),
            parse_constant=_finite,
            parse_float=_finite,
            parse_int=_finite_int,
        )
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: damaged ({error}); remove it and compare again") from error
    if not isinstance(value, dict):
        raise UsageError(f"{path}: damaged; remove it and compare again")
    return value


def _finite(text: str) -> float:
    """A number of a JSON file. Raises ValueError for those that these commands never write."""
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is no number")
    return value


def _finite_int(text: str) -> int:
    if len(text) > MOST_DIGITS:
        raise ValueError("a number is too long")
    return int(text)


def scorers(args: argparse.Namespace, base: Any) -> tuple[ImageEncoder, PromptScorer]:
    """What measures the drawings: the networks of --eye and --clip, or the bundled one and the base itself."""
    from lora.evaluation.scorers import image_encoder
    from lora.evaluation.scorers.classifier import DiffusionPromptScorer

    device = str(base.device)
    scorer: PromptScorer = DiffusionPromptScorer(base)
    if args.clip:
        from lora.evaluation.scorers.encoders import ClipPromptScorer

        scorer = ClipPromptScorer(args.clip, device)
    return image_encoder(args.eye, device), scorer
