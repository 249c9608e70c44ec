"""Numbers from what an eye saw: how near drawings are to samples, whether they copy them, how they vary."""

from __future__ import annotations

import numpy as np

from lora.evaluation.scorers import Floats

COPY_PERCENTILE = 99  # of each sample's likeness to the one that is most like it
# Of the way from there to equality. Without it 16 % of new real drawings of the demo's style were called copies,
# with it 1 %, and 97 % of copies that were moved, shrunk and blurred were found (200 splits into 18 and 10).
COPY_MARGIN = 0.25


def style_closeness(drawn: Floats, samples: Floats, bare: Floats) -> Floats:
    """How far each drawing [n] has come from the bare base's look (0) to the samples' (1), at most 1.

    Looks are [_, d]. Each dimension is measured in its own spread within the two sets, for a dimension that
    varies with what is drawn says little of how. Then the drawing is projected on the line between the two
    sets' means. What goes past the samples counts as much against it as what falls short.
    """
    spread = np.sqrt((samples.var(axis=0) + bare.var(axis=0)) / 2)
    spread = np.maximum(spread, 1e-3 * spread.max() + 1e-12)
    line = (samples.mean(axis=0) - bare.mean(axis=0)) / spread
    way = (drawn - bare.mean(axis=0)) / spread @ line / max(float(line @ line), 1e-12)
    return 1 - np.abs(1 - way)


def copies(drawn: Floats, samples: Floats, mirrored: Floats) -> np.ndarray:
    """Which drawings [n] are nearer to a sample, or its mirror image, than samples are to each other.

    The limit begins at the set's own: the 99th percentile of the likeness (cosine of contents, centred on the
    samples) of each sample to its nearest other one. A set of near-duplicates so allows more than one of
    different things. New drawings by the same hand pass that now and then, so ``COPY_MARGIN`` is added.
    """
    middle = samples.mean(axis=0)
    one, other, mine = (_directions(looks - middle) for looks in (samples, mirrored, drawn))
    among = np.maximum(one @ one.T, one @ other.T)
    np.fill_diagonal(among, -1)  # a sample is like itself and like its own mirror image
    limit = float(np.percentile(among.max(axis=1), COPY_PERCENTILE))
    nearest = np.maximum(mine @ one.T, mine @ other.T).max(axis=1)
    return nearest > min(limit + COPY_MARGIN * (1 - limit), 1 - 1e-6)


def diversity(drawn: Floats, samples: Floats) -> float | None:
    """How different drawings [n] are among themselves: mean squared distance, as a share of the samples' own.

    One drawing alone has no distance to another: None.
    """
    if len(drawn) < 2:
        return None
    among, own = (float(looks.var(axis=0, ddof=1).sum()) for looks in (drawn, samples))
    return among / max(own, 1e-12)


def _directions(vectors: Floats) -> Floats:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
