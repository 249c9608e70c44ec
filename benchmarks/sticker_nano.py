"""Measures the quality, size and speed of the bundled base.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.sticker_nano                 # all figures; --only NAME, more than once, for some

vae       mean over pictures of the PSNR in RGB on white, of drawings of concepts that no training saw, at 256 px
concepts  60 concepts that all six sets share, drawn with a style's name, three seeds each: how often the nearest
          real drawing is of the right concept. Compared with the five other sets, and with all six
synonyms  the same for 60 words that no caption consisted of (``lora.pretrain.names.held_out_words``), without a style
colours   60 prompts like ``pink elephant``: how often most of the drawing has the colour (``benchmarks.colours``);
          before that, how often that judge is right on real drawings recoloured by script
two-parts a sheet of 30 prompts like ``cat with sunglasses``, for people to look at
background
          share of border pixels (4 px wide at 256 px) within 2/255 of white, of drawings on white; that of the same
          concepts' real drawings, many of which touch the border; and the first as a share of the border pixels
          within 16/255
size      all weights in the repository together
speed     seconds for one sticker: the base's own steps with CFG, decoding, cutting out, fitting, encoding
training  seconds for 300 steps at batch 4, from 60 of them

All but ``vae`` use drawings in the size that the base draws. Concepts, words, styles and seeds were fixed before the
first drawing was seen. Drawings are stored in ``--kept``, so that an interrupted run continues. Speed and training are
those of the CPU, whatever ``--device`` is.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file

from benchmarks import flags
from benchmarks.colours import ASKED, colour_of, recoloured
from benchmarks.drawing_cache import CFG, drawings
from benchmarks.features import features, nearest
from benchmarks.prompts import COLOUR_PROMPTS, TWO_PARTS
from lora.models.base_model import Base
from lora.models.sticker_nano import BUNDLED, NAME
from lora.pretrain.drawings import SETS, held_out, load_named, shared_concepts
from lora.pretrain.names.held_out_words import held_out_synonyms
from lora.pretrain.vae import psnr

HELD_OUT_DRAWINGS = 200
CONCEPTS = 60
SEEDS = (0, 1, 2)
STYLES = tuple(SETS)
BORDER, FLAT, BACKGROUND = 1 / 64, 2, 16  # of the side, of 255, of 255
TIMED_STEPS, TRAINING_STEPS = 60, 300


def chosen_concepts(folder: Path) -> list[str]:
    """60 of the concepts that all six sets share and that training saw."""
    drawings = load_named(folder)
    unseen = held_out(drawings)
    return Random(60).sample([c for c in shared_concepts(drawings) if c not in unseen], CONCEPTS)


def vae(args: argparse.Namespace, base: Base) -> None:
    stored = load_file(args.dir / "drawings.safetensors")
    pictures = stored["pictures"][stored["held_out"]]
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(200))[:HELD_OUT_DRAWINGS]
    with torch.inference_mode():
        value = psnr(base.vae, pictures[order].to(base.device))
    print(f"vae: {value:.2f} dB over {len(order)} held-out drawings", flush=True)


class Real:
    """The training sets' drawings of some concepts, and their features."""

    def __init__(self, folder: Path, names: list[str], device: torch.device) -> None:
        rows = json.loads((folder / "drawings.json").read_text())
        stored = load_file(folder / "drawings.safetensors")["pictures"]
        used = [i for i, row in enumerate(rows) if row["concept"] in names]
        self.concepts = [rows[i]["concept"] for i in used]
        self.styles = [rows[i]["style"] for i in used]
        self.device = device
        self.references = features([on_white(stored[i]) for i in used], device)

    def right(self, queries: torch.Tensor, wanted: Sequence[str], styles: Sequence[str | None]) -> float:
        """The share of queries [n, 1280] whose nearest drawing shows the wanted concept.

        A query is not compared with drawings of its own entry of ``styles``.
        """
        allowed = torch.tensor([[style != own for own in self.styles] for style in styles])
        found = nearest(queries, self.references, allowed).tolist()
        return statistics.mean(self.concepts[i] == word for i, word in zip(found, wanted, strict=True))


