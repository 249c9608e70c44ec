"""The commands of ``python -m lora``: each is one file here, and one line in COMMANDS."""

from __future__ import annotations

import argparse
from typing import Protocol

from lora.commands import check, compare, demo, draw, train, unpack


class Command(Protocol):
    """What a command's file holds. ``run`` raises UsageError, or what ``python -m lora`` turns into a line."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> None: ...


COMMANDS: dict[str, Command] = {
    "check": check,
    "train": train,
    "compare": compare,
    "draw": draw,
    "demo": demo,
    "unpack": unpack,
}
