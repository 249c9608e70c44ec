"""Measures how many scenes and emotions the base draws: ``SCENES`` and ``EMOTION_PROMPTS`` of ``benchmarks.prompts``.

    python -m lora.pretrain.drawings fetch
    python -m benchmarks.scenes judge [--device cuda]   # trains the judge, and says how often it is right
    python -m benchmarks.scenes scenes emotions         # draws, judges, and saves a sheet of each

How often the judge is right is measured on the prompts' scenes, composed of real drawings of each set in ``--without``.
The judge learns from all other sets. Default: the six sets that the base is trained on.
The base's drawings are stored in ``--kept``, so that an interrupted run continues.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import torch

from benchmarks import flags
from benchmarks.drawing_cache import drawings
from benchmarks.prompts import EMOTION_PROMPTS, SCENES, ScenePrompt
from benchmarks.scene_judge import EPOCHS, Judge, learned, load_judge, right, save
from benchmarks.scene_studio import learnable, real_scenes
from benchmarks.sticker_nano import save_sheet
from lora.models.base_model import load
from lora.pretrain.drawings import JUDGES, SETS, Drawing, load_named

UNTRAINED = ("fxemoji", *JUDGES)  # sets with enough of the prompts' things that no base is trained on
WANTED = {"scenes": SCENES, "emotions": EMOTION_PROMPTS}


def judge(args: argparse.Namespace) -> None:
    named, device = load_named(args.dir), torch.device(args.device)
    styles = [style for style in (*UNTRAINED, *SETS) if style not in args.without]
    began = time.monotonic()
    shown = learnable(named, styles, args.examples)
    print(f"{len(shown)} pictures of {', '.join(styles)} after {time.monotonic() - began:.0f} s", flush=True)
    made = learned(shown, device, epochs=args.epochs)
    save(made, args.judge)
    print(f"trained after {time.monotonic() - began:.0f} s", flush=True)
    for name, prompts in WANTED.items():
        check(made, args.without, named, name, prompts)


def check(
    made: Judge, styles: list[str], named: list[Drawing], name: str, prompts: tuple[ScenePrompt, ...]
) -> None:
    """Print how often the judge is right about real drawings of sets that it has not seen, and what is mistaken."""
    pairs = real_scenes(named, styles, prompts)
    if not pairs:
        return
    scores = made.scores([one.picture for _, one in pairs])
    found = [right(row, prompt) for row, (prompt, _) in zip(scores, pairs, strict=True)]
    print(f"the judge on real composites, {name}: right on {sum(found) / len(found):.1%} of {len(found)}")
    wrong = Counter(prompt.prompt for (prompt, _), yes in zip(pairs, found, strict=True) if not yes)
    print("wrong: " + "; ".join(f"{prompt} {count}" for prompt, count in wrong.most_common()), flush=True)


def measure(args: argparse.Namespace, name: str, prompts: tuple[ScenePrompt, ...]) -> None:
    base, made = load(args.base, args.cache, args.device), load_judge(args.judge, args.device)
    pictures = drawings(base, [(scene.prompt, 0) for scene in prompts], args.kept, args.batch)
    found = [right(row, scene) for row, scene in zip(made.scores(pictures), prompts, strict=True)]
    print(f"{name}: {sum(found) / len(found):.1%} of {len(found)} show what was asked for")
    print("right: " + "; ".join(s.prompt for s, yes in zip(prompts, found, strict=True) if yes), flush=True)
    save_sheet(pictures, args.sheets / f"{name}.png", columns=10 if name == "scenes" else 8)


def main() -> None:
    parser = flags.parser(__doc__)
    parser.add_argument("what", nargs="+", choices=["judge", *WANTED])
    parser.add_argument("--examples", type=int, default=24000, help="pictures that the judge learns from")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="times that it sees each of them")
    parser.add_argument(
        "--without", nargs="*", default=list(SETS), help="sets that it does not learn from and is checked on"
    )
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
