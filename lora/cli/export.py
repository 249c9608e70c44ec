"""python -m lora export: an adapter as a file for diffusers, or for A1111, ComfyUI and kohya's scripts."""

from __future__ import annotations

import argparse
from pathlib import Path

from lora.cli import flags
from lora.cli.terminal import UsageError, about_adapter, read_adapter, say

HELP = "write an adapter for other programs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("adapter", type=Path, help="a LoRA file; a run's folder (its best, or else its last); a checkpoint's")
    add("--format", choices=["diffusers", "kohya"], required=True, help="kohya: also for A1111 and ComfyUI")
    add("--half", action="store_true", help="weights in float16: half the size")
    add("--title", type=flags.text, help="the name in the file's header; default: the name of --out")
    add("--out", type=Path, required=True, help="the .safetensors file to write")


def run(args: argparse.Namespace) -> None:
    """Read the adapter and write it in the other format."""
    from lora.adapters.export import FORMATS, in_half
    from lora.files import write_whole

    if args.out.suffix != ".safetensors":
        raise UsageError(f"{args.out}: must end with .safetensors, which is what is written")
    adapter = _file(args.adapter)
    with about_adapter(adapter):
        exported = FORMATS[args.format](read_adapter(adapter), args.title or args.out.stem)
        exported = in_half(exported) if args.half else exported
    write_whole(args.out, exported)
    say(f"wrote {args.out} for {args.format}, from {adapter}")


def _file(path: Path) -> Path:
    """The LoRA file to export; of a run's folder the chosen one, else the last. Raises UsageError."""
    from lora.cli.run_folder import ADAPTER, CHOSEN_ADAPTER, adapters_in

    for file in (path, path / CHOSEN_ADAPTER, path / ADAPTER):
        if file.is_file():
            return file
    if checkpoints := adapters_in(path):
        raise UsageError(f"{path}: not finished; export one of its checkpoints: {', '.join(checkpoints)}")
    raise UsageError(f"{path}: neither a LoRA file nor a folder with {ADAPTER}")
