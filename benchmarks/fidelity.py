"""Compares scores of how well a drawing follows its prompt, and what the rule decides with them.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    OMP_NUM_THREADS=1 python -m benchmarks.fidelity        # about eight minutes

The bare base denoises real drawings with their own caption, with ten others and with none, at several noise levels. All
scores are computed from the same predictions. The drawings are

``real``     48 of the six training sets, in turn: 32 concepts that the base was trained on and 16 that it was not
``unseen``   16 of fxemoji, a style that it has never seen, of concepts that it knows
``damaged``  the first six of the known ones, damaged in five ways by 25, 50 and 75 % each
``own``      what the bare base itself draws of eight known concepts, as checkpoints are compared (CFG 5, 10 steps)

Printed for each score: the AUC of the right caption against each of the ten others; Spearman's correlation with the
damage, as a mean over drawings; the share of real drawings within 1 % of the largest score (many mean a ceiling); the
mean of the unseen style divided by that of the known concepts, and by that of the base's own drawings; and seconds of
CPU for a drawing. Then how often the rule would reject a checkpoint. Predictions are stored, so that an interrupted
measurement continues.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
import torch
from PIL import Image, ImageFilter
from safetensors import safe_open
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.stats import spearmanr

from benchmarks import flags
from benchmarks.prompt_scores import OTHERS, PRODUCT, READ, SCORES, Array, Score, auc
from lora.adapters.lora_layers import use_file
from lora.data.dataset import on_flat_background, to_tensor
from lora.drawing.sampling import Item, Picture, draw
from lora.evaluation.checkpoint_choice import ignores_prompts
from lora.evaluation.compare import CompareSettings
from lora.evaluation.scorers.classifier import DiffusionPromptScorer, residuals
from lora.models.base_model import Base
from lora.pretrain.drawings import SETS, Drawing, held_out, load_named, shared_concepts, unseen

KNOWN, HELD_OUT, UNSEEN, DAMAGED, OWN = 32, 16, 16, 6, 8
KINDS, AMOUNTS = ("blended", "warped", "blurred", "missing", "covered"), (0.25, 0.5, 0.75)
WHITE = (255, 255, 255)
COMPARISONS, PROMPTS = 1000, 8  # simulated comparisons, and drawings in each


@dataclass(frozen=True, kw_only=True)
class CaptionedDrawing:
    """A drawing, RGB on white, and the captions that the base denoises it with: its own, ten others, none."""

    image: Image.Image
    captions: tuple[str, ...]


def damaged(image: Image.Image, kind: str, amount: float, other: Image.Image, seed: int) -> Image.Image:
    """The drawing with a damage of this kind; ``amount`` is from 0 to 1."""
    chance = np.random.default_rng(seed)
    pixels = np.asarray(image, dtype=np.float64).copy()
    if kind == "blended":
        return Image.blend(image, other, amount)
    if kind == "blurred":
        return image.filter(ImageFilter.GaussianBlur(32 * amount))
    if kind == "warped":
        way = np.stack([gaussian_filter(chance.standard_normal(pixels.shape[:2]), 24) for _ in range(2)])
        way *= 128 * amount / np.abs(way).max(axis=(1, 2), keepdims=True)
        at = np.indices(pixels.shape[:2]) + way
        moved = [map_coordinates(pixels[..., c], at, order=1, mode="nearest") for c in range(3)]
        return Image.fromarray(np.stack(moved, axis=2).round().astype(np.uint8))
    for cell in chance.permutation(64)[: round(64 * amount)]:  # the same cells and more with a larger amount
        top, left = divmod(int(cell), 8)
        size = image.height // 8
        patch = WHITE if kind == "missing" else (128, 128, 128)
        pixels[top * size : (top + 1) * size, left * size : (left + 1) * size] = patch
    return Image.fromarray(pixels.astype(np.uint8))


def all_drawings(base: Base, folder: Path) -> dict[str, list[CaptionedDrawing]]:
    """All drawings by group. Order of the damaged ones: by drawing, then by kind, then by amount."""
    named = load_named(folder)
    concepts, real = _real(named, folder)
    chance = Random("fidelity")
    drawings, pictures = unseen(named, "fxemoji")
    at = {drawing.concept: i for i, drawing in enumerate(drawings)}
    foreign = chance.sample(sorted(set(at) & set(shared_concepts(named)) - held_out(named)), UNSEEN)

    def ask(image: Image.Image, concept: str) -> CaptionedDrawing:
        rest = Random(concept).sample([other for other in concepts if other != concept], OTHERS)
        return CaptionedDrawing(image=image, captions=(concept, *rest, ""))

    fit = [ask(image, concept) for image, concept in zip(real, concepts, strict=True)]
    damaged_ones = [
        ask(damaged(real[i], kind, amount, real[i + DAMAGED], i), concepts[i])
        for i in range(DAMAGED)
        for kind in KINDS
        for amount in AMOUNTS
    ]
    settings = CompareSettings()
    items = [Item(prompt=concept, seed=seed, cfg=settings.cfg) for seed, concept in enumerate(concepts[:OWN])]
    made = [one for one in draw(base, items, steps=settings.steps) if isinstance(one, Picture)]
    return {
        "real": fit,
        "unseen": [ask(on_flat_background(Image.fromarray(pictures[at[c]]), 256, WHITE), c) for c in foreign],
        "damaged": damaged_ones,
        "own": [ask(one.image.reduce(base.sub_pixels), concepts[one.index]) for one in made],
    }


def _real(named: Sequence[Drawing], folder: Path) -> tuple[list[str], list[Image.Image]]:
    """Concepts, the known ones first, and a drawing of each, from the six sets in turn."""
    chance = Random("fidelity")
    out = held_out(list(named))
    known = chance.sample(sorted(set(shared_concepts(list(named))) - out), KNOWN)
    concepts = [*known, *chance.sample(sorted(out), HELD_OUT)]
    rows = json.loads((folder / "drawings.json").read_text())
    at = {(row["style"], row["concept"]): i for i, row in enumerate(rows)}
    styles = list(SETS)
    images = []
    with safe_open(folder / "drawings.safetensors", "pt") as file:
        stored = file.get_slice("pictures")
        for number, concept in enumerate(concepts):
            turns = [styles[(number + i) % len(styles)] for i in range(len(styles))]
            place = next(at[style, concept] for style in turns if (style, concept) in at)
            rgba = Image.fromarray(stored[place].permute(1, 2, 0).numpy(), "RGBA")
            images.append(on_flat_background(rgba, 256, WHITE))
    return concepts, images


@torch.no_grad()
def gram(base: Base, one: CaptionedDrawing) -> Array:
    """The Gram matrices of the residuals [levels, captions, captions] (``benchmarks.prompt_scores``)."""
    use_file(base, None)
    texts = base.embed([base.with_background(caption, "white") for caption in one.captions])
    clean, _ = base.encode(to_tensor([one.image]))
    found = []
    for seed, level in enumerate(READ):
        missed = residuals(base, clean, texts, level, seed).double()
        found.append((missed @ missed.T / missed.shape[1]).numpy())
    return np.stack(found)


def grams(base: Base, pictures: Sequence[CaptionedDrawing], folder: Path) -> Iterator[tuple[Array, float]]:
    """The Gram matrices of each drawing, and the seconds of CPU of one denoising. Stored in ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in pictures:
        what = f"{base.hash} {base.dtype}\n{READ}\n{one.captions}\n".encode() + one.image.tobytes()
        path = folder / f"{hashlib.sha256(what).hexdigest()[:24]}.npz"
        if not path.exists():
            began = time.process_time()
            found = gram(base, one)
            seconds = (time.process_time() - began) / (len(READ) * len(one.captions))
            part = folder / "gram.part"
            with part.open("wb") as file:
                np.savez(file, gram=found, seconds=seconds)
            part.rename(path)
        with np.load(path) as file:
            yield file["gram"], float(file["seconds"])


