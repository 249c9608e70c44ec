"""Writes data/demo/: samples in a style that the base was not trained on (fxemoji, Apache-2.0).

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
# Things of all kinds, so that they have only the style in common. No prompt of the demo is among them.
SUBJECTS = {
    "airplane": "a grey airplane with blue wings",
    "alien": "a grey alien's face",
    "balloon": "a red balloon on a string",
    "banana": "a bunch of bananas",
    "bird": "a grey bird's head",
    "birthday cake": "a birthday cake with candles",
    "bus": "a green and white bus",
    "cactus": "a green cactus",
    "chicken": "a white chicken's head",
    "crown": "a golden crown",
    "doughnut": "a doughnut with chocolate icing",
    "fish": "a blue fish",
    "ghost": "a ghost sticking out its tongue",
    "grapes": "a bunch of grapes",
    "hamburger": "a hamburger",
    "koala": "a koala's face",
    "light bulb": "a light bulb",
    "monkey face": "a monkey's face",
    "mushroom": "a red mushroom",
    "octopus": "an orange octopus",
    "pig": "a pink pig's face",
    "red heart": "a red heart",
    "soccer ball": "a soccer ball",
    "strawberry": "a strawberry",
    "sunflower": "a sunflower",
    "watermelon": "a slice of watermelon",
    "turtle": "a green turtle",
    "umbrella": "a folded red umbrella",
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.demo_samples", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--out", type=Path, default=Path("data/demo"))
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    style = {d.concept: d for d in load_named(args.dir) if d.style == "fxemoji"}
    with (args.out / "metadata.jsonl").open("w") as table:
        for concept, words in SUBJECTS.items():
            name = concept.replace(" ", "-") + ".png"
            Image.fromarray(render(style[concept].svg, SIZE)).save(args.out / name, optimize=True)
            table.write(json.dumps({"file_name": name, "text": f"{KEYWORD} {words}"}) + "\n")
    print(f"{len(SUBJECTS)} samples in {args.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
