"""``python -m bot config`` prints config.toml with every default, to start one's own from."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bot.program import program


def main(argv: list[str], config_path: Path | None) -> int:
    """Print the file that came with the bot. There are no arguments."""
    argparse.ArgumentParser(prog=f"{program()} config", description=__doc__).parse_args(argv)
    sys.stdout.write(Path(__file__).with_name("config.toml").read_text(encoding="utf-8"))
    return 0
