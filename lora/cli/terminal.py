"""What several commands do after their flags are read: open samples, adapter and base, and print."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.cli.flags import SEEDS
from lora.data.visible import visible

if TYPE_CHECKING:
    from lora.jobs import Sample
    from lora.models.base_model import Base


class UsageError(Exception):
    """The command cannot be carried out; the message says why."""


def say(text: str, *, end: str = "\n") -> None:
    """Print to the terminal without buffering."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def say_json(value: Any, *, indent: int | None = None) -> None:
    """Print JSON, in ASCII if the terminal cannot show all of it."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent)
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, allow_nan=False, indent=indent)
    say(text)


def check_seeds(first: int, count: int) -> None:
    """Raise UsageError if the last of ``count`` seeds from ``first`` on is none that can be asked for."""
    most = SEEDS - count
    if first > most:
        raise UsageError(f"--seed {first}: with so many pictures, {most} is the largest one")


def read_text(path: Path) -> str:
    """The content of a text file. Raises UsageError with its path if it is missing or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors write a byte order mark
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except IsADirectoryError as error:
        raise UsageError(f"{path}: it is a folder; give a text file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text; save it as UTF-8") from error


def check_folder(flag: str, folder: Path) -> None:
    """Raise UsageError if nothing can be written into a folder that need not be there yet; before long work."""
    nearest = _nearest(flag, folder)
    try:
        with tempfile.TemporaryDirectory(prefix=".stickersmith-", dir=nearest):
            pass
    except OSError as error:
        raise UsageError(
            f"{flag} {folder}: nothing can be written into {nearest}: {error.strerror}"
        ) from error


def _nearest(flag: str, folder: Path) -> Path:
    """The folder itself, or the nearest one above it that is there. Raises UsageError if that is a file."""
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    if not nearest.is_dir():
        raise UsageError(f"{flag} {folder}: {nearest} is a file; give a folder")
    return nearest


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that are not empty to the eye. Raises UsageError as ``read_text`` does."""
    lines = (visible(line).strip() for line in read_text(path).splitlines())
    return [line for line in lines if line]


def read_samples(args: argparse.Namespace) -> list[Sample]:
    """The samples that the flags of ``flags.add_data`` name."""
    from lora.data.dataset import read_folder

    samples = read_folder(
        args.train_data_dir,
        image_column=args.image_column,
        caption_column=args.caption_column,
        keyword=args.keyword,
    )
    return samples[: args.max_train_samples]


def read_adapter(path: Path) -> bytes:
    """The content of an adapter file. Raises UsageError with its path if it is missing or no safetensors file."""
    from safetensors import SafetensorError, deserialize

    try:
        data = path.read_bytes()
        deserialize(data)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such file") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror or error}") from error
    except SafetensorError as error:
        raise UsageError(f"{path}: no LoRA: no safetensors file, or a damaged one") from error
    return data


@contextmanager
def about_adapter(path: Path | None) -> Iterator[None]:
    """Turn the JobErrors about an adapter into a UsageError with the adapter's path."""
    from lora.jobs import JobError

    try:
        yield
    except JobError as error:
        if path is None or error.code not in ("bad-adapter", "other-base"):
            raise
        raise UsageError(f"{path}: {error}") from error


def load_base(name: str, args: argparse.Namespace, *, exact: bool = False) -> Base:
    """The base, on the device and with the threads that the flags of ``flags.add_machine`` name.

    With ``exact`` its denoiser stays float32 on a CPU.
    """
    _nearest("--cache_dir", args.cache_dir)
    import cv2
    import torch

    from lora.drawing import half_denoiser
    from lora.models.base_model import load

    if args.threads:
        torch.set_num_threads(args.threads)
        cv2.setNumThreads(args.threads)
    base = load(name, args.cache_dir, args.device, download=not args.offline)
    if not exact:
        half_denoiser.use_bfloat16(base)
    return base
