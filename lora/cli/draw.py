"""python -m lora draw: draws every line of a file as a picture, and as a sticker if asked."""

from __future__ import annotations

import argparse
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from lora.cli import flags
from lora.cli.flags import CFG_RANGE, MOST_DRAW_STEPS, MOST_PICTURES, SEEDS, up_to
from lora.cli.terminal import (
    UsageError,
    about_adapter,
    check_folder,
    load_base,
    read_adapter,
    read_lines,
    say,
)
from lora.jobs import CUTOUTS, Draw, DrawOptions
from lora.models import sticker_nano
from lora.option_text import (
    STRENGTHS,
    NotAnOption,
    read_cfg,
    read_outline,
    read_seed,
    read_strength,
    seed_text,
)

HELP = "draw prompts from a file"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--base",
        default=sticker_nano.NAME,
        help=f"{sticker_nano.NAME}, sd-2.1, sd-2.1-base, a diffusers folder, a .safetensors file",
    )
    add("--adapter", type=Path, help="a LoRA file; without it the bare base draws")
    add("--prompts", type=Path, required=True, help="a text file, one prompt a line")
    add(
        "--negative_prompt",
        "--no",
        type=flags.text,
        default="",
        help="words for what shall not be in the pictures",
    )
    add(
        "--cfg",
        type=_cfg,
        default=(DrawOptions.cfg,),
        help="how strictly the prompt is followed; 1 = no guidance; 3,5,8 = a sweep, with OUT/sheet.png",
    )
    add("--seed", type=_seed, default=(0, ()), help="picture i uses seed + i; 42~7 = near that of seed 42")
    add("--n", type=up_to(MOST_PICTURES), default=1, help="pictures for each prompt and CFG value")
    add("--strength", type=_strength, default=1.0, help="of the adapter, 0 to 1.5; 1 = as it was trained")
    add("--steps", type=up_to(MOST_DRAW_STEPS), help="denoising steps; default: the base's own")
    add("--out", type=Path, required=True)
    add("--stickers", action="store_true", help="also cut out and fit: OUT/000.webp and so on")
    add("--outline", type=_outline, default=DrawOptions.outline, help="none, white, black or #rrggbb")
    add(
        "--outline_px",
        type=up_to(64, least=0),
        default=DrawOptions.outline_px,
        help="width of the stickers' outline",
    )
    add("--cutout", choices=CUTOUTS, default=DrawOptions.cutout, help="how the background is removed")
    flags.add_machine(parser)


def run(args: argparse.Namespace) -> None:
    """Draw every line of the prompts file to OUT/000.png and so on; of a sweep also OUT/sheet.png."""
    prompts = read_lines(args.prompts)
    if not prompts:
        raise UsageError(f"{args.prompts}: no prompts in it")
    check_folder("--out", args.out)
    options, each = _options(args, len(prompts)), args.n * len(args.cfg)
    adapter = read_adapter(args.adapter) if args.adapter else None
    base = load_base(args.base, args)
    from lora.drawing.sampling import Item, Picture, draw
    from lora.drawing.sticker import StickerMaker
    from lora.files import write_whole

    maker = StickerMaker(args.cache_dir) if args.stickers else None
    items = [
        Item.of_job(Draw(id=0, attempt=0, prompt=prompts[i // each], adapter=adapter, options=options), i)
        for i in range(options.count)
    ]
    pictures: dict[int, Image.Image] = {}
    with about_adapter(args.adapter):
        for drawn in draw(base, items, steps=base.draw_steps(args.steps)):
            if isinstance(drawn, Picture):
                path = args.out / f"{drawn.index:03d}.png"
                write_whole(path, _png(drawn.image))
                say(str(path))
                pictures[drawn.index] = drawn.image
                if maker is not None:
                    sticker = maker(drawn.image, drawn.background_colour, options)
                    write_whole(path.with_suffix(".webp"), sticker)
                    pictures[drawn.index] = Image.open(io.BytesIO(sticker)).convert("RGBA")
    if options.sweep:
        rows = [[pictures[i + k] for k in range(len(args.cfg))] for i in range(0, len(items), len(args.cfg))]
        write_whole(
            args.out / "sheet.png", _sheet(options, [prompts[i // args.n] for i in range(len(rows))], rows)
        )
        say(str(args.out / "sheet.png"))


def _options(args: argparse.Namespace, prompts: int) -> DrawOptions:
    """The options as those of one job that has all pictures, so that each has the seed it would have in the chat.

    Raises UsageError if the last one's seed is none that can be asked for.
    """
    seed, near = args.seed
    options = DrawOptions(
        cfg=args.cfg[0],
        sweep=args.cfg if len(args.cfg) > 1 else (),
        steps=args.steps,
        seed=seed,
        near=near,
        count=prompts * args.n * len(args.cfg),
        strength=args.strength,
        negative_prompt=args.negative_prompt,
        outline=args.outline,
        outline_px=args.outline_px,
        cutout=args.cutout,
    )
    beyond = options.of_picture(options.count - 1).newest_seed - (SEEDS - 1)
    if beyond > 0:
        most = SEEDS - 1 - beyond
        raise UsageError(f"--seed {seed_text(seed, near)}: with so many pictures, {most} is the largest one")
    return options


def _sheet(options: DrawOptions, prompts: Sequence[str], rows: Sequence[Sequence[Image.Image]]) -> bytes:
    from lora.sheets.sweep_sheet import SweepRow, sweep_sheet

    named = [
        SweepRow(name=prompt, pictures=tuple(pictures))
        for prompt, pictures in zip(prompts, rows, strict=True)
    ]
    return sweep_sheet("CFG sweep", [f"CFG {value:g}" for value in options.sweep], named)


def _typed(text: str, read: Callable[[str], Any], expected: str) -> Any:
    try:
        return read(text)
    except NotAnOption:
        raise argparse.ArgumentTypeError(f"{text!r} is not {expected}") from None


def _cfg(text: str) -> Any:
    expected = "a number from {:g} to {:g}, or several such as 3,5,8".format(*CFG_RANGE)
    return _typed(text, lambda found: read_cfg(found, *CFG_RANGE), expected)


def _seed(text: str) -> Any:
    return _typed(
        text, lambda found: read_seed(found, SEEDS - 1), "a whole number from 0 on, or several such as 42~7"
    )


def _strength(text: str) -> Any:
    return _typed(text, read_strength, "a number from {:g} to {:g}".format(*STRENGTHS))


def _outline(text: str) -> Any:
    return _typed(text, read_outline, "none, white, black or #rrggbb")


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
