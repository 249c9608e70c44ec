"""The commands of ``python -m lora``. Each one is one file here and one line in COMMANDS.

Imports ``safety``, ``data``, ``sheets``, ``models``, ``adapters``, ``drawing``, ``training``, ``checks``,
``evaluation`` and ``engine``.
"""

from __future__ import annotations

import argparse
from typing import Protocol

from lora.cli import (
    caption,
    check,
    compare,
    demo,
    doctor,
    draw,
    export,
    fetch,
    invent,
    train,
    translate,
    unpack,
)


class Command(Protocol):
    """What a command's file holds.

    ``run`` returns an exit code, None for 0. It raises UsageError or another error that ``lora.__main__`` prints.
    """

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, args: argparse.Namespace) -> int | None: ...


COMMANDS: dict[str, Command] = {
    "check": check,
    "caption": caption,
    "train": train,
    "compare": compare,
    "draw": draw,
    "demo": demo,
    "invent": invent,
    "export": export,
    "fetch": fetch,
    "doctor": doctor,
    "translate": translate,
    "unpack": unpack,
}
