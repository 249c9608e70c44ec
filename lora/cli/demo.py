"""python -m lora demo: ten new prompts at three CFG values with a run's chosen adapter, on one sheet.

The first row is the bare base's, without the adapter, so that one sees what was learned.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.cli import flags
from lora.cli.flags import CFG_RANGE, MOST_DRAW_STEPS, between, seed, up_to
from lora.cli.run_folder import ADAPTER, CHOSEN, CHOSEN_ADAPTER, DEMO_FACTS, DEMO_SHEET, reading
from lora.cli.run_record import add_run, base_name, read_json, samples, to_json
from lora.cli.terminal import UsageError, about_adapter, check_seeds, load_base, read_adapter, read_lines, say

if TYPE_CHECKING:
    from PIL import Image

    from lora.adapters.adapter_file import AdapterInfo
    from lora.models.base_model import Base

HELP = "draw ten new prompts at three CFG values and with the bare base, on one sheet"
PROMPTS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add = parser.add_argument
    add("--prompts", type=Path, help="a text file, one prompt a line; none may be a training caption")
    add(
        "--cfg",
        type=between(*CFG_RANGE),
        nargs="+",
        default=[3.0, 5.0, 7.0],
        help="a row of the sheet for each",
    )
    add("--seed", type=seed, default=0, help="prompt i uses seed + i at every CFG")
    add("--steps", type=up_to(MOST_DRAW_STEPS), help="denoising steps; default: the base's own")
    add("--adapter", type=Path, help="default: RUN/best.safetensors, else the end of the training")
    flags.add_machine(parser)


def run(args: argparse.Namespace) -> None:
    """Write the sheet to RUN/demo.png, and its prompts and settings to RUN/demo.json."""
    with reading(args.run):
        _run(args)


def _run(args: argparse.Namespace) -> None:
    from lora.files import write_whole

    path = _adapter(args)
    adapter = read_adapter(path)
    with about_adapter(path):
        about = _about(path, adapter)
    captions = [sample.caption for sample in samples(args)]
    prompts = _prompts(args, captions, about.keyword)
    check_seeds(args.seed, len(prompts))
    base = load_base(base_name(args, adapter), args)
    steps = base.draw_steps(args.steps)
    with about_adapter(path):
        rows = _draw(args, base, steps, prompts, adapter)
    chosen_by = read_json(args.run / CHOSEN).get("by") if path.name == CHOSEN_ADAPTER else None
    facts = {
        "adapter": str(path),
        "step": about.steps,
        "by": chosen_by or "nobody: the checkpoints have not been compared",
        "base": about.base,
        "keyword": about.keyword,
        "prompts": prompts,
        "cfg": args.cfg,
        "seeds": [args.seed + number for number in range(len(prompts))],
        "steps": steps,
    }
    write_whole(args.run / DEMO_SHEET, _sheet(prompts, rows, args.cfg, about))
    write_whole(args.run / DEMO_FACTS, to_json(facts))
    say(f"{len(prompts) * len(rows)} drawings of step {about.steps}: {args.run / DEMO_SHEET}")


def _adapter(args: argparse.Namespace) -> Path:
    if args.adapter:
        return Path(args.adapter)
    found = [path for name in (CHOSEN_ADAPTER, ADAPTER) if (path := args.run / name).is_file()]
    if not found:
        raise UsageError(f"{args.run}: neither {CHOSEN_ADAPTER} nor {ADAPTER} in it; train first")
    return found[0]


def _about(path: Path, adapter: bytes) -> AdapterInfo:
    from lora.adapters.adapter_file import read_info

    about = read_info(adapter)
    if about is None:
        raise UsageError(f"{path}: does not say what it was trained on, so it is none of this project's")
    return about


def _prompts(args: argparse.Namespace, captions: list[str], keyword: str) -> list[str]:
    from lora.evaluation.probe_prompts import PromptError, check_new, new_prompts

    try:
        if args.prompts is None:
            return new_prompts(captions, PROMPTS)
        prompts = read_lines(args.prompts)
        if not prompts:
            raise UsageError(f"{args.prompts}: no prompts in it")
        check_new(prompts, captions, keyword)
    except PromptError as error:
        raise UsageError(f"{args.prompts or args.run}: {error}") from error
    return prompts


def _draw(
    args: argparse.Namespace, base: Base, steps: int, prompts: list[str], adapter: bytes
) -> list[list[Image.Image]]:
    """The bare base's row at the middle CFG, then one for each CFG. Drawings of a column have the same seed."""
    from lora.drawing import sampling

    rows = [(None, _middle(args.cfg)), *((adapter, cfg) for cfg in args.cfg)]
    items = [
        sampling.Item(prompt=prompt, adapter=with_adapter, seed=args.seed + number, cfg=cfg)
        for with_adapter, cfg in rows
        for number, prompt in enumerate(prompts)
    ]
    pictures: dict[int, Any] = {}
    said = time.monotonic()
    for drawn in sampling.draw(base, items, steps=steps):
        if isinstance(drawn, sampling.Picture):
            pictures[drawn.index] = drawn.image
            if time.monotonic() - said > 5:
                said = time.monotonic()
                say(f"drawn {len(pictures)} of {len(items)}")
    across = len(prompts)
    return [[pictures[row * across + i] for i in range(across)] for row in range(len(rows))]


def _middle(cfgs: list[float]) -> float:
    return sorted(cfgs)[len(cfgs) // 2]


def _sheet(prompts: list[str], rows: list[list[Image.Image]], cfgs: list[float], about: AdapterInfo) -> bytes:
    from lora.sheets.contact_sheet import Line, contact_sheet

    bare, *learned = rows
    lines = [Line(name="bare base", facts=(f"CFG {_middle(cfgs):g}",), pictures=tuple(bare))]
    lines += [
        Line(name=f"CFG {cfg:g}", pictures=tuple(pictures))
        for cfg, pictures in zip(cfgs, learned, strict=True)
    ]
    title = f"{about.keyword or 'adapter'}, step {about.steps}: new prompts"
    return contact_sheet(title, prompts, lines, width=1800)
