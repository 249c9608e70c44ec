"""How good the bundled base is, on this machine's CPU.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.sticker_nano                 # all figures; --only vae|concepts|speed for one

vae       mean over pictures of the PSNR in RGB on white, of drawings of concepts that no training saw
concepts  60 concepts that all six sets share, drawn with a style's name, three seeds each: how often the nearest
          real drawing is of the right concept. Compared with the five other sets, and with all six
speed     seconds for one sticker: 20 steps with CFG, decoding, cutting out, fitting, encoding

Concepts, styles, and seeds were fixed before the first look.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from random import Random

import torch
from PIL import Image
from safetensors.torch import load_file

from lora.pretrain.drawings import SETS, held_out, load_named, shared_concepts
from lora.pretrain.vae import psnr

HELD_OUT_DRAWINGS = 200
CONCEPTS = 60
SEEDS = (0, 1, 2)
STYLES = tuple(SETS)
CFG, STEPS = 5.0, 20


def chosen_concepts(folder: Path) -> list[str]:
    """60 of the concepts that all six sets share and that training saw."""
    drawings = load_named(folder)
    unseen = held_out(drawings)
    return Random(60).sample([c for c in shared_concepts(drawings) if c not in unseen], CONCEPTS)


def vae(folder: Path, cache: Path) -> None:
    from lora.bases import load

    base = load("sticker-nano", cache, "cpu")
    stored = load_file(folder / "drawings.safetensors")
    pictures = stored["pictures"][stored["held_out"]]
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(200))[:HELD_OUT_DRAWINGS]
    with torch.inference_mode():
        print(
            f"vae: {psnr(base.vae, pictures[order]):.2f} dB over {len(order)} held-out drawings", flush=True
        )


def concepts(folder: Path, cache: Path, sheet: Path) -> None:
    from benchmarks.features import features, nearest
    from lora.bases import load
    from lora.draw import Item, Picture, draw

    names = chosen_concepts(folder)
    rows = json.loads((folder / "drawings.json").read_text())
    stored = load_file(folder / "drawings.safetensors")["pictures"]
    real = [i for i, row in enumerate(rows) if row["concept"] in names]
    real_concepts = [rows[i]["concept"] for i in real]
    real_styles = [rows[i]["style"] for i in real]
    references = features([on_white(stored[i]) for i in real])

    def right(queries: torch.Tensor, wanted: list[str], styles: list[str], other_sets: bool) -> float:
        allowed = torch.tensor([[not other_sets or s != t for t in real_styles] for s in styles])
        found = nearest(queries, references, allowed)
        return statistics.mean(real_concepts[i] == w for i, w in zip(found.tolist(), wanted, strict=True))

    print(
        f"real drawings: {right(references, real_concepts, real_styles, True):.1%} (chance {1 / CONCEPTS:.1%})"
    )
    base = load("sticker-nano", cache, "cpu")
    wanted = [(name, STYLES[(i + seed) % 6], seed) for seed in SEEDS for i, name in enumerate(names)]
    items = [Item(prompt=f"{style} {name}", cfg=CFG, seed=seed) for name, style, seed in wanted]
    pictures = [p.image for p in draw(base, items, steps=STEPS) if isinstance(p, Picture)]
    drawn = features(pictures)
    words, styles = [w[0] for w in wanted], [w[1] for w in wanted]
    print(f"concepts: {right(drawn, words, styles, True):.1%} among the five other sets, "
          f"{right(drawn, words, styles, False):.1%} among all six ({len(items)} pictures)", flush=True)  # fmt: skip
    save_sheet(pictures[:CONCEPTS], sheet)


def on_white(rgba: torch.Tensor) -> Image.Image:
    """uint8 [4, H, W] straight alpha -> RGB on white."""
    picture = Image.fromarray(rgba.permute(1, 2, 0).numpy(), "RGBA")
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture)
    return ground.convert("RGB")


def save_sheet(pictures: list[Image.Image], path: Path, columns: int = 10) -> None:
    side = 128
    sheet = Image.new("RGB", (columns * side, -(-len(pictures) // columns) * side), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(
            picture.resize((side, side), Image.Resampling.LANCZOS), (i % columns * side, i // columns * side)
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    print(f"sheet: {path}")


def speed(cache: Path) -> None:
    from lora.bases import load
    from lora.draw import Item, Picture, draw
    from lora.stickers import StickerMaker

    base = load("sticker-nano", cache, "cpu")
    maker = StickerMaker(cache, outline_px=8)

    def sticker(seed: int) -> float:
        start = time.perf_counter()
        for picture in draw(base, [Item(prompt="noto cat", cfg=CFG, seed=seed)], steps=STEPS):
            if isinstance(picture, Picture):
                maker(picture.image, picture.background)
        return time.perf_counter() - start

    sticker(0)
    times = [sticker(seed) for seed in range(1, 8)]
    print(f"speed: {statistics.median(times):.2f} s a sticker (median of {len(times)}, "
          f"{torch.get_num_threads()} threads)")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--cache", type=Path, default=Path("data/cache"))
    parser.add_argument("--only", choices=["vae", "concepts", "speed"])
    parser.add_argument("--sheet", type=Path, default=Path("data/cache/sticker-nano.png"))
    args = parser.parse_args()
    if args.only in (None, "vae"):
        vae(args.dir, args.cache)
    if args.only in (None, "concepts"):
        concepts(args.dir, args.cache, args.sheet)
    if args.only in (None, "speed"):
        speed(args.cache)


if __name__ == "__main__":
    main()
