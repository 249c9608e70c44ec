"""python -m lora draw: draws every line of a file as a picture, and as a sticker if asked."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from lora.cli import flags
from lora.cli.flags import count, positive, whole
from lora.cli.terminal import UsageError, about_adapter, load_base, read_adapter, read_lines, say
from lora.jobs import DrawOptions
from lora.models import sticker_nano

if TYPE_CHECKING:
    from lora.drawing.sticker import StickerMaker

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
    add("--negative_prompt", default="")
    add(
        "--cfg",
        type=positive,
        default=DrawOptions.cfg,
        help="how strictly the prompt is followed; 1 = no guidance",
    )
    add("--seed", type=count, default=0, help="picture i uses seed + i")
    add("--steps", type=whole, default=DrawOptions.steps)
    add("--out", type=Path, required=True)
    add("--stickers", action="store_true", help="also cut out and fit: OUT/000.webp and so on")
    add("--outline_px", type=count, default=DrawOptions.outline_px, help="white outline of stickers")
    flags.add_machine(parser)


def run(args: argparse.Namespace) -> None:
    """Draw every line of the prompts file to OUT/000.png and so on."""
    prompts = read_lines(args.prompts)
    if not prompts:
        raise UsageError(f"{args.prompts}: no prompts in it")
    adapter = read_adapter(args.adapter) if args.adapter else None
    base = load_base(args.base, args)
    from lora.drawing.sampling import Item, Picture, draw
    from lora.files import write_whole

    maker = _sticker_maker(args) if args.stickers else None
    options = DrawOptions(outline_px=args.outline_px)
    items = [
        Item(
            prompt=prompt,
            negative_prompt=args.negative_prompt,
            adapter=adapter,
            seed=args.seed + i,
            cfg=args.cfg,
        )
        for i, prompt in enumerate(prompts)
    ]
    with about_adapter(args.adapter):
        for drawn in draw(base, items, steps=args.steps):
            if isinstance(drawn, Picture):
                path = args.out / f"{drawn.index:03d}.png"
                write_whole(path, _png(drawn.image))
                say(str(path))
                if maker is not None:
                    write_whole(
                        path.with_suffix(".webp"), maker(drawn.image, drawn.background_colour, options)
                    )


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _sticker_maker(args: argparse.Namespace) -> StickerMaker:
    from lora.drawing.sticker import StickerMaker

    return StickerMaker(args.cache_dir)
