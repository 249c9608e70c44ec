"""What the commands have in common once their flags are read: samples, the base, and words to the terminal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lora.bases import Base
    from lora.jobs import Sample


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
    from lora.dataset import read_folder

    samples = read_folder(
        args.train_data_dir,
        image_column=args.image_column,
        caption_column=args.caption_column,
        keyword=args.keyword,
    )
    return samples[: args.max_train_samples]


def load_base(name: str, args: argparse.Namespace) -> Base:
    """The base on the device, with so many threads, that ``flags.add_machine`` names."""
    import torch

    from lora.bases import load

    if args.threads:
        torch.set_num_threads(args.threads)
    return load(name, args.cache_dir, args.device, download=not args.offline)
