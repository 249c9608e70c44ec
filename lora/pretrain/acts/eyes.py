"""Finds a pair of eyes in a drawn face, and takes the features off the open emoji faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from lora.pretrain.acts.sprite import SIDE, Array, Sprite

LUMA = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True, kw_only=True)
class Eyes:
    """Two eyes on one level: the middle between them, half their distance, and their radius; in pixels."""

    x: float
    y: float
    apart: float
    radius: float

    @property
    def both(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return (self.x - self.apart, self.y), (self.x + self.apart, self.y)


def find_eyes(sprite: Sprite) -> Eyes | None:
    """The most symmetric pair of dark round spots in the upper two thirds of a front view, or None."""
    left, top, right, bottom = sprite.box
    width, height, middle = right - left, bottom - top, (left + right) / 2
    dark = (sprite.rgba[..., :3] @ LUMA < 95) & (sprite.rgba[..., 3] > 200)
    labels, _ = ndimage.label(dark)
    spots = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        rows, columns = box
        h, w = rows.stop - rows.start, columns.stop - columns.start
        area = int((labels[box] == number).sum())
        round_ = area > 0.6 * h * w and 0.45 < w / h < 2.2
        if round_ and 0.025 * width < w < 0.24 * width:
            spots.append(((columns.start + columns.stop) / 2, (rows.start + rows.stop) / 2, w, h))
    best, found = 0.0, None
    for x1, y1, w1, h1 in spots:
        for x2, y2, w2, h2 in spots:
            apart = (x2 - x1) / 2
            off = abs((x1 + x2) / 2 - middle) / width + abs(y1 - y2) / height
            like = min(w1, w2) / max(w1, w2) * min(h1, h2) / max(h1, h2)
            high = (y1 - top) / height
            if not (0.08 < apart / width < 0.36 and off < 0.07 and like > 0.6 and 0.2 < high < 0.72):
                continue
            score = like * (w1 * h1) ** 0.5 * (1 - 5 * off)
            if score > best:
                best = score
                found = Eyes(x=(x1 + x2) / 2, y=(y1 + y2) / 2, apart=apart, radius=(w1 + w2 + h1 + h2) / 8)
    return found


def without_eyes(sprite: Sprite, eyes: Eyes) -> Sprite:
    """The face with its eyes covered by the colour around each of them."""
    y, x = np.mgrid[0:SIDE, 0:SIDE]
    rgb = sprite.rgba[..., :3].astype(np.float32)
    for ex, ey in eyes.both:
        distance = np.hypot(x - ex, y - ey)
        ring = (distance > eyes.radius * 1.5) & (distance < eyes.radius * 2.1) & (sprite.rgba[..., 3] > 200)
        light = ring & (sprite.rgba[..., :3] @ LUMA > 60)
        around = light if light.sum() > 0.3 * ring.sum() else ring
        if around.any():
            cover = (eyes.radius * 1.45 + 1 - distance).clip(0, 1)[..., None]
            rgb = rgb * (1 - cover) + np.median(sprite.rgba[around][:, :3], axis=0) * cover
    return Sprite(np.dstack([rgb.round().astype(np.uint8), sprite.rgba[..., 3]]))


def features_of(face: Sprite) -> Sprite:
    """Eyes, mouth, tears and what else is on a yellow emoji face, without the face.

    The face's colour at each place is the mean of the yellow pixels near it; what differs from it is a feature.
    """
    rgb, alpha = face.rgba[..., :3].astype(np.float32) / 255, face.rgba[..., 3].astype(np.float32) / 255
    red, green, blue = np.moveaxis(rgb, 2, 0)
    skin = (alpha > 0.9) & (red > 0.7) & (green > 0.45 * red) & (green < 0.95 * red) & (blue < 0.62 * red)
    skin = ndimage.binary_erosion(skin, iterations=3)
    weight = ndimage.gaussian_filter(skin.astype(np.float32), 16) + 1e-4
    near = np.dstack(
        [ndimage.gaussian_filter(np.where(skin, plane, 0), 16) / weight for plane in (red, green, blue)]
    )
    x, y, radius = face.disc
    rows, columns = np.mgrid[0:SIDE, 0:SIDE]
    distance = np.hypot(columns - x, rows - y)
    differs = np.abs(rgb - near).max(axis=2)
    # The face's edge is a darker orange, or an outline in black.
    rim = ((red > green) & (green > 1.15 * blue) & (red > 0.5)) | (rgb.max(axis=2) < 0.25)
    share = ((differs - 0.2) / 0.22).clip(0, 1) * np.where(rim, (radius * 0.93 - distance).clip(0, 1), 1)
    share = np.where(ndimage.binary_opening(share > 0.3, iterations=1) | (share > 0.95), share, share * 0.3)
    own = ((rgb - near * (1 - share[..., None])) / np.maximum(share, 0.2)[..., None]).clip(0, 1)
    found: Array = np.dstack([own * 255, share * alpha * 255]).round().astype(np.uint8)
    return Sprite(found)


def upper(features: Sprite, eyes: Eyes) -> Sprite:
    """The features that begin above the middle of the face: eyes, brows, tears, glasses; not the mouth."""
    labels, _ = ndimage.label(features.rgba[..., 3] > 60)
    keep = np.zeros(labels.shape, dtype=bool)
    for number, (rows, columns) in enumerate(ndimage.find_objects(labels), start=1):
        if rows.start < eyes.y + eyes.radius * 1.2:
            keep[rows, columns] |= labels[rows, columns] == number
    keep = ndimage.binary_dilation(keep, iterations=2)
    return Sprite(np.dstack([features.rgba[..., :3], features.rgba[..., 3] * keep]))
