"""python -m lora unpack: a bundled base as a plain diffusers folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from lora.cli.terminal import UsageError, say
from lora.models import sticker_nano

HELP = "write a bundled base as a plain diffusers folder"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=[sticker_nano.NAME])
    parser.add_argument("dir", type=Path)


def run(args: argparse.Namespace) -> None:
    in_use = args.dir.is_file() or (args.dir.is_dir() and any(args.dir.iterdir()))
    if in_use and not (args.dir / "model_index.json").is_file():
        raise UsageError(f"{args.dir}: is there already and no diffusers folder")
    say(str(sticker_nano.unpack(args.dir)))
