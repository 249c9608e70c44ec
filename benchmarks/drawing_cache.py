"""Drawings stored as files, so that an interrupted measurement continues where it stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from lora.drawing.sampling import Item, Picture, draw
from lora.models.base_model import Base

CFG = 5.0
SOLVER = "DPM-Solver++ 2M"


def drawings(
    base: Base, prompts: Sequence[tuple[str, int]], folder: Path, batch_size: int
) -> list[Image.Image]:
    """The base's drawings of (prompt, seed), RGB, at CFG 5 in the base's own number of steps.

    Those in ``folder`` are not drawn again.

    A file's name is a hash of all that its drawing depends on but the device: the base's weights (of text encoder and
    VAE, too) and precision, the solver, the steps, the share of guided ones, the prompt and the seed.
    """
    edition = _edition(base)
    paths = [folder / f"{_name(edition, prompt, seed)}.png" for prompt, seed in prompts]
    folder.mkdir(parents=True, exist_ok=True)
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    items = [Item(prompt=prompts[i][0], cfg=CFG, seed=prompts[i][1]) for i in missing]
    for made in draw(base, items, steps=base.profile.draw_steps, batch_size=batch_size):
        if isinstance(made, Picture):
            part = folder / "picture.part"
            made.image.save(part, "PNG")
            part.rename(paths[missing[made.index]])
    return [Image.open(path).convert("RGB") for path in paths]


def _edition(base: Base) -> str:
    """A hash of the whole base. ``base.hash`` is that of the denoiser only."""
    profile = base.profile
    steps = f"{profile.draw_steps} {profile.guided_steps} {profile.guidance_stop}"
    digest = hashlib.sha256(f"{base.hash} {base.dtype} {SOLVER} {steps}".encode())
    for part in (base.text_encoder, base.vae):
        for name, value in sorted(part.state_dict().items()):
            digest.update(f"{name} {value.double().sum().item():.9e}".encode())
    return digest.hexdigest()


def _name(edition: str, prompt: str, seed: int) -> str:
    return hashlib.sha256(f"{edition}\n{prompt}\n{seed}".encode()).hexdigest()[:24]
