"""Which score says best how well a drawing follows its prompt, and what the rule makes of it.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    OMP_NUM_THREADS=1 python -m benchmarks.fidelity        # about eight minutes

The bare base denoises real drawings for their own caption, for ten others and for none, at several noise levels; every
score is computed from the same predictions. The drawings are

``real``     48 of the six training sets, in turn: 32 concepts that the base was trained on and 16 that it was not
``unseen``   16 of fxemoji, a style that it has never seen, of concepts that it knows
``damaged``  the first six of the known ones, spoilt in five ways by 25, 50 and 75 % each
``own``      what the bare base itself draws of eight known concepts, as checkpoints are compared (CFG 5, 10 steps)

Told of each score: AUC of the right caption's against wrong ones', each of the ten in turn; Spearman's correlation with
the damage, the mean over drawings; the share of real drawings within 1 % of the largest score (a ceiling, if there are
many); the mean of the unseen style as a share of that of the known concepts, and of the base's own drawings; and
seconds of CPU a drawing. Then how often the rule would reject a checkpoint. What was denoised is kept: a measurement
that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
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

from benchmarks.prompt_scores import CHOSEN, OTHERS, READ, SCORES, Array, Score, auc
from lora.adapters.lora_layers import use_file
from lora.data.dataset import on_flat_background, to_tensor
from lora.drawing.sampling import Item, Picture, draw
from lora.evaluation.checkpoint_choice import forgets
from lora.evaluation.compare import CompareSettings
from lora.evaluation.scorers.classifier import DiffusionPromptScorer, residuals
from lora.models.base_model import Base, load
from lora.pretrain.drawings import SETS, Drawing, held_out, load_named, shared_concepts, unseen

KNOWN, HELD_OUT, UNSEEN, DAMAGED, OWN = 32, 16, 16, 6, 8
KINDS, AMOUNTS = ("blended", "warped", "blurred", "missing", "covered"), (0.25, 0.5, 0.75)
WHITE = (255, 255, 255)
COMPARISONS, PROMPTS = 1000, 8  # how often the rule is asked, about how many drawings


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A drawing, RGB on white, and what the base is asked about it: its caption, ten others, none."""

    image: Image.Image
    captions: tuple[str, ...]


def damaged(image: Image.Image, kind: str, amount: float, other: Image.Image, seed: int) -> Image.Image:
    """The drawing spoilt by ``amount`` (0 to 1): less of it, or something else in its place."""
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


def shown(base: Base, folder: Path) -> dict[str, list[Shown]]:
    """All drawings with their captions, by group. The damaged ones: drawing by drawing, kind by kind, more and more."""
    named = load_named(folder)
    concepts, real = _real(named, folder)
    chance = Random("fidelity")
    drawings, pictures = unseen(named, "fxemoji")
    at = {drawing.concept: i for i, drawing in enumerate(drawings)}
    foreign = chance.sample(sorted(set(at) & set(shared_concepts(named)) - held_out(named)), UNSEEN)

    def ask(image: Image.Image, concept: str) -> Shown:
        rest = Random(concept).sample([other for other in concepts if other != concept], OTHERS)
        return Shown(image=image, captions=(concept, *rest, ""))

    fit = [ask(image, concept) for image, concept in zip(real, concepts, strict=True)]
    spoilt = [
        ask(damaged(real[i], kind, amount, real[i + DAMAGED], i), concepts[i])
        for i in range(DAMAGED)
        for kind in KINDS
        for amount in AMOUNTS
    ]
    how = CompareSettings()
    items = [Item(prompt=concept, seed=seed, cfg=how.cfg) for seed, concept in enumerate(concepts[:OWN])]
    made = [one for one in draw(base, items, steps=how.steps) if isinstance(one, Picture)]
    return {
        "real": fit,
        "unseen": [ask(on_flat_background(Image.fromarray(pictures[at[c]]), 256, WHITE), c) for c in foreign],
        "damaged": spoilt,
        "own": [ask(one.image.reduce(base.sub_pixels), concepts[one.index]) for one in made],
    }


def _real(named: Sequence[Drawing], folder: Path) -> tuple[list[str], list[Image.Image]]:
    """Concepts, the known ones first, and a drawing of each; the six sets take turns."""
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
def gram(base: Base, one: Shown) -> Array:
    """Mean products of residuals [levels, captions, captions]: losses on the diagonal."""
    use_file(base, None)
    texts = base.embed([base.with_background(caption, "white") for caption in one.captions])
    clean, _ = base.encode(to_tensor([one.image]))
    found = []
    for seed, level in enumerate(READ):
        missed = residuals(base, clean, texts, level, seed).double()
        found.append((missed @ missed.T / missed.shape[1]).numpy())
    return np.stack(found)


