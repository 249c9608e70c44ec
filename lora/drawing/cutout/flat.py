"""Keying by a flat background: exact un-mixing at edges, no halo, and holes only where they are real.

A pixel of a drawing's edge is C = a F + (1 - a) B. With B known and F taken from the drawing just inside the
edge, a is the projection of C - B on F - B, and the colour without background is (C - (1 - a) B) / a.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]
Bytes = NDArray[np.uint8]
Box = tuple[slice, slice]  # rows and columns of a picture, each with a start and a stop

SQUARE = np.ones((3, 3), dtype=np.uint8)  # a pixel and its eight neighbours

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


def background_colour(rgb: Bytes, expected: tuple[int, int, int] | None = None) -> Floats | None:
    """The border's one colour, float [3] in [0, 1], or None if the border is not flat.

    The drawing may touch the border: up to a tenth of it. ``expected`` is looked for as well if the border's median
    is another colour; it has to fill the border in the same way.
    """
    sides = (rgb[:RING_PX], rgb[-RING_PX:], rgb[RING_PX:-RING_PX, :RING_PX], rgb[RING_PX:-RING_PX, -RING_PX:])
    border = np.concatenate([side.reshape(-1, 3) for side in sides]) / 255
    candidates = [np.median(border, axis=0)]
    if expected is not None:
        near = border[np.linalg.norm(border - np.array(expected) / 255, axis=1) < 0.25]
        if len(near):
            candidates.append(np.median(near, axis=0))
    for colour in candidates:
        if (np.linalg.norm(border - colour, axis=1) < SAME_DISTANCE).mean() >= FLAT_SHARE:
            return colour
    return None


def key(rgb: Bytes, background: Floats, network_alpha: Callable[[Box], Floats]) -> tuple[Bytes, Bytes]:
    """Alpha [H, W] and background-free colour [H, W, 3] of a drawing [H, W, 3] on a flat ``background``.

    ``network_alpha`` gives a part's alpha, float. It is asked only if the drawing encloses patches of the background's
    colour, about the part that holds them, and it alone decides whether one is a hole in the drawing (the middle of a
    doughnut) or part of it (the white of an eye). Only the part of the picture that holds the drawing is worked on.
    """
    edge = EDGE_PX * max(1, round(min(rgb.shape[:2]) / 256))
    distance = _distance(rgb, background)
    tolerance = _tolerance(distance, background)
    alpha, colour = np.zeros(distance.shape, dtype=np.uint8), rgb.copy()
    if (box := _box(distance >= tolerance, 2 * edge)) is not None:
        near = distance[box]
        outside = _background(near < tolerance, lambda part: network_alpha(_inside(box, part)), distance.size)
        drawing = _without_specks(~outside, near, distance.size)
        alpha[box], colour[box] = _edges(rgb[box], background, near, drawing, edge)
    return alpha, colour


def _edges(
    rgb: Bytes, background: Floats, distance: Floats, drawing: Bools, edge: int
) -> tuple[Bytes, Bytes]:
    """Alpha and colour once it is known which pixels are ``drawing`` [H, W]: those at its edges are un-mixed."""
    # Certain drawing starts ``edge`` px inside; thin parts keep their strongest pixels instead.
    depth: Any = cv2.distanceTransform(drawing.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    certain = (depth > edge) | _ridges(distance, depth, edge)
    next_to_it = cv2.dilate(drawing.view(np.uint8), SQUARE) > 0
    rim = (depth <= edge) & next_to_it & ~certain
    mixed, inside = rgb[rim] / 255, _spread(rgb, certain & drawing, rim)
    span = inside - background
    length = (span**2).sum(axis=1)
    found = ((mixed - background) * span).sum(axis=1) / np.maximum(length, 1e-4)
    if (pale := length <= 0.02).any():
        # A drawing as pale as its background cannot be un-mixed: there the mask's own soft edge is all there is.
        found[pale] = cv2.GaussianBlur(drawing.astype(np.float32), (7, 7), 0.7)[rim][pale]
    found = settled(found)
    alpha, colour = drawing * np.uint8(255), rgb.copy()
    alpha[rim] = _to_bytes(found)
    colour[rim] = _to_bytes(_unmixed(mixed, found, background, inside))
    return alpha, colour


def settled(alpha: Floats) -> Floats:
    """Alpha that is nearly 0 or 1 is 0 or 1: no haze is left on the background, and no holes in the drawing."""
    return np.where(alpha < 0.04, alpha.dtype.type(0), np.where(alpha > 0.97, alpha.dtype.type(1), alpha))


def unmixed(rgb: Bytes, alpha: Floats) -> Bytes:
    """The colour [H, W, 3] of a drawing with this alpha, without its background, which need not be one colour."""
    part = (alpha > 0) & (alpha < 0.999)
    behind, inside = (
        _spread(rgb, certain, part).astype(np.float32) for certain in (alpha < 0.05, alpha > 0.95)
    )
    colour = rgb.copy()
    colour[part] = _to_bytes(_unmixed(rgb[part] / np.float32(255), alpha[part], behind, inside))
    return colour


def _unmixed(rgb: Floats, alpha: Floats, behind: Floats, inside: Floats) -> Floats:
    """(C - (1 - a) B) / a of pixels [n, 3], and towards ``inside`` (the drawing's colour nearby) where a is too small.

    A pixel without background keeps its colour.
    """
    a = alpha[:, None]
    exact = np.clip((rgb - (1 - a) * behind) / np.maximum(a, 0.05), 0, 1)
    trust = np.clip((a - 0.2) / 0.6, 0, 1)
    return np.where(a >= 0.999, rgb, trust * exact + (1 - trust) * inside)


def _to_bytes(values: Floats) -> Bytes:
    return (values * 255).round().astype(np.uint8)


def _distance(rgb: Bytes, colour: Floats) -> Floats:
    """Of each pixel to a colour, [H, W]."""
    squares = ((np.arange(256)[:, None] / 255 - colour) ** 2).astype(np.float32)  # of a channel's 256 values
    distance: Any = np.sqrt(cv2.transform(cv2.LUT(rgb, squares[:, None]), np.ones((1, 3))))
    return distance


def _box(drawing: Bools, around: int) -> Box | None:
    """The part of a picture that holds the drawing and so many px around it; None without a drawing."""
    rows, columns = (np.flatnonzero(drawing.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    top, left = (max(0, int(at[0]) - around) for at in (rows, columns))
    return slice(top, int(rows[-1]) + around + 1), slice(left, int(columns[-1]) + around + 1)


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


def _background(like_background: Bools, network_alpha: Callable[[Box], Floats], whole: int) -> Bools:
    """The background's colour connected to the border, and enclosed patches of it that the network calls holes.

    ``whole`` is the picture's area in px, of which this may be a part.
    """
    count, labels, stats, _ = cv2.connectedComponentsWithStats(like_background.view(np.uint8), connectivity=4)
    is_outside = np.zeros(count, dtype=bool)
    is_outside[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    is_outside[0] = False  # the drawing
    enclosed = np.flatnonzero(~is_outside & (stats[:, cv2.CC_STAT_AREA] > HOLE_SHARE * whole))
    enclosed = enclosed[enclosed > 0]
    if enclosed.size:
        part = _around(stats[enclosed])
        seen = np.asarray(ndimage.mean(network_alpha(part), labels[part], enclosed))
        is_outside[enclosed[seen < HOLE_ALPHA]] = True
    return is_outside[labels]


def _around(stats: NDArray[Any]) -> Box:
    """The part of a picture that holds components with these statistics of OpenCV."""
    left, top, width, height = stats[:, :4].T  # as cv2.CC_STAT_LEFT and so on
    return slice(top.min(), (top + height).max()), slice(left.min(), (left + width).max())


def _inside(outer: Box, inner: Box) -> Box:
    """The part of the picture that is ``inner`` in its part ``outer``."""
    rows, columns = (slice(a.start + b.start, a.start + b.stop) for a, b in zip(outer, inner, strict=True))
    return rows, columns


def _without_specks(drawing: Bools, distance: Floats, whole: int) -> Bools:
    """The drawing without islands that are small and faint. ``distance`` [H, W] is each pixel's to the background."""
    count, labels = cv2.connectedComponents(drawing.view(np.uint8), connectivity=8)
    if count <= 2:  # the background is one of them
        return drawing
    areas = np.bincount(labels.ravel())
    far = np.bincount(labels[distance >= DETAIL_DISTANCE], minlength=count)
    keep = areas >= max(SPECK_SHARE * whole, SPECK_OF_LARGEST * areas[1:].max())
    keep |= far >= DETAIL_PX
    keep[0] = False  # the background
    kept: Bools = keep[labels]
    return kept


def _ridges(distance: Floats, depth: Floats, edge: int) -> Bools:
    """Pixels of thin parts that differ from the background as much as anything near them: surely all drawing."""
    square = np.ones((2 * edge + 1,) * 2, dtype=np.uint8)
    thin = (depth > 0) & (cv2.dilate(depth, square) <= edge + 1)
    ridges: Bools = thin & (distance >= np.float32(0.9) * cv2.dilate(distance, square))
    return ridges


def _spread(rgb: Bytes, certain: Bools, wanted: Bools) -> Floats:
    """Colours [n, 3], 0 to 1, of the ``wanted`` pixels' nearest certain ones; their own if none is certain."""
    if not certain.any():
        return rgb[wanted] / 255
    _, labels = cv2.distanceTransformWithLabels(
        (~certain).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # Only an outermost certain pixel is the nearest one of another pixel.
    outermost = certain & (cv2.erode(certain.view(np.uint8), SQUARE) == 0)
    used = outermost | (wanted & certain)
    colours = np.zeros((np.count_nonzero(certain) + 1, 3), dtype=np.uint8)
    colours[labels[used]] = rgb[used]
    return colours[labels[wanted]] / 255
