"""Finds lettering on drawings with rapidocr's bundled networks (PP-OCRv6, Apache-2.0): Latin letters and digits only.

Its detector alone sees text on almost every drawing. So a picture counts only if Latin letters or digits are read
with confidence. Asking for two of them at 0.8 found lettering on two of 420 drawings that have none, and on half of
those that have some; Cyrillic above all was missed, for which the networks know no letters. Here a string of only
two is asked for more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from PIL import Image

from lora.checks.share import severity
from lora.data.dataset import on_flat_background
from lora.jobs import Finding

SIDE_PX = 512  # what the rule was measured at
LEAST_SCORE = 0.8
SHORT_SCORE = 0.95  # of two letters: circles and strokes are easily read as OO or to
GREY = (128, 128, 128)  # a background that neither white nor black lettering vanishes into

_SHORT, _LONG = re.compile(r"[A-Za-z0-9]{2}"), re.compile(r"[A-Za-z0-9]{3}")


class LetteringDetector:
    """Reads pictures. Making one takes half a second; it holds about 200 MB."""

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        # Flags of a call would stick to the engine, so all are given here and none later.
        self._engine = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.use_cls": False,  # nothing is turned upside down
                "Global.text_score": 0.3,
                "Det.limit_side_len": SIDE_PX,
                "Det.limit_type": "max",
                "Det.box_thresh": 0.5,
            }
        )

    def has_lettering(self, image: Image.Image) -> bool:
        """Whether a word can be read on an RGBA picture."""
        rgb = np.asarray(on_flat_background(image, SIDE_PX, GREY))
        read: Any = self._engine(np.ascontiguousarray(rgb[..., ::-1]))  # it wants BGR
        return any(
            (score >= LEAST_SCORE and _LONG.search(text)) or (score >= SHORT_SCORE and _SHORT.search(text))
            for text, score in zip(read.txts or (), read.scores or (), strict=True)
        )


def check(images: Sequence[Image.Image]) -> Iterator[Finding | None]:
    """Look at RGBA pictures one by one, giving None after each, and at the end a finding if there is one."""
    reader = LetteringDetector()
    lettered = []
    for number, image in enumerate(images, start=1):
        if reader.has_lettering(image):
            lettered.append(number)
        yield None
    if lettered:
        grave = severity(len(lettered), len(images))
        yield Finding(code="lettering", severity=grave, samples=tuple(lettered))