def concepts(args: argparse.Namespace, base: Base) -> None:
    names = chosen_concepts(args.dir)
    real = Real(args.dir, names, base.device)
    own = real.right(real.references, real.concepts, list(real.styles))
    print(f"real drawings: {own:.1%} (chance {1 / CONCEPTS:.1%})")
    wanted = [(name, STYLES[(i + seed) % 6], seed) for seed in SEEDS for i, name in enumerate(names)]
    pictures = drawings(
        base, [(f"{style} {name}", seed) for name, style, seed in wanted], args.kept, args.batch
    )
    found = features(pictures, base.device)
    words = [name for name, _, _ in wanted]
    others = real.right(found, words, [style for _, style, _ in wanted])
    among_all = real.right(found, words, [None] * len(words))
    print(f"concepts: {others:.1%} among the five other sets, {among_all:.1%} among all six "
          f"({len(pictures)} pictures)", flush=True)  # fmt: skip
    save_sheet(pictures[:CONCEPTS], args.sheets / f"{NAME}.png")


def synonyms(args: argparse.Namespace, base: Base) -> None:
    pairs = held_out_synonyms(load_named(args.dir))
    real = Real(args.dir, [concept for _, concept in pairs], base.device)
    own = real.right(real.references, real.concepts, list(real.styles))
    print(f"real drawings of the synonyms' concepts: {own:.1%}")
    asked = [(word, seed) for seed in SEEDS for word, _ in pairs]
    labels = [(concept, seed) for seed in SEEDS for _, concept in pairs]
    wanted = [concept for concept, _ in labels]
    for name, prompts in (("synonyms", asked), ("their concepts' own labels", labels)):
        pictures = drawings(base, prompts, args.kept, args.batch)
        share = real.right(features(pictures, base.device), wanted, [None] * len(wanted))
        print(f"{name}: {share:.1%} among all six sets ({len(pictures)} pictures)", flush=True)
        save_sheet(pictures[: len(pairs)], args.sheets / f"{name.split()[0]}.png")


def colours(args: argparse.Namespace, base: Base) -> None:
    shares = judged_real(args.dir)
    print(f"the judge on real drawings: right for {shares[0]:.1%} recoloured, "
          f"and for {shares[1]:.1%} left as they are")  # fmt: skip
    pictures = drawings(base, [(prompt, 0) for _, prompt in COLOUR_PROMPTS], args.kept, args.batch)
    found = [colour_of(picture) for picture in pictures]
    right = [one == colour for one, (colour, _) in zip(found, COLOUR_PROMPTS, strict=True)]
    each = {c: sum(r for r, (d, _) in zip(right, COLOUR_PROMPTS, strict=True) if d == c) for c in ASKED}
    print(f"colours: {statistics.mean(right):.1%} of {len(right)} ("
          + ", ".join(f"{colour} {count}" for colour, count in each.items())
          + f", of {len(right) // len(ASKED)} each)", flush=True)  # fmt: skip
    save_sheet(pictures, args.sheets / "colours.png", columns=len(ASKED) * 2)


def judged_real(folder: Path, count: int = 120) -> tuple[float, float]:
    """The share of real drawings that the judge gives a colour: after they were recoloured in it, and before."""
    stored = load_file(folder / "drawings.safetensors")["pictures"]
    chosen = Random("colours").sample(range(len(stored)), count)
    given, left = [], []
    for number, i in enumerate(chosen):
        colour = list(ASKED)[number % len(ASKED)]
        given.append(colour_of(recoloured(stored[i].permute(1, 2, 0).numpy(), colour)) == colour)
        left.append(colour_of(on_white(stored[i])) == colour)
    return statistics.mean(given), statistics.mean(left)


def two_parts(args: argparse.Namespace, base: Base) -> None:
    pictures = drawings(base, [(prompt, 0) for prompt in TWO_PARTS], args.kept, args.batch)
    print("two parts, by rows of ten: " + "; ".join(TWO_PARTS))
    save_sheet(pictures, args.sheets / "two-parts.png")


def background(args: argparse.Namespace, base: Base) -> None:
    wanted = [(STYLES[i % 6], name) for i, name in enumerate(chosen_concepts(args.dir))]
    prompts = [(f"{style} {name}", 0) for style, name in wanted]
    own = statistics.mean(flat_share(picture) for picture in real_drawings(args.dir, wanted))
    pictures = drawings(base, prompts, args.kept, args.batch)
    shares = [flat_share(picture) for picture in pictures]
    only = statistics.mean(shares) / statistics.mean(flat_share(picture, BACKGROUND) for picture in pictures)
    print(f"background: {statistics.mean(shares):.1%} of border pixels within {FLAT}/255 of white (worst drawing "
          f"{min(shares):.1%}; real drawings {own:.1%}), {only:.1%} of those of background", flush=True)  # fmt: skip


def real_drawings(folder: Path, wanted: Sequence[tuple[str, str]]) -> list[Image.Image]:
    """The training sets' drawings of (style, concept), RGB on white."""
    rows = json.loads((folder / "drawings.json").read_text())
    stored = load_file(folder / "drawings.safetensors")["pictures"]
    at = {(row["style"], row["concept"]): i for i, row in enumerate(rows)}
    return [on_white(stored[at[one]]) for one in wanted]


