"""OUTPUT/run.json: where a run comes from. Written before anything else of it, and read by whoever uses the run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from lora.cli.terminal import UsageError
from lora.files import write_whole

RUN = "run.json"


@dataclass(frozen=True, kw_only=True)
class Origin:
    """What a run was trained on. Folders are as they were given: a relative one is seen from where the command ran."""

    base: str
    train_data_dir: str
    image_column: str
    caption_column: str
    max_train_samples: int | None
    identity: dict[str, Any]  # checkpoints.identity


KINDS: dict[str, type | tuple[type, ...]] = {
    "base": str,
    "train_data_dir": str,
    "image_column": str,
    "caption_column": str,
    "max_train_samples": (int, type(None)),
    "identity": dict,
}


def write_origin(output: Path, origin: Origin) -> None:
    """Raises OSError."""
    write_whole(output / RUN, (json.dumps(asdict(origin), indent=1, ensure_ascii=False) + "\n").encode())


def read_origin(output: Path) -> Origin | None:
    """Where a run comes from; None if its folder does not say. Raises UsageError if the file is damaged."""
    path = output / RUN
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
    return Origin(**{field.name: value[field.name] for field in fields(Origin)})


def _without() -> str:
    return "remove it, and say with --base and --train_data_dir what it said"
