"""The command line that the measurements of one base share."""

from __future__ import annotations

import argparse
from pathlib import Path

from lora.models import sticker_nano


def parser(doc: str | None, *, batch: int = 4) -> argparse.ArgumentParser:
    """Where the drawings and the cache are, which base is measured and on what, and drawings made at once."""
    flags = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    flags.add_argument("--cache", type=Path, default=Path("data/cache"))
    flags.add_argument("--base", default=sticker_nano.NAME)
    flags.add_argument("--device", default="cpu")
    flags.add_argument("--batch", type=int, default=batch, help="drawings made at once")
    return flags
