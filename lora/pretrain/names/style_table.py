"""Measures how the base draws in each style that it knows by name: the table of ``lora.evaluation.nearest_style``.

    python -m lora.pretrain.drawings fetch
    python -m lora.pretrain.names.style_table [--device cuda]

The styles are the six sets. In each, the base draws the same CONCEPTS concepts. Icons are left out: of things that are
drawn by the name of such a set, half are not recognised. To be made again with every edition of the base.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from random import Random

import numpy as np
from safetensors.numpy import save_file

from lora.drawing.sampling import Item, Picture, draw
from lora.evaluation.nearest_style import DEVIATION, MEANS, NAMES, features_of
from lora.evaluation.scorers import FlatDrawing, Floats
from lora.models import base_model, sticker_nano
from lora.models.base_model import Base
from lora.pretrain.drawings import SETS, load_named, shared_concepts

CONCEPTS = 60
CFG = 5.0


def style_features(base: Base, concepts: list[str], style: str) -> Floats:
    """The style features [n, d] of the base's drawings of n concepts in a style."""
    items = [
        Item(prompt=f"{concept}, {style}", seed=seed, cfg=CFG, background="white")
        for seed, concept in enumerate(concepts)
    ]
    drawn = (one for one in draw(base, items, steps=base.profile.draw_steps) if isinstance(one, Picture))
    return features_of(
        [
            FlatDrawing(image=one.image.reduce(base.sub_pixels), background_colour=one.background_colour)
            for one in drawn
        ]
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--out", type=Path, default=sticker_nano.STYLES)
    parser.add_argument("--device", default="auto")
    args = parser.parse_args(argv)
    base = base_model.load(sticker_nano.NAME, args.dir.parent, args.device)
    concepts = Random("styles").sample(sorted(shared_concepts(load_named(args.dir))), CONCEPTS)
    found = []
    for style in SETS:
        found.append(style_features(base, concepts, style))
        print(f"{style}: {len(found[-1])} drawings", flush=True)
    table = {
        MEANS: np.stack([one.mean(axis=0) for one in found]).astype(np.float32),
        DEVIATION: np.concatenate(found).std(axis=0).clip(1e-6).astype(np.float32),
    }
    save_file(table, args.out, {NAMES: json.dumps(list(SETS))})


if __name__ == "__main__":
    main()