def flat_share(picture: Image.Image, off: int = FLAT) -> float:
    """The share of a drawing's border pixels whose channels are all within ``off`` of white."""
    wide = round(BORDER * picture.height)
    ring = np.ones((picture.height, picture.width), dtype=bool)
    ring[wide:-wide, wide:-wide] = False
    return float(((255 - np.asarray(picture).astype(int)).max(axis=2)[ring] <= off).mean())


def size(args: argparse.Namespace, base: Base) -> None:
    files = sorted(path for path in BUNDLED.iterdir() if path.suffix in (".safetensors", ".onnx"))
    each = ", ".join(f"{path.name} {path.stat().st_size / 1e6:.1f}" for path in files)
    print(f"size: {sum(path.stat().st_size for path in files) / 1e6:.1f} MB ({each})", flush=True)


def on_white(rgba: torch.Tensor) -> Image.Image:
    """uint8 [4, H, W] straight alpha -> RGB on white."""
    picture = Image.fromarray(rgba.permute(1, 2, 0).numpy(), "RGBA")
    background = Image.new("RGBA", picture.size, "white")
    background.alpha_composite(picture)
    return background.convert("RGB")


def save_sheet(pictures: list[Image.Image], path: Path, columns: int = 10, side: int = 128) -> None:
    sheet = Image.new("RGB", (columns * side, -(-len(pictures) // columns) * side), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(
            picture.resize((side, side), Image.Resampling.LANCZOS), (i % columns * side, i // columns * side)
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    print(f"sheet: {path}")


def speed(args: argparse.Namespace, _: Base) -> None:
    from lora.drawing.sampling import Item, Picture, draw
    from lora.drawing.sticker import StickerMaker
    from lora.jobs import DrawOptions

    base = flags.base_of(args, "cpu")
    maker = StickerMaker(args.cache)

    def sticker(seed: int) -> float:
        start = time.perf_counter()
        for picture in draw(
            base, [Item(prompt="noto cat", cfg=CFG, seed=seed)], steps=base.profile.draw_steps
        ):
            if isinstance(picture, Picture):
                maker(picture.image, picture.background_colour, DrawOptions())
        return time.perf_counter() - start

    sticker(0)
    times = [sticker(seed) for seed in range(1, 8)]
    print(f"speed: {statistics.median(times):.2f} s a sticker (median of {len(times)}, "
          f"{torch.get_num_threads()} threads)", flush=True)  # fmt: skip


def training(args: argparse.Namespace, _: Base) -> None:
    from benchmarks.learn_style import KEYWORD, make_task
    from lora.jobs import Progress, Train, TrainSettings
    from lora.training.loop import train
    from lora.training.plan import make_plan

    base = flags.base_of(args, "cpu")
    task = make_task(load_named(args.dir), "fxemoji")
    plan = make_plan(base, TrainSettings(batch_size=4, steps=TIMED_STEPS), samples=len(task.samples))
    plan = replace(plan, checkpoint_steps=TIMED_STEPS)
    times = [time.perf_counter()]
    for event in train(base, Train(id=1, attempt=1, keyword=KEYWORD, samples=task.samples), plan):
        if isinstance(event, Progress) and event.loss is not None:
            times.append(time.perf_counter())
    steps = [after - before for before, after in itertools.pairwise(times[1:])]
    print(f"training: {statistics.mean(steps) * TRAINING_STEPS:.0f} s for {TRAINING_STEPS} steps at batch 4, after "
          f"{times[1] - times[0]:.1f} s of encoding and a first step ({torch.get_num_threads()} threads)",
          flush=True)  # fmt: skip


FIGURES: dict[str, Callable[[argparse.Namespace, Base], None]] = {
    "vae": vae,
    "concepts": concepts,
    "synonyms": synonyms,
    "colours": colours,
    "two-parts": two_parts,
    "background": background,
    "size": size,
    "speed": speed,
    "training": training,
}


def main() -> None:
    parser = flags.parser(__doc__)
    parser.add_argument("--only", choices=list(FIGURES), action="append")
    parser.add_argument("--sheets", type=Path, default=Path("data/cache/sheets"))
    parser.add_argument("--kept", type=Path, default=Path("data/cache/kept-drawings"))
    args = parser.parse_args()
    base = flags.base_of(args)
    for name in args.only or FIGURES:
        FIGURES[name](args, base)


if __name__ == "__main__":
    main()
