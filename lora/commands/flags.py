"""Flags that several commands share, and the numbers that flags may be."""

from __future__ import annotations

import argparse
import math
from pathlib import Path


def add_data(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Where the samples are, and which of them."""
    add = parser.add_argument
    add("--train_data_dir", type=Path, required=required, help="pictures with a metadata.jsonl")
    parser.add_argument("--image_column", default="image")
    parser.add_argument("--caption_column", default="text")
    parser.add_argument("--max_train_samples", type=whole, help="use the first ones only")
    parser.add_argument("--keyword", default="", help="the style's name; put into captions that lack it")


def add_machine(parser: argparse.ArgumentParser) -> None:
    """What to work on."""
    parser.add_argument("--cache_dir", type=Path, default=Path("data/cache"), help="where bases are unpacked")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 = all cores")


def whole(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def count(text: str) -> int:
    """A whole number from 0 on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def positive(text: str) -> float:
    """A number over 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not over 0")
    return value


def share(text: str) -> float:
    """A number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return value
