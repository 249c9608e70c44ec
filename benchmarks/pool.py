"""Does the runs of a measurement in processes that share the GPUs. Each finished run is a line of a file of results.

A line holds the base's hash, the run itself, what was measured and the seconds that it took. An interrupted measurement
continues: a run that has a line for this base is not done again. An incomplete last line does not count.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import pickle
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from multiprocessing.pool import Pool
from pathlib import Path
from typing import Any

import torch

from benchmarks import flags
from benchmarks.learn_style import Judge, Task, make_judge, make_task
from lora.models import sticker_nano
from lora.models.base_model import Base
from lora.models.device import pick_device
from lora.models.hashes import weights_hash
from lora.models.sources import find
from lora.pretrain.drawings import UNSEEN, load_named

ResultRow = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training of an unseen style. Measurements add fields to it."""

    style: str
    seed: int
    steps: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """What all runs of one process use, loaded once."""

    base: Base
    tasks: Mapping[str, tuple[Task, Judge]]  # by style
    args: argparse.Namespace


# Does one run and returns its measurements as JSON values. Other processes import it by its name, so it must be a
# function of a module.
RunOne = Callable[[Bench, Any], ResultRow]


def parser(
    doc: str | None,
    run: Callable[[argparse.Namespace], None],
    report: Callable[[argparse.Namespace], None],
    *,
    styles: Sequence[str],
    seeds: Sequence[int],
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser, argparse.ArgumentParser]:
    """The whole command line, and its verbs ``run`` and ``report``, so that a measurement can add flags to them."""
    whole = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = whole.add_subparsers(required=True)
    go = verbs.add_parser("run")
    go.set_defaults(verb=run)
    go.add_argument("file", type=Path)
    go.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    go.add_argument("--cache", type=Path, default=Path("data/cache"))
    go.add_argument("--base", default=sticker_nano.NAME)
    go.add_argument("--device", default="cpu", help="cuda: all GPUs, each for some of the workers")
    go.add_argument("--workers", type=int, default=1)
    go.add_argument("--seconds", type=float, default=1e9, help="stop by then; what is done is kept")
    go.add_argument("--steps", type=int, default=600)
    go.add_argument("--checkpoint-steps", type=int, default=100)
    go.add_argument("--drawing-steps", type=int, default=12)
    go.add_argument("--batch", type=int, default=20, help="drawings made at once")
    go.add_argument("--styles", nargs="+", choices=list(UNSEEN), default=list(styles))
    go.add_argument("--seeds", nargs="+", type=int, default=list(seeds))
    show = verbs.add_parser("report")
    show.set_defaults(verb=report)
    show.add_argument("file", type=Path)
    show.add_argument("--base-hash", help="or its beginning; default: that of the newest line")
    return whole, go, show


def main(command_line: argparse.ArgumentParser) -> None:
    """Do what the command line asks for: ``run`` or ``report``."""
    args = command_line.parse_args()
    args.verb(args)


def run_all(
    args: argparse.Namespace,
    runs: Sequence[Run],
    run_one: RunOne,
    say: Callable[[ResultRow], str],
    *,
    began: float,
) -> None:
    """Do the runs that are not in ``args.file`` yet, in their order, for ``args.seconds`` from ``began`` (monotonic).

    ``say`` makes a line of text of a finished run. If a run fails its error is printed and the others go on; in the
    end SystemExit is raised.
    """
    base_hash = weights_hash(find(args.base, args.cache), args.cache)
    missing = todo(runs, read(args.file), base_hash)
    if not missing:
        print("all runs are done already")
        return
    tasks = prepared(args, {run.style for run in missing})
    print(f"{len(missing)} runs to do; ready after {time.monotonic() - began:.0f} s", flush=True)
    args.file.parent.mkdir(parents=True, exist_ok=True)
    results = _results(args, missing, tasks, run_one, began + args.seconds)
    failed = 0
    for done, result in enumerate(results, start=1):
        if isinstance(result, Exception):
            traceback.print_exception(result)
            failed += 1
            continue
        _append(args.file, {"base": base_hash, **result})
        print(f"{time.monotonic() - began:.0f} s, {done}/{len(missing)}: {say(result)}", flush=True)
    if failed:
        raise SystemExit(f"{failed} runs failed")


def todo(runs: Sequence[Run], done: Sequence[ResultRow], base_hash: str) -> list[Run]:
    """The runs that have no line for this base."""
    here = [row for row in done if row["base"] == base_hash]
    return [run for run in runs if not any(asdict(run).items() <= row.items() for row in here)]


