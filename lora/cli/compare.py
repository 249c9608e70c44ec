"""python -m lora compare: all checkpoints of a run draw the same prompts; they are scored and one is chosen."""

from __future__ import annotations

import argparse
import json
import logging
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.cli import flags
from lora.cli.flags import count, positive, whole
from lora.cli.run_folder import BEST, CHOSEN, CURVES, SCORES, SHEET
from lora.cli.run_record import add_run, base_name, checkpoints, judges, read_json, samples
from lora.cli.terminal import UsageError, load_base, read_lines, say

if TYPE_CHECKING:
    from lora.evaluation.compare import Comparison
    from lora.jobs import SavedCheckpoint

HELP = "compare the checkpoints of a run and choose the best"
SHEET_WIDTH = 1800  # px

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add_run(parser)
    add = parser.add_argument
    add("--prompts", type=Path, help="a text file, one prompt a line; default: things that no caption holds")
    add("--num_prompts", type=whole, default=8, help="how many, without --prompts")
    add("--seeds", type=whole, default=1, help="drawings of each prompt")
    add("--seed", type=count, default=0, help="the first seed")
    add("--cfg", type=positive, default=5.0)
    add("--steps", type=whole, default=10, help="denoising steps of a drawing")
    add("--eye", type=Path, help="a local DINOv2 or CLIP to judge the look; default: EfficientNet-lite0")
    add("--clip", type=Path, help="a local CLIP to judge how prompts are followed; default: the base itself")
    add("--choose", type=whole, metavar="STEP", help="choose this one, after looking at the sheet")
    add("--json", action="store_true", help="print the scores as JSON, with the adapter's path as chosen")
    flags.add_machine(parser)


def run(args: argparse.Namespace) -> None:
    """Write RUN/compare.png, scores.png, scores.json, chosen.json and best.safetensors; say what was chosen.

    What a person has chosen before stays chosen, whatever the rule says now.
    """
    kept = checkpoints(args.run)
    _check_step(args, kept)
    known = read_json(args.run / SCORES)
    if args.choose and known:
        _choose_known(args, kept, known)
        return
    theirs = args.choose or _chosen_before(args, kept)
    compared = _compare(args, kept)
    chosen = theirs or compared.choice.step
    report = _report(args, compared)
    _write_pictures(args, compared, chosen)
    _write_choice(args, kept, report, chosen, by="person" if theirs else "rule")
    if args.json:
        _say_json(args, report, chosen, by="person" if theirs else "rule")
        return
    from lora.evaluation.report import table

    say(table(compared, chosen))
    if theirs and not args.choose:
        say(f"That was before, and it stays so; --choose {compared.choice.step} takes the rule's.")
    say(f"\nlook at {args.run / SHEET} and {args.run / CURVES}")
    say(f"the adapter is {args.run / BEST}; take another one with --choose STEP")


def _check_step(args: argparse.Namespace, kept: list[SavedCheckpoint]) -> None:
    steps = [one.step for one in kept]
    if args.choose and args.choose not in steps:
        raise UsageError(f"--choose {args.choose}: the checkpoints are {', '.join(map(str, steps))}")


def _chosen_before(args: argparse.Namespace, kept: list[SavedCheckpoint]) -> int | None:
    """The step that a person chose in an earlier call, if its checkpoint is still there."""
    known = read_json(args.run / CHOSEN)
    if known.get("by") != "person":
        return None
    step = known.get("step")
    if not isinstance(step, int) or step not in [one.step for one in kept]:
        log.warning("you had chosen step %s, and there is no such checkpoint any more", step)
        return None
    return step


def _say_json(args: argparse.Namespace, report: dict[str, Any], chosen: int, *, by: str) -> None:
    more = {"chosen": str(args.run / BEST), "step": chosen, "by": by}
    say(json.dumps(report | more, ensure_ascii=False, allow_nan=False))


