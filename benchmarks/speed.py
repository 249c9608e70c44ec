"""How fast drawing and training are beside plain diffusers, in the same run: one command for each row.

    python3 -m benchmarks.speed ROW [--dir FOLDER] [--tiny]

one-picture     1  one picture with a person's adapter
many-people     2  sixteen people, sixteen adapters, a picture each
switching       3  the next person's adapter
training        4  images a second of training
whole-training  5  thirty samples to an adapter
together        6  four people's trainings in one batch
beside          7  drawing while a training runs
cold            8  a cold worker's first picture
memory          9  memory of drawing and training
cpu-drawing    10  one drawing of the bundled base on a CPU
finishing      11  from a drawing to a sticker file
plots           -  latency against people in a batch, rate against adapters: docs/*.png
warm            fills the compiler's cache for rows 1, 2, 4 and 5, several processes at once
figures         rows 1 to 5, 8 and 9 in minutes: everything compiles at once, then one part measures after the other
profile         where the time goes: parts, kernels, variants; several processes at once

A row builds a base of SD 2.1-base's exact shape with random weights, checks that ours draws what diffusers and PEFT
draw, times both interleaved, prints the row and appends it to ``benchmarks/results/speed.jsonl``. With ``--tiny``
everything is scaled down, to try a script on a CPU: those figures mean nothing and are not kept.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    speed_cpu,
    speed_drawing,
    speed_figures,
    speed_memory,
    speed_plots,
    speed_profile,
    speed_together,
    speed_training,
)
from benchmarks.speed_setup import Setting, say

ROWS: dict[str, Callable[[Setting], None]] = {
    "one-picture": speed_drawing.one_picture,
    "many-people": speed_drawing.many_people,
    "switching": speed_drawing.switching,
    "training": speed_training.rates,
    "whole-training": speed_training.whole,
    "together": speed_together.together,
    "beside": speed_together.beside,
    "cold": speed_drawing.cold,
    "memory": speed_memory.memory,
    "plots": speed_plots.measure,
    "cpu-drawing": speed_cpu.sticker,
    "finishing": speed_cpu.finishing,
}


def warm_all(setting: Setting, argv: list[str]) -> None:
    """Compile every kind in a process of its own, all at once."""
    from benchmarks.speed_setup import load_base

    load_base(setting)
    command = [sys.executable, "-m", "benchmarks.speed", "warm-one"]
    threads = {**os.environ, "TORCHINDUCTOR_COMPILE_THREADS": str(max(1, (os.cpu_count() or 1) // 4))}
    children = {name: subprocess.Popen([*command, name, *argv], env=threads) for name in speed_drawing.WARM}
    failed = [name for name, child in children.items() if child.wait()]
    say(f"warm but for {failed}" if failed else "warm")


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "row", choices=[*ROWS, "warm", "warm-one", "first", "profile", "part", "figures", "figure"]
    )
    parser.add_argument(
        "name", nargs="?", help="of warm-one, first, part, figure; of profile, figures: some, with commas"
    )
    parser.add_argument("--dir", type=Path, default=Path("data/cache/speed"))
    parser.add_argument("--results", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument(
        "--seconds", type=float, default=200, help="of profile and figures: what lasts longer is ended"
    )
    parser.add_argument(
        "--compiled-by", type=float, default=140, help="of figures: what is not compiled then is left out"
    )
    parser.add_argument(
        "--waits", action="store_true", help="of figure: for a line of input before it measures"
    )
    parser.add_argument("--no-compile", action="store_true", help="leave the compiler out, of peers too")
    return parser


def main(argv: list[str] | None = None) -> None:
    args = command_line().parse_args(argv)
    warnings.filterwarnings("ignore")
    setting = Setting(
        folder=args.dir,
        results=None if args.tiny else args.results,
        tiny=args.tiny,
        rounds=1 if args.tiny else args.rounds,
        compiled=not (args.tiny or args.no_compile),
        waits=args.waits,
    )
    if args.row == "warm":
        warm_all(setting, ["--dir", str(args.dir), *["--tiny"] * args.tiny])
    elif args.row == "warm-one":
        kind, _, batch = args.name.partition(" ")
        if kind == "train":
            speed_training.warm(setting, int(batch))
        else:
            speed_drawing.warm(setting, args.name)
    elif args.row == "profile":
        kept = ["--dir", str(args.dir), *["--tiny"] * args.tiny, *["--no-compile"] * args.no_compile]
        speed_profile.profile(setting, kept, args.name.split(",") if args.name else [], args.seconds)
    elif args.row == "figures":
        kept = ["--dir", str(args.dir), "--results", str(args.results), "--rounds", str(args.rounds)]
        kept += ["--waits", *["--tiny"] * args.tiny, *["--no-compile"] * args.no_compile]
        names = args.name.split(",") if args.name else []
        speed_figures.figures(setting, kept, names, args.seconds, args.compiled_by)
    elif args.row == "figure":
        speed_figures.part(setting, args.name)
    elif args.row == "part":
        speed_profile.PARTS[args.name](setting)
    elif args.row == "first":
        speed_drawing.first(setting, args.name)
    else:
        ROWS[args.row](setting)


if __name__ == "__main__":
    main()
