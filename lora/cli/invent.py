"""python -m lora invent: draws a data set from captions; a person selects the good drawings."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from lora.cli import flags
from lora.cli.flags import CFG_RANGE, MOST_DRAW_STEPS, MOST_PICTURES, between, seed, up_to
from lora.cli.terminal import UsageError, check_folder, check_seeds, load_base, read_adapter, read_text, say
from lora.jobs import DrawOptions
from lora.models import sticker_nano

if TYPE_CHECKING:
    from lora.drawing.candidates import CandidatesPlan
    from lora.models.base_model import Base

HELP = "make a data set from nothing but captions"

COLUMNS = {"text": ("text", "caption", "captions", "prompt")}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "table",
        type=Path,
        help="captions: Markdown, CSV or TSV with a column text, or one on each line (.txt)",
    )
    add("--out", type=Path, required=True, help="the data set's folder")
    add("--base", default=sticker_nano.NAME, help="a name, a diffusers folder or a .safetensors file")
    add("--adapter", type=Path, help="a LoRA file; without it the bare base draws")
    add("--keyword", type=flags.text, default="", help="put into every caption")
    add("--n", type=up_to(MOST_PICTURES), default=4, help="candidates for each caption")
    add(
        "--cfg",
        type=between(*CFG_RANGE),
        default=DrawOptions.cfg,
        help="how strictly captions are followed; 1 = no guidance",
    )
    add("--seed", type=seed, default=0, help="candidate i uses seed + i - 1")
    add("--steps", type=up_to(MOST_DRAW_STEPS), help="denoising steps; default: the base's own")
    add("--keep", metavar="1,4,7", help="which to keep; without it OUT/keep.txt is read")
    add("--cutouts", action="store_true", help="remove the backgrounds of those kept")
    flags.add_machine(parser)


def run(args: argparse.Namespace) -> None:
    """Draw the candidates and their contact sheets. Called again with the selected numbers, make the data set."""
    captions = _captions(args)
    check_seeds(args.seed, len(captions) * args.n)
    adapter = read_adapter(args.adapter) if args.adapter else None
    check_folder("--out", args.out)
    base = load_base(args.base, args)
    from lora.drawing import candidates

    plan = candidates.CandidatesPlan(
        captions=captions,
        each=args.n,
        base=base.hash,
        adapter=hashlib.sha256(adapter).hexdigest() if adapter else "",
        seed=args.seed,
        cfg=args.cfg,
        steps=base.draw_steps(args.steps),
    )
    try:
        _invent(args, base, adapter, plan)
    except candidates.CandidatesError as error:
        raise UsageError(str(error)) from error


def _invent(args: argparse.Namespace, base: Base, adapter: bytes | None, plan: CandidatesPlan) -> None:
    from lora.drawing import candidates

    candidates.begin(args.out, plan)
    numbers = candidates.selected(args.out, plan, args.keep)
    for number in candidates.draw_missing(args.out, plan, base, adapter):
        say(f"{number}/{plan.count}: {plan.caption(number)}")
    if not numbers:
        for sheet in candidates.write_sheets(args.out, plan):
            say(f"look at {sheet}")
        say(f"write the numbers to keep into {args.out / candidates.KEEP}, or give --keep; then call again")
        return
    candidates.build(args.out, plan, numbers, _remover(args, base, adapter) if args.cutouts else None)
    shown = len({plan.caption(number) for number in numbers})
    say(f"{args.out}: {len(numbers)} pictures of {shown} captions, ready to train on")
    say(f"python -m lora check {args.out} tells what could be better")


def _captions(args: argparse.Namespace) -> tuple[str, ...]:
    """The captions of the table, with keyword. Raises UsageError that names all bad ones."""
    from lora.data import caption_drafts, caption_table
    from lora.data.captions import normalise, with_keyword

    try:
        text = read_text(args.table)
        if args.table.suffix == ".txt":
            found = [line.strip() for line in text.splitlines() if line.strip()]
        else:
            found = [row["text"] for row in caption_table.read(text, COLUMNS)]
    except caption_table.TableError as error:
        raise UsageError(f"{args.table}: {error}") from error
    if not found:
        raise UsageError(f"{args.table}: no captions in it")
    wrong = [
        f"caption {n}: {why}"
        for n, c in enumerate(found, 1)
        if (why := caption_drafts.problem(c, args.keyword))
    ]
    captions = [with_keyword(normalise(c), args.keyword) if args.keyword else normalise(c) for c in found]
    wrong += [f"caption {n}: as another one" for n, c in enumerate(captions, 1) if c in captions[: n - 1]]
    if wrong:
        raise UsageError(f"{args.table}: {'; '.join(wrong)}")
    return tuple(captions)


def _remover(
    args: argparse.Namespace, base: Base, adapter: bytes | None
) -> Callable[[Image.Image], Image.Image]:
    """A function that removes the background that the candidates were drawn on."""
    from lora.adapters.adapter_file import read_info
    from lora.drawing.cutout import cut_out, remover
    from lora.drawing.sampling import background_of

    network = remover(args.cache_dir)
    colour = base.profile.backgrounds[background_of(base, read_info(adapter) if adapter else None)]
    return lambda image: cut_out(image, network, colour)
