"""Measures how many scenes and emotions the base draws: ``SCENES`` and ``EMOTION_PROMPTS`` of ``benchmarks.prompts``.

    python -m lora.pretrain.drawings fetch
    python -m benchmarks.scenes judge              # trains the judge, and says how often it is right on real composites
    python -m benchmarks.scenes scenes emotions    # draws, judges, and saves a sheet of each

Real composites are the same prompts, composed of drawings of the six training sets, none of which the judge has seen.
The base's drawings are stored in ``--kept``, so that an interrupted run continues.
"""

from __future__ import annotations

import argparse
import itertools
import time
from pathlib import Path
from random import Random

from benchmarks import flags
from benchmarks.drawing_cache import drawings
from benchmarks.prompts import EMOTION_PROMPTS, SCENES, ScenePrompt
from benchmarks.scene_judge import JUDGES, Studio, cells, examples, learned, load_judge, right, save, targets
from benchmarks.sticker_nano import save_sheet
from lora.models.base_model import load
from lora.pretrain.drawings import SETS, load_named

WANTED = {"scenes": SCENES, "emotions": EMOTION_PROMPTS}


def judge(args: argparse.Namespace) -> None:
    named = load_named(args.dir)
    began = time.process_time()
    shown = list(itertools.islice(examples(Studio(named, JUDGES), Random(0)), args.examples))
    print(f"{len(shown)} pictures after {time.process_time() - began:.0f} s of CPU", flush=True)
    made = learned(cells([one.picture for one in shown]), targets([one.labels for one in shown]))
    save(made, args.judge)
    print(f"trained after {time.process_time() - began:.0f} s of CPU", flush=True)
    studio, rng = Studio(named, tuple(SETS)), Random(1)
    for name, prompts in WANTED.items():
        pairs = [(prompt, one) for prompt in prompts if (one := studio.scene(prompt, rng))]
        scores = made.scores([one.picture for _, one in pairs])
        found = [right(row, prompt) for row, (prompt, _) in zip(scores, pairs, strict=True)]
        print(
            f"the judge on real composites, {name}: right on {sum(found) / len(found):.1%} of {len(found)}",
            flush=True,
        )
        save_sheet([one.picture for _, one in pairs[:60]], args.sheets / f"composites-{name}.png")


def measure(args: argparse.Namespace, name: str, prompts: tuple[ScenePrompt, ...]) -> None:
    base, made = load(args.base, args.cache, args.device), load_judge(args.judge)
    pictures = drawings(base, [(scene.prompt, 0) for scene in prompts], args.kept, args.batch)
    found = [right(row, scene) for row, scene in zip(made.scores(pictures), prompts, strict=True)]
    print(f"{name}: {sum(found) / len(found):.1%} of {len(found)} show what was asked for")
    print("right: " + "; ".join(s.prompt for s, yes in zip(prompts, found, strict=True) if yes), flush=True)
    save_sheet(pictures, args.sheets / f"{name}.png", columns=10 if name == "scenes" else 8)


def main() -> None:
    parser = flags.parser(__doc__)
    parser.add_argument("what", nargs="+", choices=["judge", *WANTED])
    parser.add_argument("--examples", type=int, default=6000, help="pictures that the judge learns from")
    parser.add_argument("--judge", type=Path, default=Path("data/cache/scene-judge.safetensors"))
    parser.add_argument("--sheets", type=Path, default=Path("data/cache/sheets"))
    parser.add_argument("--kept", type=Path, default=Path("data/cache/kept-drawings"))
    args = parser.parse_args()
    for name in args.what:
        if name == "judge":
            judge(args)
        else:
            measure(args, name, WANTED[name])


if __name__ == "__main__":
    main()
