"""python -m lora compare: all checkpoints of a run draw the same prompts, are measured, and one is chosen."""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.cli import flags
from lora.cli.flags import CFG_RANGE, MOST_DRAW_STEPS, MOST_PICTURES, between, seed, up_to, whole
from lora.cli.run_folder import (
    CHOSEN,
    CHOSEN_ADAPTER,
    CURVES,
    DRAWINGS,
    SCORES,
    SHEET,
    compared_drawing,
    reading,
    remove_drawings,
)
from lora.cli.run_record import add_run, base_name, checkpoints, read_json, samples, scorers
from lora.cli.terminal import UsageError, check_seeds, load_base, read_lines, say, say_json

if TYPE_CHECKING:
    from PIL import Image

    from lora.evaluation.compare import Comparison
    from lora.jobs import SavedCheckpoint

HELP = "compare the checkpoints of a run and choose the best"
SHEET_WIDTH = 1800  # px

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add = parser.add_argument
    add("--prompts", type=Path, help="a text file, one prompt a line; default: things that no caption names")
    add("--num_prompts", type=up_to(MOST_PICTURES), default=8, help="how many, without --prompts")
    add("--seeds", type=up_to(MOST_PICTURES), default=1, help="drawings of each prompt")
    add("--seed", type=seed, default=0, help="the first seed")
    add("--cfg", type=between(*CFG_RANGE), default=5.0)
    add("--steps", type=up_to(MOST_DRAW_STEPS), default=10, help="denoising steps of a drawing")
    add("--eye", type=Path, help="a local DINOv2 or CLIP to judge the look; default: EfficientNet-lite0")
    add("--clip", type=Path, help="a local CLIP to judge how prompts are followed; default: the base itself")
    add("--choose", type=whole, metavar="STEP", help="choose this one, after looking at the sheet")
    add("--json", action="store_true", help="print the scores as JSON, with the adapter's path as chosen")
    flags.add_machine(parser)


def run(args: argparse.Namespace) -> None:
    """Write the drawings, RUN/compare.png, scores.png, scores.json, chosen.json and best.safetensors.

    A choice that a person made before stays, also if the rule now chooses another step.
    """
    with reading(args.run):
        _run(args)


def _run(args: argparse.Namespace) -> None:
    check_seeds(args.seed, args.seeds)
    found = checkpoints(args.run)
    _check_step(args, found)
    known = read_json(args.run / SCORES)
    if args.choose and known:
        _check_known(args.run / SCORES, known)
        _choose_known(args, found, known)
        return
    by_person = args.choose or _chosen_before(args, found)
    compared = _compare(args, found)
    chosen = by_person or compared.choice.step
    by = "person" if by_person else "rule"
    report = _report(args, compared)
    # Without the old drawings a run that is killed here has no sheet to draw again, rather than a wrong one.
    remove_drawings(args.run)
    _write_choice(args, found, report, chosen, by=by)
    _write_pictures(args, compared, chosen)
    if args.json:
        _say_json(args, report, chosen, by=by)
        return
    from lora.evaluation.report import table

    say(table(compared, chosen))
    if by_person and not args.choose:
        say(f"That was before, and it stays so; --choose {compared.choice.step} takes the rule's.")
    say(f"\nlook at {args.run / SHEET} and {args.run / CURVES}")
    say(f"the adapter is {args.run / CHOSEN_ADAPTER}; take another one with --choose STEP")


def _check_step(args: argparse.Namespace, found: list[SavedCheckpoint]) -> None:
    steps = [one.step for one in found]
    if args.choose and args.choose not in steps:
        raise UsageError(f"--choose {args.choose}: the checkpoints are {', '.join(map(str, steps))}")


def _check_known(path: Path, known: dict[str, Any]) -> None:
    """Raises UsageError unless the scores of an earlier comparison have all that is shown of them again."""
    from lora.jobs import Score

    try:
        scores = [Score(**score) for score in known["scores"]]
        figures = [known["base"]["prompt"]]
        figures += [figure for one in scores for figure in (one.style, one.prompt, one.memorised)]
        whole = all(type(step) is int for step in (known["rule"]["step"], *(one.step for one in scores)))
        whole &= all(type(figure) in (int, float) for figure in figures)
        whole &= all(type(one.diversity) in (int, float, type(None)) for one in scores)
        whole &= all(type(prompt) is str for prompt in known["prompts"])
        whole &= bool(scores and known["prompts"])
    except (KeyError, TypeError):
        whole = False
    if not whole:
        raise UsageError(f"{path}: damaged; remove it and compare again")


def _chosen_before(args: argparse.Namespace, found: list[SavedCheckpoint]) -> int | None:
    """The step that a person chose in an earlier call, if its checkpoint is still there."""
    known = read_json(args.run / CHOSEN)
    if known.get("by") != "person":
        return None
    step = known.get("step")
    if not isinstance(step, int) or step not in [one.step for one in found]:
        log.warning("you had chosen step %s, and there is no such checkpoint any more", step)
        return None
    return step


def _say_json(args: argparse.Namespace, report: dict[str, Any], chosen: int, *, by: str) -> None:
    more = {"chosen": str(args.run / CHOSEN_ADAPTER), "step": chosen, "by": by}
    say_json(report | more)


