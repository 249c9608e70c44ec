"""What the commands have in common once their flags are read: samples, the base, and words to the terminal."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lora.jobs import Sample
    from lora.models.base_model import Base


class UsageError(Exception):
    """What was asked for on the command line cannot be done."""


def say(text: str, *, end: str = "\n") -> None:
    """Tell the person at the terminal, at once."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def read_text(path: Path) -> str:
    """A text file that somebody wrote. Raises UsageError that names it if it is not there or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")  # some editors put a mark at the front
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text; save it as UTF-8") from error


def read_lines(path: Path) -> list[str]:
    """The lines of a text file that say anything, such as prompts. Raises UsageError as ``read_text`` does."""
    return [line.strip() for line in read_text(path).splitlines() if line.strip()]


def read_samples(args: argparse.Namespace) -> list[Sample]:
    """The samples that ``flags.add_data`` names."""
    from lora.data.dataset import read_folder

    samples = read_folder(
        args.train_data_dir,
        image_column=args.image_column,
        caption_column=args.caption_column,
        keyword=args.keyword,
    )
    return samples[: args.max_train_samples]


def read_adapter(path: Path) -> bytes:
    """An adapter's file. Raises UsageError with its path if it is missing, cut off, or no safetensors file."""
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
    """What is wrong with an adapter is said with its path. Raises UsageError."""
    from lora.jobs import JobError

    try:
        yield
    except JobError as error:
        if path is None or error.code not in ("bad-adapter", "other-base"):
            raise
        raise UsageError(f"{path}: {error}") from error


def load_base(name: str, args: argparse.Namespace) -> Base:
    """The base on the device, with so many threads, that ``flags.add_machine`` names."""
    import torch

    from lora.models.base_model import load

    if args.threads:
        torch.set_num_threads(args.threads)
    return load(name, args.cache_dir, args.device, download=not args.offline)
