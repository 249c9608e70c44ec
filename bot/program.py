"""How the operator has called the bot: ``python -m bot``, or the command that a wheel installs."""

from __future__ import annotations

import sys
from pathlib import Path

INSTALLED = {"bot": "stickersmith", "lora": "stickersmith-lora"}  # as in pyproject.toml


def program(package: str = "bot") -> str:
    """The words that run a package, in the way that this process was run."""
    if Path(sys.argv[0]).stem in INSTALLED.values():
        return INSTALLED[package]
    return f"python -m {package}"
