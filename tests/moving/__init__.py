"""Stickers that move: a video sticker, made with libvpx, and an animated one."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

# An orange ball with a dark spot that wanders, on transparency: three frames of 512 x 512 px, VP9 with alpha.
VIDEO = (Path(__file__).parent / "ball.webm").read_bytes()


def animated(*, opacity: object = 100) -> bytes:
    """A .tgs of one second: an orange disc of 300 px in the middle. ``opacity`` is Lottie's, in percent."""
    plain = {"p": [0, 0], "a": [0, 0], "s": [100, 100], "r": 0, "o": 100}
    still = {name: {"a": 0, "k": value} for name, value in plain.items()}
    disc = [
        {"ty": "el", "p": {"a": 0, "k": [0, 0]}, "s": {"a": 0, "k": [300, 300]}},
        {"ty": "fl", "c": {"a": 0, "k": [1, 0.5, 0.1, 1]}, "o": {"a": 0, "k": 100}},
        {"ty": "tr"} | still,
    ]
    moves = isinstance(opacity, list)
    place = still | {"p": {"a": 0, "k": [256, 256, 0]}, "o": {"a": int(moves), "k": opacity}}
    layer = {"ty": 4, "ind": 1, "ks": place, "shapes": [{"ty": "gr", "it": disc}], "ip": 0, "op": 60, "st": 0}
    whole = {"tgs": 1, "v": "5.5.2", "fr": 60, "ip": 0, "op": 60, "w": 512, "h": 512, "layers": [layer]}
    return gzip.compress(json.dumps(whole).encode())


def fading_in() -> bytes:
    """The same, transparent at first."""
    ease = {"i": {"x": [1], "y": [1]}, "o": {"x": [0], "y": [0]}}
    return animated(opacity=[{"t": 0, "s": [0]} | ease, {"t": 50, "s": [100]}])
