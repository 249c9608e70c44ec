"""Measures how many scenes and emotions the base draws: ``SCENES`` and ``EMOTION_PROMPTS`` of ``benchmarks.prompts``.

    python -m lora.pretrain.drawings fetch
    python -m benchmarks.scenes judge [--device cuda]   # trains the judge, and says how often it is right
    python -m benchmarks.scenes scenes emotions         # draws, judges, and saves a sheet of each

How often the judge is right is measured on the prompts' scenes, composed of real drawings of each set in ``--without``.
The judge learns from all other sets. Default: the six sets that the base is trained on.
The base's drawings are stored in ``--kept``, so that an interrupted run continues. ``--pictures`` judges drawings that
another machine made. ``--seen-scenes`` and ``--seen-emotions`` compare with what somebody saw on the sheets.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from pathlib import Path

import torch
from PIL import Image

from benchmarks import flags
from benchmarks.drawing_cache import drawings
from benchmarks.prompts import EMOTION_PROMPTS, SCENES, ScenePrompt
from benchmarks.scene_judge import BATCH, EPOCHS, Judge, learned, load_judge, right, save
from benchmarks.scene_studio import SIDE, Shown, learnable, real_scenes
from benchmarks.sticker_nano import save_sheet
from lora.pretrain.drawings import JUDGES, SETS, load_named

UNTRAINED = ("fxemoji", *JUDGES)  # sets with enough of the prompts' things that no base is trained on
WANTED = {"scenes": SCENES, "emotions": EMOTION_PROMPTS}


def judge(args: argparse.Namespace) -> None:
    named, device = load_named(args.dir), torch.device(args.device)
    styles = [style for style in (*UNTRAINED, *SETS) if style not in args.without]
    began = time.monotonic()
    # All pictures first: other processes make them, and these must not begin while a GPU is in use.
    shown = learnable(named, styles, args.examples, args.side)
    checks = {name: real_scenes(named, args.without, prompts, args.side) for name, prompts in WANTED.items()}
    print(f"{len(shown)} pictures of {', '.join(styles)} after {time.monotonic() - began:.0f} s", flush=True)
    made = learned(shown, device, epochs=args.epochs, batch=args.step_size)
    save(made, args.judge)
    print(f"trained after {time.monotonic() - began:.0f} s", flush=True)
    for name, pairs in checks.items():
        if pairs:
            check(made, name, pairs)


def check(made: Judge, name: str, pairs: list[tuple[ScenePrompt, Shown]]) -> None:
    """Print how often the judge is right about composites of real drawings, and what is mistaken."""
    scores = made.scores([one.picture for _, one in pairs])
    found = [right(row, prompt) for row, (prompt, _) in zip(scores, pairs, strict=True)]
    print(f"the judge on real composites, {name}: right on {sum(found) / len(found):.1%} of {len(found)}")
    wrong = Counter(prompt.prompt for (prompt, _), yes in zip(pairs, found, strict=True) if not yes)
    print("wrong: " + "; ".join(f"{prompt} {count}" for prompt, count in wrong.most_common(15)), flush=True)


def measure(args: argparse.Namespace, name: str, prompts: tuple[ScenePrompt, ...]) -> None:
    made, pictures = load_judge(args.judge, args.device), drawn(args, name, prompts)
    found = [right(row, scene) for row, scene in zip(made.scores(pictures), prompts, strict=True)]
    print(f"{name}: {sum(found) / len(found):.1%} of {len(found)} show what was asked for")
    print("right: " + "; ".join(s.prompt for s, yes in zip(prompts, found, strict=True) if yes), flush=True)
    if seen := getattr(args, f"seen_{name}"):
        print(compared(found, seen), flush=True)


def drawn(args: argparse.Namespace, name: str, prompts: tuple[ScenePrompt, ...]) -> list[Image.Image]:
    """The base's drawings, also as files ``scenes-00.png`` and so on in ``--sheets``; or those of ``--pictures``."""
    if args.pictures:
        paths = [args.pictures / f"{name}-{number:02}.png" for number in range(len(prompts))]
        return [Image.open(path).convert("RGB") for path in paths]
    base = flags.base_of(args)
    pictures = drawings(base, [(scene.prompt, 0) for scene in prompts], args.kept, args.batch)
    save_sheet(pictures, args.sheets / f"{name}.png", columns=10 if name == "scenes" else 8)
    for number, picture in enumerate(pictures):
        picture.save(args.sheets / f"{name}-{number:02}.png")
    return pictures


def compared(found: list[bool], seen: str) -> str:
    """How often judge and eye agree. ``seen`` has a letter for each drawing: y for right, n for wrong."""
    if len(seen) != len(found) or set(seen) - set("yn"):
        raise SystemExit(f"{len(found)} letters, each y or n, are wanted")
    both = Counter(zip(found, seen, strict=True))
    return (
        f"right by both {both[True, 'y']}, by the judge alone {both[True, 'n']}, by the eye alone "
        f"{both[False, 'y']}, wrong by both {both[False, 'n']}"
    )


def main() -> None:
    parser = flags.parser(__doc__)
    parser.add_argument("what", nargs="+", choices=["judge", *WANTED])
    parser.add_argument("--examples", type=int, default=24000, help="pictures that the judge learns from")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="times that it sees each of them")
    parser.add_argument("--step-size", type=int, default=BATCH, help="pictures of one step of its training")
    parser.add_argument(
        "--side", type=int, default=SIDE, help="pixels of these pictures; 128 takes half the time"
    )
    parser.add_argument(
        "--without", nargs="*", default=list(SETS), help="sets that it does not learn from and is checked on"
    )
    parser.add_argument("--judge", type=Path, default=Path("data/cache/scene-judge.safetensors"))
    parser.add_argument("--sheets", type=Path, default=Path("data/cache/sheets"))
    parser.add_argument("--kept", type=Path, default=Path("data/cache/kept-drawings"))
    parser.add_argument(
        "--pictures", type=Path, help="a folder with scenes-00.png and so on, instead of a base"
    )
    for name in WANTED:
        parser.add_argument(f"--seen-{name}", help="y or n for each drawing: whether it is right by eye")
    args = parser.parse_args()
    for name in args.what:
        if name == "judge":
            judge(args)
        else:
            measure(args, name, WANTED[name])


if __name__ == "__main__":
    main()