def order(score: Score, of: dict[str, Array]) -> list[float]:
    """Spearman's correlation of score and amount for each kind of damage: -1 if the score always falls."""
    clean = score(of["real"])[:DAMAGED]
    damaged_ones = score(of["damaged"]).reshape(DAMAGED, len(KINDS), len(AMOUNTS))
    found = []
    for kind in range(len(KINDS)):
        rows = np.concatenate([clean[:, None], damaged_ones[:, kind]], axis=1)
        found.append(np.mean([spearmanr((0, *AMOUNTS), row).statistic if np.ptp(row) else 0 for row in rows]))
    return [float(value) for value in found]


def table(of: dict[str, Array], seconds: float) -> str:
    """The figures of each score, as Markdown."""
    heads = " | ".join(KINDS)
    lines = [
        f"| score | AUC real | AUC unseen | {heads} | all damage | ceiling | unseen/known | unseen/own | s |",
        "| --- |" + " --- |" * (7 + len(KINDS)),
    ]
    for score in SCORES:
        right, new = score(of["real"]), score(of["unseen"])
        top = right.max() - 0.01 * np.ptp(right)
        damage = order(score, of)
        figures = [auc(right, score.wrong(of["real"])), auc(new, score.wrong(of["unseen"])), *damage]
        shown = " | ".join(f"{value:.2f}" for value in [*figures, float(np.mean(damage))])
        style = " | ".join(f"{new.mean() / ref.mean():.2f}" for ref in (right[:KNOWN], score(of["own"])))
        lines.append(
            f"| {score.name} | {shown} | {(right >= top).mean():.0%} | {style} "
            f"| {seconds * score.forwards:.1f} |"
        )
    return "\n".join(lines)


