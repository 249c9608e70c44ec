"""Measures how often the filter of unsafe pictures raises a false alarm on this project's own drawings.

    python -m lora.pretrain.drawings fetch --dir DIR     # named.json.xz
    python -m benchmarks.safety --dir DIR

1,000 drawings: ``DRAWN`` that the bundled base draws of concepts of its training sets, the others rendered from these
sets, on white, chosen by a fixed seed. None is unsafe, so each score from the threshold on is a false alarm.
"""

from __future__ import annotations

import statistics
import time
from random import Random

import torch
from PIL import Image

from benchmarks import flags
from benchmarks.drawing_cache import drawings
from bot.config import Safety
from lora.pretrain.drawings import SETS, is_cut_out, load_named, render
from lora.safety import Guard

TOTAL, DRAWN = 1000, 32


def main() -> None:
    args = flags.parser(__doc__).parse_args()
    guard = Guard(Safety().filter, threshold=Safety().threshold, threads=torch.get_num_threads())
    named = [one for one in load_named(args.dir) if one.style in SETS]
    Random(1818).shuffle(named)
    scores, seconds = [], []

    def score(image: Image.Image) -> None:
        began = time.perf_counter()
        scores.append(guard.score(image))
        seconds.append(time.perf_counter() - began)

    base = flags.base_of(args)
    prompts = [(one.concept, number) for number, one in enumerate(named[:DRAWN])]
    for image in drawings(base, prompts, args.cache / "safety", args.batch):
        score(image)
    for one in named[DRAWN:]:
        if len(scores) == TOTAL:
            break
        rgba = render(one.svg)
        if is_cut_out(rgba):
            drawn = Image.fromarray(rgba, "RGBA")
            white = Image.new("RGBA", drawn.size, (255, 255, 255, 255))
            score(Image.alpha_composite(white, drawn).convert("RGB"))
    print(f"{len(scores)} drawings, {DRAWN} of them by the base, {statistics.median(seconds):.3f} s each")
    print(f"highest score {max(scores):.3f}, of the base's drawings {max(scores[:DRAWN]):.3f}")
    for threshold in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        n = sum(value >= threshold for value in scores)
        print(f"threshold {threshold}: {n} false alarms of {len(scores)} ({n / len(scores):.1%})")


if __name__ == "__main__":
    main()
