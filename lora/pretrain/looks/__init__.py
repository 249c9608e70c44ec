"""The space of styles: a training drawing shown in looks that a program makes, and the ordinary words for them.

A look has up to four layers: colours, a material, lines, a finish. The same look of the same drawing is the same
picture. Needs numpy, scipy and Pillow, but no torch, so that many processes can make looks at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np

from lora.pretrain.looks.kinds import COLOURS, FINISHES, KINDS, LINES, MATERIALS, WHOLE
from lora.pretrain.looks.picture import Array, of_rgba, to_rgba

INSET = 0.06  # of the side: room for outlines, borders and shadows
ALONE = 0.3  # share of looks that are one of WHOLE, which leave nothing for other layers
# How often a look of layers has one of each part; it has at least one layer.
SHARES = ((COLOURS, 0.45), (MATERIALS, 0.45), (LINES, 0.55), (FINISHES, 0.25))


@dataclass(frozen=True, kw_only=True)
class Look:
    """Layers (kind, option) in the order in which they are applied, and the seed of what is random in them."""

    layers: tuple[tuple[str, str], ...]
    seed: int

    def __call__(self, rgba: Array) -> Array:
        """The drawing, uint8 [H, W, 4] with straight alpha, in this look; smaller by INSET at each edge."""
        rng = np.random.default_rng(self.seed)
        picture = of_rgba(rgba, inset=INSET)
        for kind, option in self.layers:
            picture = KINDS[kind].apply(picture, option, rng)
        return to_rgba(picture)

    def words(self, rng: Random) -> str:
        """The words of all layers for a caption, such as ``pastel colours, thick brown outline``."""
        return ", ".join(rng.choice(KINDS[kind].words).format(option) for kind, option in self.layers)


def random_look(rng: Random) -> Look:
    """A look chosen at random: one of WHOLE, or layers of some of the other parts."""
    if rng.random() < ALONE:
        chosen = [rng.choice(WHOLE)]
    else:
        chosen = []
        while not chosen:
            chosen = [rng.choice(part) for part, share in SHARES if rng.random() < share]
    layers = tuple((kind, rng.choice(KINDS[kind].options)) for kind in chosen)
    return Look(layers=layers, seed=rng.randrange(2**32))


def all_words() -> set[str]:
    """Every text that captions may have for a layer."""
    return {
        words.format(option) for kind in KINDS.values() for words in kind.words for option in kind.options
    }
