"""Writes data/demo/: samples in a style that the base was not trained on (Streamline Stickies, CC-BY-4.0).

python -m lora.pretrain.demo_samples --dir data/cache/drawings --out data/demo
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from PIL import Image

from lora.pretrain.drawings import load_named, render

KEYWORD = "bomux"
SIZE = 512
STYLE = "streamline stickies"
# Single things of all kinds, so that they have only the style in common. No prompt of the demo is among them. The
# captions leave out colours and outlines: those are the style.
SUBJECTS = {
    "baby": "a baby",
    "backpack": "a backpack",
    "books": "three books",
    "bug": "a bug",
    "candy cane": "a candy cane",
    "clock tower": "a clock tower",
    "coin": "a pile of coins",
    "compass": "a compass",
    "crescent moon": "a crescent moon and a star",
    "easter egg": "an easter egg",
    "eiffel tower": "the Eiffel tower",
    "envelope": "an envelope",
    "flask": "a flask",
    "fountain pen": "a fountain pen",
    "ghost": "a ghost sticking out its tongue",
    "key": "a key",
    "laptop": "a laptop",
    "magic wand": "a magic wand",
    "medal": "a medal with ribbons",
    "musical keyboard": "the keys of a piano",
    "red heart": "a heart",
    "school": "a school",
    "snowman without snow": "a snowman",
    "sun": "a sun",
    "t-shirt": "a t-shirt",
    "taxi": "a taxi",
    "telescope": "a telescope",
    "wrench": "a wrench",
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.demo_samples", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--out", type=Path, default=Path("data/demo"))
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    style = {d.concept: d for d in load_named(args.dir) if d.style == STYLE}
    with (args.out / "metadata.jsonl").open("w") as table:
        for concept, words in SUBJECTS.items():
            name = concept.replace(" ", "-") + ".png"
            Image.fromarray(render(style[concept].svg, SIZE)).save(args.out / name, optimize=True)
            table.write(json.dumps({"file_name": name, "text": f"{KEYWORD} {words}"}) + "\n")
    print(f"{len(SUBJECTS)} samples in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
