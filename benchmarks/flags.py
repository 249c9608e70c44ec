"""The command line that the measurements of one base share, and the base."""

from __future__ import annotations

import argparse
from pathlib import Path

from lora.drawing import half_denoiser
from lora.models import sticker_nano
from lora.models.base_model import Base, load


def parser(doc: str | None, *, batch: int = 4) -> argparse.ArgumentParser:
    """Flags for the folders of drawings and cache, the base, the device and the batch size."""
    flags = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    flags.add_argument("--cache", type=Path, default=Path("data/cache"))
    flags.add_argument("--base", default=sticker_nano.NAME)
    flags.add_argument("--device", default="cpu")
    flags.add_argument("--batch", type=int, default=batch, help="drawings made at once")
    return flags


def base_of(args: argparse.Namespace, device: str | None = None) -> Base:
    """The base that the flags name, as a worker loads it: in bfloat16 on a CPU that multiplies it natively."""
    base = load(args.base, args.cache, device or args.device)
    half_denoiser.use_bfloat16(base)
    return base
