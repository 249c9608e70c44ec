"""Finds lettering on drawings with rapidocr's bundled networks (PP-OCRv6, Apache-2.0): Latin letters and digits only.

Its detector alone finds text on almost every drawing. So a picture counts only if its recogniser reads Latin letters
or digits with a high score. With two characters at a score of 0.8 it found lettering on 2 of 420 drawings without any,
and on half of the drawings with some. It missed most Cyrillic, because the networks know no Cyrillic letters. Since
then, two characters alone must have a higher score.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image

from lora.checks.share import severity
from lora.data.dataset import on_flat_background
from lora.jobs import Finding

SIDE_PX = 512  # the size at which the rule was measured
LEAST_SCORE = 0.8
SHORT_SCORE = 0.98  # for two characters: circles and strokes are often read as OO, OR or to
GREY = (128, 128, 128)  # a background on which white and black lettering can both be read

_SHORT, _LONG = re.compile(r"[A-Za-z0-9]{2}"), re.compile(r"[A-Za-z0-9]{3}")


class LetteringDetector:
    """Looks for lettering, with as many threads as torch has. It takes half a second and 200 MB to create one."""

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        # The engine keeps the flags of a call for later calls, so all flags are given here.
        self._engine = RapidOCR(
            params={
                "Global.log_level": "critical",
                # By default it takes all cores, and its threads spin while they wait for each other.
                "EngineConfig.onnxruntime.intra_op_num_threads": torch.get_num_threads(),
                "Global.use_cls": False,  # no search for text that is upside down
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
    """Check RGBA pictures one by one. Yields None after each picture, and at the end a finding if there is one."""
    reader = LetteringDetector()
    lettered = []
    for number, image in enumerate(images, start=1):
        if reader.has_lettering(image):
            lettered.append(number)
        yield None
    if lettered:
        grave = severity(len(lettered), len(images))
        yield Finding(code="lettering", severity=grave, samples=tuple(lettered))
