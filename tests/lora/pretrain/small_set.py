"""A set of drawings made of simple shapes, for tests of scenes: heads, faces and things of one colour each."""

from __future__ import annotations

import numpy as np

SIDE = 256
INK = (30, 20, 20)
CUP, BALL, BOARD, HAT, BOOK = (20, 160, 60), (200, 30, 160), (30, 90, 220), (120, 40, 200), (230, 120, 20)
FUR, SKIN, TEAR, HEART = (150, 120, 100), (255, 205, 60), (60, 160, 250), (230, 30, 50)
Shape = tuple[
    float, float, float, float, tuple[int, int, int]
]  # centre x, y, half width, half height; colour


def drawn(*shapes: Shape) -> np.ndarray:
    """Ellipses on each other, RGBA uint8 [256, 256, 4]; coordinates in shares of the side."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] / SIDE
    rgba = np.zeros((SIDE, SIDE, 4), dtype=np.uint8)
    for cx, cy, w, h, colour in shapes:
        rgba[((x - cx) / w) ** 2 + ((y - cy) / h) ** 2 < 1] = (*colour, 255)
    return rgba


EYES: tuple[Shape, Shape] = ((0.36, 0.42, 0.05, 0.06, INK), (0.64, 0.42, 0.05, 0.06, INK))
MOUTH: Shape = (0.5, 0.68, 0.14, 0.04, INK)
FACE: Shape = (0.5, 0.5, 0.48, 0.48, SKIN)
TEARS: tuple[Shape, Shape] = ((0.3, 0.56, 0.05, 0.2, TEAR), (0.7, 0.56, 0.05, 0.2, TEAR))
HEARTS: tuple[Shape, Shape] = ((0.35, 0.4, 0.11, 0.11, HEART), (0.65, 0.4, 0.11, 0.11, HEART))

PICTURES = {
    "bear": drawn((0.5, 0.5, 0.45, 0.45, FUR), *EYES, MOUTH),
    "banana": drawn((0.5, 0.5, 0.45, 0.35, (240, 220, 60))),
    "ghost": drawn((0.5, 0.5, 0.35, 0.48, (225, 225, 235)), *EYES),
    "dog": drawn((0.5, 0.6, 0.45, 0.25, (140, 90, 50))),
    "slightly smiling face": drawn(FACE, *EYES, MOUTH),
    "loudly crying face": drawn(FACE, *EYES, *TEARS, MOUTH),
    "smiling face with heart-eyes": drawn(FACE, *HEARTS, MOUTH),
    "hot beverage": drawn((0.5, 0.5, 0.4, 0.4, CUP)),
    "soccer ball": drawn((0.5, 0.5, 0.45, 0.45, BALL)),
    "skateboard": drawn((0.5, 0.7, 0.48, 0.12, BOARD)),
    "canoe": drawn((0.5, 0.6, 0.48, 0.25, BOARD)),
    "top hat": drawn((0.5, 0.5, 0.45, 0.4, HAT)),
    "open book": drawn((0.5, 0.5, 0.48, 0.35, BOOK)),
    "guitar": drawn((0.5, 0.5, 0.2, 0.48, BOOK)),
    "tulip": drawn((0.5, 0.3, 0.2, 0.25, BALL), (0.5, 0.7, 0.04, 0.28, CUP)),
    "red heart": drawn((0.5, 0.5, 0.4, 0.4, HEART)),
    "fire": drawn((0.5, 0.5, 0.3, 0.45, BOOK)),
    "star": drawn((0.5, 0.5, 0.45, 0.45, BOARD)),
}
CONCEPTS = list(PICTURES)
DRAWINGS: list[dict[str, object]] = [
    {"style": "plain set", "concept": concept, "tags": [], "group": 0 if "face" in concept else 4}
    for concept in CONCEPTS
]