def _compare(args: argparse.Namespace, found: list[SavedCheckpoint]) -> Comparison:
    """Draw and measure; print the progress every five seconds."""
    training_samples = samples(args)
    base = load_base(base_name(args, found[0].adapter), args)
    from lora.evaluation import compare

    settings = compare.CompareSettings(
        prompts=_prompts(args, [sample.caption for sample in training_samples], _keyword(found)),
        seeds=tuple(range(args.seed, args.seed + args.seeds)),
        cfg=args.cfg,
        steps=args.steps,
    )
    began = said = time.monotonic()
    for event in compare.compare(base, training_samples, found, *scorers(args, base), settings):
        if isinstance(event, compare.Comparison):
            return event
        now = time.monotonic()
        if now - said > 5 and not args.json:
            said = now
            left = (now - began) / event.step * (event.steps - event.step)
            say(f"comparing {len(found)} checkpoints: {event.step}/{event.steps}, {left:.0f} s left")
    raise AssertionError("a comparison ends with its result")


def _keyword(found: list[SavedCheckpoint]) -> str:
    from lora.adapters.adapter_file import read_info

    about = read_info(found[0].adapter)
    return about.keyword if about else ""


def _prompts(args: argparse.Namespace, captions: list[str], keyword: str) -> tuple[str, ...]:
    """The prompts that were given, or probe prompts."""
    from lora.evaluation.probe_prompts import PromptError, check_new, new_prompts

    try:
        if args.prompts is None:
            return tuple(new_prompts(captions, args.num_prompts))
        prompts = tuple(dict.fromkeys(read_lines(args.prompts)))
        check_new(prompts, captions, keyword)
    except PromptError as error:
        raise UsageError(f"{args.prompts or args.run}: {error}") from error
    if not prompts:
        raise UsageError(f"{args.prompts}: no prompts in it")
    return prompts


def _report(args: argparse.Namespace, compared: Comparison) -> dict[str, Any]:
    """The content of scores.json. Its keys are a file format and keep their names."""
    folder = args.train_data_dir or Path(read_json(args.run / SCORES)["train_data_dir"])
    return {
        "train_data_dir": str(folder.resolve()),
        "prompts": list(compared.prompts),
        "seeds": list(compared.settings.seeds),
        "cfg": compared.settings.cfg,
        "steps": compared.settings.steps,
        "eye": str(args.eye or "efficientnet-lite0"),
        "reader": str(args.clip or "the base itself"),
        "base": {"prompt": compared.base_prompt},
        "scores": [asdict(score) for score in compared.scores],
        "rule": {
            "step": compared.choice.step,
            "why": str(compared.choice.reason),
            "others": {str(step): str(reason) for step, reason in compared.choice.others.items()},
        },
    }


def _write_pictures(args: argparse.Namespace, compared: Comparison, chosen: int) -> None:
    """The drawings, the sheet of them and the plot of the scores."""
    from lora.evaluation.report import sheet
    from lora.files import write_whole
    from lora.sheets.curves import curves
    from lora.sheets.paint import to_png

    for row in compared.on_sheet:
        for column, picture in enumerate(row.pictures):
            write_whole(compared_drawing(args.run, row.step, column), to_png(picture))
    write_whole(args.run / SHEET, sheet(compared, chosen, width=SHEET_WIDTH))
    write_whole(args.run / CURVES, curves(compared.scores, compared.base_prompt, chosen))


def _draw_sheet_again(args: argparse.Namespace, known: dict[str, Any], chosen: int) -> None:
    """The sheet of an earlier comparison from its drawings, and its plot, with another step marked."""
    from lora.data.pictures import PictureError
    from lora.evaluation.report import sheet_of
    from lora.files import write_whole
    from lora.jobs import Score
    from lora.sheets.curves import curves

    scores = [Score(**score) for score in known["scores"]]
    write_whole(args.run / CURVES, curves(scores, known["base"]["prompt"], chosen))
    try:
        drawings = [
            [_read_drawing(compared_drawing(args.run, step, n)) for n in range(len(known["prompts"]))]
            for step in (None, *(score.step for score in scores))
        ]
    except FileNotFoundError as error:
        problem = f"{error.filename}: gone"
    except PictureError as error:
        problem = f"{args.run / DRAWINGS}: {error}"
    else:
        again = sheet_of(known["prompts"], scores, drawings, chosen, width=SHEET_WIDTH)
        write_whole(args.run / SHEET, again)
        return
    log.warning(
        "%s, so nothing is marked on %s; without --choose it is drawn again", problem, args.run / SHEET
    )


def _read_drawing(path: Path) -> Image.Image:
    """Raises FileNotFoundError, and PictureError with the file's name."""
    from lora.data.pictures import PictureError, open_rgba

    try:
        return open_rgba(path.read_bytes()).convert("RGB")
    except PictureError as error:
        raise PictureError(error.code, path.name) from error


def _write_choice(
    args: argparse.Namespace,
    found: list[SavedCheckpoint],
    report: dict[str, Any],
    chosen: int,
    *,
    by: str,
) -> None:
    """The adapter is written before the files that name it, so that the named one is always there."""
    from lora.files import write_whole

    adapter = next(one.adapter for one in found if one.step == chosen)
    write_whole(args.run / CHOSEN_ADAPTER, adapter)
    write_whole(args.run / CHOSEN, (json.dumps({"step": chosen, "by": by}) + "\n").encode())
    scores = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(args.run / SCORES, f"{scores}\n".encode(errors="backslashreplace"))


def _choose_known(args: argparse.Namespace, found: list[SavedCheckpoint], known: dict[str, Any]) -> None:
    """A person's choice after a comparison: the checkpoints draw nothing again, and the scores stay."""
    _write_choice(args, found, known, args.choose, by="person")
    _draw_sheet_again(args, known, args.choose)
    if args.json:
        _say_json(args, known, args.choose, by="person")
        return
    adapter = args.run / CHOSEN_ADAPTER
    say(f"you chose step {args.choose} (the rule: step {known['rule']['step']}); it is {adapter} now")
