"""python -m lora fetch: downloads and verifies a base. All other commands then work without a network."""

from __future__ import annotations

import argparse
from pathlib import Path

from lora.cli.terminal import say

HELP = "download a base model"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="sd-2.1, sd-2.1-base, or OWNER/NAME of the Hugging Face hub")
    parser.add_argument("--cache_dir", type=Path, default=Path("data/cache"), help="where hashes are kept")


def run(args: argparse.Namespace) -> None:
    """Download the base if it is not on this machine, and print where it is."""
    from lora.models.sources import MODELS, fetch, named

    folder = fetch(args.name, args.cache_dir)
    say(f"{named(args.name)[0]} is whole, in {folder}; the sha256 of its files are in {MODELS.resolve()}")
