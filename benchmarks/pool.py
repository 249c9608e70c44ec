"""Runs of a measurement, worked off by processes that share the GPUs; each that is done is a line of FILE.

A line holds the base's hash, the run itself, what was measured and the seconds it took. So a measurement that was
cut off goes on where it was: a run whose line is there for this base is not done again, and half a line is none.
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

from benchmarks.learn_style import Judge, Task, judge, task
from lora.models import sticker_nano
from lora.models.base_model import Base, load
from lora.models.device import pick_device
from lora.models.hashes import weights_hash
from lora.models.sources import find
from lora.pretrain.drawings import UNSEEN, load_named

ResultRow = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training: an unseen style is learned for so many steps. Kinds of runs may say more."""

    style: str
    seed: int
    steps: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """What all runs of one process work on, loaded once."""

    base: Base
    work: Mapping[str, tuple[Task, Judge]]  # by style
    args: argparse.Namespace


# What is measured of one run, ready for JSON. It must be a function of a module, for other processes to find it.
Do = Callable[[Bench, Any], ResultRow]


def parser(
    doc: str | None,
    run: Callable[[argparse.Namespace], None],
    report: Callable[[argparse.Namespace], None],
    *,
    styles: Sequence[str],
    seeds: Sequence[int],
) -> tuple[argparse.ArgumentParser, argparse.ArgumentParser, argparse.ArgumentParser]:
    """The command line that the measurements share, and those of its ``run`` and ``report``, to add flags to."""
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


def work_off(
    args: argparse.Namespace, runs: Sequence[Run], do: Do, say: Callable[[ResultRow], str], *, began: float
) -> None:
    """Do the runs that FILE does not have yet, in their order, until ``args.seconds`` after ``began`` (monotonic).

    ``say`` makes a line of text of a finished run. A run that fails is told, and the others go on; then it
    ends with exit status 1.
    """
    base_hash = weights_hash(find(args.base, args.cache), args.cache)
    missing = todo(runs, read(args.file), base_hash)
    if not missing:
        print("all runs are done already")
        return
    work = prepared(args, {run.style for run in missing})
    print(f"{len(missing)} runs to do; ready after {time.monotonic() - began:.0f} s", flush=True)
    args.file.parent.mkdir(parents=True, exist_ok=True)
    results = _results(args, missing, work, do, began + args.seconds)
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
    """The runs of which there is no line for this base."""
    here = [row for row in done if row["base"] == base_hash]
    return [run for run in runs if not any(asdict(run).items() <= row.items() for row in here)]


def read(file: Path) -> list[ResultRow]:
    """The lines of a file of results; one that was cut off by a kill is left out."""
    rows = []
    for line in file.read_text().splitlines() if file.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def _append(file: Path, row: ResultRow) -> None:
    """Add a line. It begins a new one even if the last one was cut off."""
    cut_off = file.exists() and (text := file.read_bytes()) and not text.endswith(b"\n")
    with file.open("a") as out:
        out.write(("\n" if cut_off else "") + json.dumps(row) + "\n")


def of_one_base(rows: Sequence[ResultRow], base_hash: str | None) -> list[ResultRow]:
    """Only the rows of this base, or of the newest line's: those of two bases cannot be compared. Says which."""
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
    tasks = {style: task(named, style) for style in sorted(styles)}
    return {style: (work, judge(args.dir, named, work.concepts, device)) for style, work in tasks.items()}


def _results(
    args: argparse.Namespace,
    runs: Sequence[Run],
    work: dict[str, tuple[Task, Judge]],
    do: Do,
    deadline: float,
) -> Iterator[ResultRow | Exception]:
    """What comes of each run when it is done; what is not done by ``deadline`` (monotonic) is given up."""
    if args.device != "cpu":
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    context = multiprocessing.get_context("spawn")
    # In a file: what is handed over with a process keeps this one waiting until that one has imported everything.
    with tempfile.NamedTemporaryFile(suffix=".pickle") as file:
        pickle.dump(work, file)
        file.flush()
        given = (args, Path(file.name), do, context.Value("i", 0))
        yield from _from_pool(context.Pool(args.workers, _start, given), runs, deadline)


def _from_pool(workers: Pool, runs: Sequence[Run], deadline: float) -> Iterator[ResultRow | Exception]:
    with workers as pool:
        coming = pool.imap_unordered(_do, runs)
        for _ in runs:
            try:
                yield coming.next(timeout=max(0.1, deadline - time.monotonic()))
            except multiprocessing.TimeoutError:
                print("time is up; run it again to go on", flush=True)
                return
            except Exception as error:
                yield error


# What a pool's initializer leaves for its tasks: the second is the file of the styles' tasks and judges, the last the
# number of the process.
_given: tuple[argparse.Namespace, Path, Do, int]


def _start(args: argparse.Namespace, work: Path, do: Do, numbers: Any) -> None:
    global _given
    with numbers.get_lock():
        _given = args, work, do, numbers.value
        numbers.value += 1


@cache
def _bench() -> Bench:
    """This process's own, made by its first run: a base that cannot be loaded is then an error of that run."""
    args, work, _, number = _given
    torch.set_num_threads(max(1, torch.get_num_threads() // args.workers) if args.device == "cpu" else 1)
    base = load(args.base, args.cache, device_of(args.device, number, torch.cuda.device_count()))
    return Bench(base=base, work=pickle.loads(work.read_bytes()), args=args)


def device_of(device: str, number: int, gpus: int) -> str:
    """Where the process of this number works: ``cuda`` means all the GPUs in turn."""
    return f"cuda:{number % gpus}" if device == "cuda" else device


def _do(run: Run) -> ResultRow:
    began = time.monotonic()
    try:
        measured = _given[2](_bench(), run)
    except Exception as error:
        raise RuntimeError(f"{run}: {type(error).__name__}: {error}") from error
    return {**asdict(run), **measured, "seconds": round(time.monotonic() - began, 1)}