def grams(base: Base, pictures: Sequence[Shown], kept: Path) -> Iterator[tuple[Array, float]]:
    """Of each drawing, and the seconds of CPU that one denoising took."""
    kept.mkdir(parents=True, exist_ok=True)
    for one in pictures:
        what = f"{base.hash}\n{READ}\n{one.captions}\n".encode() + one.image.tobytes()
        path = kept / f"{hashlib.sha256(what).hexdigest()[:24]}.npz"
        if not path.exists():
            began = time.process_time()
            found = gram(base, one)
            seconds = (time.process_time() - began) / (len(READ) * len(one.captions))
            part = kept / "gram.part"
            with part.open("wb") as file:
                np.savez(file, gram=found, seconds=seconds)
            part.rename(path)
        with np.load(path) as file:
            yield file["gram"], float(file["seconds"])


def order(score: Score, of: dict[str, Array]) -> list[float]:
    """For each kind of damage, -1 if the score always falls with the amount and 1 if it always rises."""
    clean = score(of["real"])[:DAMAGED]
    spoilt = score(of["damaged"]).reshape(DAMAGED, len(KINDS), len(AMOUNTS))
    found = []
    for kind in range(len(KINDS)):
        rows = np.concatenate([clean[:, None], spoilt[:, kind]], axis=1)
        found.append(np.mean([spearmanr((0, *AMOUNTS), row).statistic if np.ptp(row) else 0 for row in rows]))
    return [float(value) for value in found]


def table(of: dict[str, Array], seconds: float) -> str:
    """What each score is worth, as Markdown."""
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
    """The chosen score of each group."""
    real, spoilt = CHOSEN(of["real"]), CHOSEN(of["damaged"]).reshape(-1, len(AMOUNTS)).mean(axis=0)
    facts = {
        "known concepts": real[:KNOWN].mean(),
        "held-out concepts": real[KNOWN:].mean(),
        "unseen style": CHOSEN(of["unseen"]).mean(),
        "the base's own drawings": CHOSEN(of["own"]).mean(),
        "wrong caption": CHOSEN.wrong(of["real"]).mean(),
        "the damaged ones whole": real[:DAMAGED].mean(),
        **{f"{amount:.0%} damaged": value for amount, value in zip(AMOUNTS, spoilt, strict=True)},
    }
    text = "\n".join(f"| {name} | {value:.2f} |" for name, value in facts.items())
    return f"| drawings | mean of the chosen score |\n| --- | --- |\n{text}"


def rejected(score: Score, least: float, of: dict[str, Array]) -> list[float]:
    """How often the rule says that a checkpoint forgets, over comparisons of eight prompts.

    The bare base's drawings are eight real ones of known concepts. The checkpoint's are eight others; the same with
    half of the captions wrong, or all; or damaged ones, each in a way of its own. In the last comparison the
    base's are its own, and the checkpoint's real ones of the unseen style.
    """
    chance = np.random.default_rng(0)
    right, wrong = score(of["real"])[:KNOWN], score.wrong(of["real"])[:, :KNOWN]
    own, new = score(of["own"]), score(of["unseen"])
    spoilt = score(of["damaged"]).reshape(DAMAGED, len(KINDS), len(AMOUNTS))
    counts = np.zeros(4 + len(AMOUNTS))
    for _ in range(COMPARISONS):
        drawn = chance.choice(KNOWN, 2 * PROMPTS, replace=False)
        base, others = right[drawn[:PROMPTS]], right[drawn[PROMPTS:]]
        amiss = wrong[chance.integers(0, len(wrong), PROMPTS), drawn[:PROMPTS]]
        half = np.where(np.arange(PROMPTS) % 2, base, amiss)
        which, how = chance.integers(0, DAMAGED, PROMPTS), chance.integers(0, len(KINDS), PROMPTS)
        learned = chance.choice(new, PROMPTS, replace=False)
        pairs = [(row, base) for row in (others, half, amiss)]
        pairs += [(spoilt[which, how, i], right[which]) for i in range(len(AMOUNTS))]
        counts += [forgets(row, ref, least) for row, ref in (*pairs, (learned, own))]
    return list(counts / COMPARISONS)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--cache", type=Path, default=Path("data/cache"))
    parser.add_argument("--kept", type=Path, default=Path("data/cache/fidelity"))
    parser.add_argument("--base", default="sticker-nano")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    base = load(args.base, args.cache, args.device)
    of, spent = {}, []
    for group, pictures in shown(base, args.dir).items():
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
        *((CHOSEN, least) for least in sorted({0.9, 0.75, DiffusionPromptScorer.min_share, 0.5})),
    ]
    for score, least in asked:
        shares = " | ".join(f"{share:.0%}" for share in rejected(score, least, of))
        print(f"| {score.name}, under {least:.0%} of the base's | {shares} |")


if __name__ == "__main__":
    main()