def _compare(args: argparse.Namespace, kept: list[SavedCheckpoint]) -> Comparison:
    """Draw and score, saying now and then how far it is."""
    own = samples(args)
    base = load_base(base_name(args, kept[0].adapter), args)
    from lora.evaluation import compare

    prompts = _prompts(args, [sample.caption for sample in own], _keyword(kept))
    how = compare.CompareSettings(
        prompts=prompts,
        seeds=tuple(range(args.seed, args.seed + args.seeds)),
        cfg=args.cfg,
        steps=args.steps,
    )
    eye, reader = judges(args, base)
    began = said = time.monotonic()
    for event in compare.compare(base, own, kept, eye, reader, how):
        if isinstance(event, compare.Comparison):
            return event
        now = time.monotonic()
        if now - said > 5 and not args.json:
            said = now
            left = (now - began) / event.step * (event.steps - event.step)
            say(f"comparing {len(kept)} checkpoints: {event.step}/{event.steps}, {left:.0f} s left")
    raise AssertionError("a comparison ends with its result")


def _keyword(kept: list[SavedCheckpoint]) -> str:
    from lora.adapters.adapter_file import read_info

    about = read_info(kept[0].adapter)
    return about.keyword if about else ""


def _prompts(args: argparse.Namespace, captions: list[str], keyword: str) -> tuple[str, ...]:
    """The prompts that were given, or the first ones that no caption holds."""
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
    """All that is kept of a comparison, as plain values."""
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
            "why": compared.choice.why,
            "others": {str(step): why for step, why in compared.choice.others.items()},
        },
    }


def _write_pictures(args: argparse.Namespace, compared: Comparison, chosen: int) -> None:
    from lora.evaluation.report import sheet
    from lora.files import write_whole
    from lora.sheets.curves import curves

    write_whole(args.run / SHEET, sheet(compared, chosen, width=SHEET_WIDTH))
    write_whole(args.run / CURVES, curves(compared.scores, compared.base_prompt, chosen))


def _mark_anew(args: argparse.Namespace, known: dict[str, Any], chosen: int) -> None:
    """Mark another row and step on the pictures of a comparison; its drawings are taken from its own sheet."""
    from lora.evaluation.report import marked_anew
    from lora.files import write_whole
    from lora.jobs import Score
    from lora.sheets.contact_sheet import SheetError
    from lora.sheets.curves import curves

    scores = [Score(**score) for score in known["scores"]]
    write_whole(args.run / CURVES, curves(scores, known["base"]["prompt"], chosen))
    path = args.run / SHEET
    try:
        write_whole(path, marked_anew(path.read_bytes(), known["prompts"], scores, chosen, width=SHEET_WIDTH))
    except FileNotFoundError:
        log.warning("%s: gone, so nothing is marked on it; without --choose it is drawn again", path)
    except SheetError as error:
        log.warning("%s: %s, so nothing is marked on it; without --choose it is drawn again", path, error)


def _write_choice(
    args: argparse.Namespace, kept: list[SavedCheckpoint], report: dict[str, Any], chosen: int, *, by: str
) -> None:
    """The adapter before the files that name it, so that what is named is always there."""
    from lora.files import write_whole

    adapter = next(one.adapter for one in kept if one.step == chosen)
    write_whole(args.run / BEST, adapter)
    write_whole(args.run / CHOSEN, (json.dumps({"step": chosen, "by": by}) + "\n").encode())
    scores = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    write_whole(args.run / SCORES, f"{scores}\n".encode())


def _choose_known(args: argparse.Namespace, kept: list[SavedCheckpoint], known: dict[str, Any]) -> None:
    """A person's choice after a comparison: nothing is drawn again, the scores stay as they are."""
    _write_choice(args, kept, known, args.choose, by="person")
    _mark_anew(args, known, args.choose)
    if args.json:
        _say_json(args, known, args.choose, by="person")
        return
    say(f"you chose step {args.choose} (the rule: step {known['rule']['step']}); it is {args.run / BEST} now")
