"""What a scene is: who does what with what, and the drawings that it is composed of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from lora.pretrain.acts.eyes import features_of, find_eyes
from lora.pretrain.acts.figure import Build
from lora.pretrain.acts.sprite import Array, Sprite


@dataclass(frozen=True, kw_only=True)
class Act:
    """A scene of one character. Rows are those of the drawings, -1 for "none". The same act is the same picture.

    ``verb`` is feeling, holding, playing, drinking, eating, reading, wearing, riding, in, on, loving, beside, or
    breathing fire.
    """

    verb: str
    actor: int
    build: Build | None  # None: an animal from the side
    other: int = -1  # what is held, worn, eaten, ridden
    emotion: str = ""
    face: int = -1  # the emoji face whose features are taken
    neutral: int = -1  # the set's NEUTRAL face
    mark: int = -1  # a sign such as "zzz" beside the head, a heart, or fire
    seed: int = 0


class Source:
    """The drawings that scenes are composed of: a row's drawing and concept, and the features of emoji faces."""

    def __init__(self, read: Callable[[int], Array], concepts: Sequence[str]) -> None:
        """``read`` gives a row's drawing, uint8 [256, 256, 4]."""
        self.concepts = concepts
        self.sprite = lru_cache(maxsize=1024)(lambda row: Sprite(read(row)))
        self.features = lru_cache(maxsize=256)(lambda row: features_of(self.sprite(row)))
        self.eyes = lru_cache(maxsize=1024)(lambda row: find_eyes(self.sprite(row)))