def means(of: dict[str, Array]) -> str:
    """The mean of the product's score in each group, as Markdown."""
    real, damaged_ones = PRODUCT(of["real"]), PRODUCT(of["damaged"]).reshape(-1, len(AMOUNTS)).mean(axis=0)
    facts = {
        "known concepts": real[:KNOWN].mean(),
        "held-out concepts": real[KNOWN:].mean(),
        "unseen style": PRODUCT(of["unseen"]).mean(),
        "the base's own drawings": PRODUCT(of["own"]).mean(),
        "wrong caption": PRODUCT.wrong(of["real"]).mean(),
        "the damaged ones whole": real[:DAMAGED].mean(),
        **{f"{amount:.0%} damaged": value for amount, value in zip(AMOUNTS, damaged_ones, strict=True)},
    }
    text = "\n".join(f"| {name} | {value:.2f} |" for name, value in facts.items())
    return f"| drawings | mean of the chosen score |\n| --- | --- |\n{text}"


def rejected(score: Score, min_share: float, of: dict[str, Array]) -> list[float]:
    """How often the rule says that a checkpoint ignores prompts, over simulated comparisons of eight prompts.

    Eight real drawings of known concepts stand for the bare base's. For the checkpoint's stand eight others; the same
    eight with half of the captions wrong, or all; or damaged ones, each in another way. In the last comparison the
    base's are its own, and the checkpoint's are real ones of the unseen style.
    """
    chance = np.random.default_rng(0)
    right, wrong = score(of["real"])[:KNOWN], score.wrong(of["real"])[:, :KNOWN]
    own, new = score(of["own"]), score(of["unseen"])
    damaged_ones = score(of["damaged"]).reshape(DAMAGED, len(KINDS), len(AMOUNTS))
    counts = np.zeros(4 + len(AMOUNTS))
    for _ in range(COMPARISONS):
        drawn = chance.choice(KNOWN, 2 * PROMPTS, replace=False)
        base, others = right[drawn[:PROMPTS]], right[drawn[PROMPTS:]]
        wrong_caption = wrong[chance.integers(0, len(wrong), PROMPTS), drawn[:PROMPTS]]
        half = np.where(np.arange(PROMPTS) % 2, base, wrong_caption)
        which, kind = chance.integers(0, DAMAGED, PROMPTS), chance.integers(0, len(KINDS), PROMPTS)
        learned = chance.choice(new, PROMPTS, replace=False)
        pairs = [(row, base) for row in (others, half, wrong_caption)]
        pairs += [(damaged_ones[which, kind, i], right[which]) for i in range(len(AMOUNTS))]
        counts += [ignores_prompts(row, ref, min_share) for row, ref in (*pairs, (learned, own))]
    return list(counts / COMPARISONS)


def main() -> None:
    parser = flags.parser(__doc__)
    parser.add_argument("--kept", type=Path, default=Path("data/cache/fidelity"))
    args = parser.parse_args()
    base = flags.base_of(args)
    of, spent = {}, []
    for group, pictures in all_drawings(base, args.dir).items():
        found = list(grams(base, pictures, args.kept))
        of[group] = np.stack([one for one, _ in found])
        spent += [seconds for _, seconds in found]
        print(f"{group}: {len(found)} drawings", flush=True)
    print(f"\n{table(of, float(np.median(spent)))}\n\n{means(of)}\n")
    print(
        "| rejected | other drawings | half wrong | all wrong | 25 % | 50 % | 75 % damaged | unseen style |"
    )
    print("| --- |" + " --- |" * 7)
    asked = [
        (SCORES[0], 0.9),
        *((PRODUCT, share) for share in sorted({0.9, 0.75, DiffusionPromptScorer.min_share, 0.5})),
    ]
    for score, min_share in asked:
        shares = " | ".join(f"{share:.0%}" for share in rejected(score, min_share, of))
        print(f"| {score.name}, under {min_share:.0%} of the base's | {shares} |")


if __name__ == "__main__":
    main()