def read(file: Path) -> list[ResultRow]:
    """The lines of a file of results, without those that a kill interrupted."""
    rows = []
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def _append(file: Path, row: ResultRow) -> None:
    """Add a line, also after an incomplete one."""
    cut_off = file.exists() and (text := file.read_bytes()) and not text.endswith(b"\n")
    with file.open("a") as out:
        out.write(("\n" if cut_off else "") + json.dumps(row) + "\n")


def of_one_base(rows: Sequence[ResultRow], base_hash: str | None) -> list[ResultRow]:
    """The rows of this base, or of the newest line's base. Prints which, and raises SystemExit if it is not one."""
    if not rows:
        raise SystemExit("there are no results yet")
    wanted = base_hash or rows[-1]["base"]
    found = [row for row in rows if row["base"].startswith(wanted)]
    hashes = {row["base"] for row in found}
    if len(hashes) != 1:
        known = ", ".join(dict.fromkeys(row["base"][:12] for row in rows))
        raise SystemExit(f"base {wanted}: {len(hashes)} bases begin so; there are results of {known}")
    left = f"; {len(rows) - len(found)} of other bases are left out" if len(found) < len(rows) else ""
    print(f"Base {found[0]['base'][:12]}, {len(found)} runs{left}.\n")
    return found


def prepared(args: argparse.Namespace, styles: set[str]) -> dict[str, tuple[Task, Judge]]:
    """Each style's task and its judge."""
    named, device = load_named(args.dir), pick_device(args.device)
    tasks = {style: make_task(named, style) for style in sorted(styles)}
    return {
        style: (task, make_judge(args.dir, named, task.concepts, device)) for style, task in tasks.items()
    }


def _results(
    args: argparse.Namespace,
    runs: Sequence[Run],
    tasks: dict[str, tuple[Task, Judge]],
    run_one: RunOne,
    deadline: float,
) -> Iterator[ResultRow | Exception]:
    """The result or error of each run when it ends, until ``deadline`` (monotonic); later runs are left out."""
    if args.device != "cpu":
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    # In a file: passed as an argument it would block this process until the other one has imported everything.
    with tempfile.NamedTemporaryFile(suffix=".pickle") as file:
        pickle.dump(tasks, file)
        file.flush()
        given = (args, Path(file.name), run_one, context.Value("i", 0))
        yield from _from_pool(context.Pool(args.workers, _start, given), runs, deadline)


def _from_pool(workers: Pool, runs: Sequence[Run], deadline: float) -> Iterator[ResultRow | Exception]:
    with workers as pool:
        coming = pool.imap_unordered(_timed, runs)
        for _ in runs:
            try:
                yield coming.next(timeout=max(0.1, deadline - time.monotonic()))
            except multiprocessing.TimeoutError:
                print("time is up; run it again to go on", flush=True)
                return
            except Exception as error:
                yield error


# Set by the pool's initializer in each process: the arguments, the file of the styles' tasks and judges, the function
# that does a run, and the number of the process.
_given: tuple[argparse.Namespace, Path, RunOne, int]


def _start(args: argparse.Namespace, tasks: Path, run_one: RunOne, numbers: Any) -> None:
    global _given
    with numbers.get_lock():
        _given = args, tasks, run_one, numbers.value
        numbers.value += 1


@cache
def _bench() -> Bench:
    """This process's Bench. Its first run makes it, so that a base that cannot be loaded is an error of that run."""
    args, tasks, _, number = _given
    torch.set_num_threads(max(1, torch.get_num_threads() // args.workers) if args.device == "cpu" else 1)
    base = flags.base_of(args, device_of(args.device, number, torch.cuda.device_count()))
    return Bench(base=base, tasks=pickle.loads(tasks.read_bytes()), args=args)


def device_of(device: str, number: int, gpus: int) -> str:
    """The device of the process of this number: with ``cuda`` the processes share all GPUs."""
    return f"cuda:{number % gpus}" if device == "cuda" else device


def _timed(run: Run) -> ResultRow:
    began = time.monotonic()
    try:
        measured = _given[2](_bench(), run)
    except Exception as error:
        raise RuntimeError(f"{run}: {type(error).__name__}: {error}") from error
    return {**asdict(run), **measured, "seconds": round(time.monotonic() - began, 1)}
