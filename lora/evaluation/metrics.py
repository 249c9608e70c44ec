"""Numbers from the features of drawings: how near they are to the samples, whether they copy them, how they vary."""

from __future__ import annotations

import numpy as np

from lora.evaluation.scorers import Floats

COPY_PERCENTILE = 99  # of each sample's similarity to the sample that is most like it
# Share of the way from that percentile to 1. Without it 16 % of new real drawings of the demo's style were called
# copies. With it 1 % were, and 97 % of copies that were moved, shrunk and blurred were found (200 random splits of the
# samples into 18 and 10).
COPY_MARGIN = 0.25


def style_closeness(drawn: Floats, samples: Floats, bare: Floats) -> Floats:
    """How near each drawing [n] is to the samples' style: 0 as the bare base draws, 1 as the samples are, at most 1.

    All are style features [_, d]. Each dimension is divided by its standard deviation within the two sets (of the
    bare base's drawings b and of the samples s), because one that varies with what is drawn says little of how it is
    drawn. With the line v = mean(s) - mean(b), a drawing x is projected on it:

        t = (x - mean(b)) . v / (v . v),   closeness = 1 - |1 - t|

    So a drawing beyond the samples (t > 1) is as far from them as one that falls short by the same distance.
    """
    spread = np.sqrt((samples.var(axis=0) + bare.var(axis=0)) / 2)
    spread = np.maximum(spread, 1e-3 * spread.max() + 1e-12)
    line = (samples.mean(axis=0) - bare.mean(axis=0)) / spread
    position = (drawn - bare.mean(axis=0)) / spread @ line / max(float(line @ line), 1e-12)
    return 1 - np.abs(1 - position)


def copies(drawn: Floats, samples: Floats, mirrored: Floats) -> np.ndarray:
    """Which drawings are more like a sample, or its mirror image, than samples are like each other: bool [n].

    All are content features [_, e]; similarity is the cosine after subtracting the samples' mean. With q the 99th
    percentile of each sample's similarity to its nearest other sample, a drawing is a copy if its similarity to the
    nearest sample is over ``q + COPY_MARGIN * (1 - q)``. A set of near-duplicates so allows more similarity than a set
    of different things. The margin is there because new drawings by the same artist pass q now and then.
    """
    middle = samples.mean(axis=0)
    one, other, mine = (_directions(features - middle) for features in (samples, mirrored, drawn))
    among = np.maximum(one @ one.T, one @ other.T)
    np.fill_diagonal(among, -1)  # a sample's similarity to itself and to its own mirror image does not count
    limit = float(np.percentile(among.max(axis=1), COPY_PERCENTILE))
    nearest = np.maximum(mine @ one.T, mine @ other.T).max(axis=1)
    return nearest > min(limit + COPY_MARGIN * (1 - limit), 1 - 1e-6)


def diversity(drawn: Floats, samples: Floats) -> float | None:
    """How different the drawings are from each other: their total variance divided by that of the samples.

    Both are content features [n, e] and [m, e]. None if n is 1: one drawing has no variance.
    """
    if len(drawn) < 2:
        return None
    among, own = (float(features.var(axis=0, ddof=1).sum()) for features in (drawn, samples))
    return among / max(own, 1e-12)


def _directions(vectors: Floats) -> Floats:
    """The rows scaled to length 1."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
