"""What the commands have in common once their flags are read: samples, the base, and words to the terminal."""

from __future__ import annotations

import argparse
import sys
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


def read_samples(args: argparse.Namespace) -> list[Sample]:
    """The samples that ``flags.add_data`` names."""
    from lora.dataset import read_folder

    samples = read_folder(
        args.train_data_dir, image_column=args.image_column, caption_column=args.caption_column
    )
    return samples[: args.max_train_samples]


def load_base(name: str, args: argparse.Namespace) -> Base:
    """The base on the device, with so many threads, that ``flags.add_machine`` names."""
    import torch

    from lora.bases import load

    if args.threads:
        torch.set_num_threads(args.threads)
    return load(name, args.cache_dir, args.device, download=not args.offline)
