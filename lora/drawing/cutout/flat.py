"""Keying by a flat background: exact un-mixing at edges, no halo, and holes only where they are real.

A pixel of a drawing's edge is C = a F + (1 - a) B. With B known and F taken from the drawing just inside the
edge, a is the projection of C - B on F - B, and the colour without background is (C - (1 - a) B) / a.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

# Distances are Euclidean in RGB of 0 to 1: from 0 to 1.73.
RING_PX = 4  # of border that are looked at
SAME_DISTANCE = 0.10  # up to which a border pixel is the background with some noise
FLAT_SHARE = 0.90  # of the border that must be one colour
# px of 256 between certain background and certain drawing in which pixels may be mixed: a decoder's edges are as much
# wider in a larger picture. Left at 3 px in one of 512, flecks of the background stay on dark drawings.
EDGE_PX = 3
SPECK_SHARE = 0.0008  # of the picture's area; smaller islands are noise if they are faint
SPECK_OF_LARGEST = 0.002  # likewise, of the largest island's area
# A small island is drawing, such as a sparkle or a drop of rain, with so many pixels so far from the background.
DETAIL_PX = 12
DETAIL_DISTANCE = 0.35
SATURATED = 0.4  # of the background's largest minus its smallest channel
KEY_TOLERANCE = 0.22  # distance that still is such a background
# An enclosed patch of the background's colour is a hole if the network's mean alpha there is less.
HOLE_ALPHA = 0.35
HOLE_SHARE = SPECK_SHARE / 4  # of the picture's area; smaller patches are no holes


def background_colour(rgb: Floats, expected: tuple[int, int, int] | None = None) -> Floats | None:
    """The border's one colour, float [3] in [0, 1], or None if the border is not flat.

    The drawing may touch the border: up to a tenth of it. ``expected`` is looked for as well if the border's median
    is another colour; it has to fill the border in the same way.
    """
    ring = np.ones(rgb.shape[:2], dtype=bool)
    ring[RING_PX:-RING_PX, RING_PX:-RING_PX] = False
    border = rgb[ring]
    candidates = [np.median(border, axis=0)]
    if expected is not None:
        near = border[np.linalg.norm(border - np.array(expected) / 255, axis=1) < 0.25]
        if len(near):
            candidates.append(np.median(near, axis=0))
    for colour in candidates:
        if (np.linalg.norm(border - colour, axis=1) < SAME_DISTANCE).mean() >= FLAT_SHARE:
            return colour
    return None


def key(rgb: Floats, background: Floats, network_alpha: Callable[[], Floats]) -> tuple[Floats, Floats]:
    """Alpha [H, W] and background-free colour [H, W, 3] of a drawing on a flat ``background``.

    ``network_alpha`` gives [H, W]. It is asked only if the drawing encloses a patch of the background's colour,
    and it alone decides whether that is a hole in the drawing (the middle of a doughnut) or part of it (the white of an
    eye).
    """
    edge = EDGE_PX * max(1, round(min(rgb.shape[:2]) / 256))
    distance = np.linalg.norm(rgb - background, axis=2)
    tolerance = _tolerance(distance, background)
    outside = _background(distance < tolerance, network_alpha)
    drawing = _without_specks(~outside, distance)
    outside = ~drawing
    # Certain drawing starts ``edge`` px inside; thin parts keep their strongest pixels instead.
    depth = ndimage.distance_transform_edt(drawing)
    certain = (depth > edge) | _ridges(distance, depth, edge)
    inside = _spread(rgb, certain & drawing)
    away = ndimage.distance_transform_edt(outside)
    rim = ((depth <= edge) | (away <= 1)) & ~certain
    span = inside[rim] - background
    length = (span**2).sum(axis=1)
    mixed = ((rgb[rim] - background) * span).sum(axis=1) / np.maximum(length, 1e-4)
    # A drawing as pale as its background cannot be un-mixed: there the mask's own soft edge is all there is.
    soft = ndimage.gaussian_filter(drawing.astype(float), 0.7)[rim]
    alpha = drawing.astype(float)
    alpha[rim] = np.clip(np.where(length > 0.02, mixed, soft), 0, 1)
    alpha = np.where(away > 1.5, 0, alpha)
    alpha = np.where(alpha < 0.04, 0, np.where(alpha > 0.97, 1, alpha))
    return alpha, unmixed(rgb, alpha, background, inside)


def unmixed(rgb: Floats, alpha: Floats, background: Floats, inside: Floats | None = None) -> Floats:
    """(C - (1 - a) B) / a, and towards ``inside`` (the drawing's colour nearby) where a is too small to divide by."""
    if inside is None:
        inside = _spread(rgb, alpha > 0.95) if (alpha > 0.95).any() else rgb
    colour = np.where(alpha[..., None] >= 0.999, rgb, inside)
    part = (alpha > 0.2) & (alpha < 0.999)  # elsewhere it is one of the two
    a = alpha[part][:, None]
    behind = background if background.ndim == 1 else background[part]
    exact = np.clip((rgb[part] - (1 - a) * behind) / np.maximum(a, 0.05), 0, 1)
    trust = np.clip((a - 0.2) / 0.6, 0, 1)
    colour[part] = trust * exact + (1 - trust) * inside[part]
    return colour


def local_background(rgb: Floats, alpha: Floats) -> Floats:
    """The background's colour near each pixel, [H, W, 3], where it is not one colour."""
    certain = alpha < 0.05
    return _spread(rgb, certain) if certain.any() else rgb


def _tolerance(distance: Floats, background: Floats) -> float:
    """Up to where a colour counts as the background: above its own noise, at most a little.

    A saturated background was chosen for being far from the drawing's palette, so what is like it may be
    more of it: a drawing's soft shadow on it, or what its decoder smeared.
    """
    if background.max() - background.min() > SATURATED:
        return KEY_TOLERANCE
    border = np.concatenate(
        [distance[:RING_PX].ravel(), distance[-RING_PX:].ravel(), distance[:, :RING_PX].ravel()]
    )
    return float(np.clip(3 * np.percentile(border, 75) + 0.02, 0.035, 0.09))


def _background(like_background: Bools, network_alpha: Callable[[], Floats]) -> Bools:
    """The background's colour connected to the border, and enclosed patches of it that the network calls holes."""
    labels, count = ndimage.label(like_background)
    areas = np.bincount(labels.ravel(), minlength=count + 1) / like_background.size
    is_outside = np.zeros(count + 1, dtype=bool)
    is_outside[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    is_outside[0] = False  # the drawing
    enclosed = np.flatnonzero(~is_outside & (areas > HOLE_SHARE))
    enclosed = enclosed[enclosed > 0]
    if enclosed.size:
        seen = np.asarray(ndimage.mean(network_alpha(), labels, enclosed))
        is_outside[enclosed[seen < HOLE_ALPHA]] = True
    outside: Bools = is_outside[labels]
    return outside


def _without_specks(drawing: Bools, distance: Floats) -> Bools:
    """The drawing without islands that are small and faint. ``distance`` [H, W] is each pixel's to the background."""
    labels, count = ndimage.label(drawing, structure=np.ones((3, 3)))
    if count <= 1:
        return drawing
    areas = np.bincount(labels.ravel())
    far = np.bincount(labels[distance >= DETAIL_DISTANCE], minlength=len(areas))
    keep = areas >= max(SPECK_SHARE * drawing.size, SPECK_OF_LARGEST * areas[1:].max())
    keep |= far >= DETAIL_PX
    keep[0] = False  # the background
    return keep[labels]


def _ridges(distance: Floats, depth: Floats, edge: int) -> Bools:
    """Pixels of thin parts that differ from the background as much as anything near them: surely all drawing."""
    thin = (depth > 0) & (ndimage.maximum_filter(depth, 2 * edge + 1) <= edge + 1)
    return thin & (distance >= 0.9 * ndimage.maximum_filter(distance, 2 * edge + 1))


def _spread(rgb: Floats, certain: Bools) -> Floats:
    """Each pixel's colour, or that of the nearest certain one."""
    if not certain.any():
        return rgb
    rows, columns = ndimage.distance_transform_edt(~certain, return_distances=False, return_indices=True)
    return rgb[rows, columns]
