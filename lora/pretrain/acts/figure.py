"""Figures: a head or a thing with a body, arms and legs that are drawn by a program, and the places on it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from PIL import Image, ImageDraw

from lora.pretrain.acts.eyes import LUMA, Eyes, find_eyes
from lora.pretrain.acts.sprite import SIDE, Array, Point, Sprite, blank, carried, placed

FINE = 3  # limbs are drawn this many times larger, for smooth edges


class Build(StrEnum):
    """What a character's drawing shows."""

    HEAD = "head"  # a head in front view: it gets a body
    WHOLE = "whole"  # all of it, in front view: it gets arms only
    THING = "thing"  # no living thing: it gets thin arms and legs


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A character on the canvas. Points are pixels (x, y) of the canvas.

    ``behind`` has the body and the legs, ``front`` the head; arms are drawn last, to where the hands are.
    """

    behind: Image.Image
    front: Image.Image
    limb: Array  # colour of the arms
    thick: float  # of the arms
    eyes: Eyes | None  # None: not found
    mouth: Point
    top: Point  # where a hat sits
    head: float  # width of the head where a hat sits
    neck: Point
    chest: Point
    feet: float  # y of the ground
    shoulders: tuple[Point, Point]


def figure(sprite: Sprite, build: Build, *, scale: float, at: Point) -> Figure:
    """A figure whose head or thing has its centre at ``at`` and, at ``scale`` 1, fills the canvas."""
    if build is Build.HEAD:
        return _with_body(sprite, scale, at)
    return _with_limbs(sprite, scale, at, thing=build is Build.THING)


def _fit(sprite: Sprite, scale: float) -> float:
    """The factor that makes the larger side of what is visible ``scale`` of the canvas."""
    return scale * SIDE / max(sprite.size)


def _eyes(sprite: Sprite, factor: float, at: Point) -> Eyes | None:
    found = find_eyes(sprite)
    if found is None:
        return None
    x, y = carried((found.x, found.y), pin=sprite.centre, at=at, scale=factor)
    return Eyes(x=x, y=y, apart=found.apart * factor, radius=found.radius * factor)


def _with_body(sprite: Sprite, scale: float, at: Point) -> Figure:
    factor = _fit(sprite, scale)
    left, _top, right, _bottom = sprite.box
    front = placed(sprite, pin=sprite.centre, at=at, scale=factor)
    x, low = at[0], at[1] + sprite.size[1] * factor / 2
    eyes = _eyes(sprite, factor, at)
    fur = fur_of(sprite)
    size = scale * SIDE
    chest = (x, low + size * 0.16)
    feet = low + size * 0.5
    behind = _body(x, low, size, fur)
    mouth_y = low - size * 0.16 if eyes is None else eyes.y + (low - eyes.y) * 0.62
    width = sprite.size[0] * factor
    return Figure(
        behind=behind,
        front=front,
        limb=fur,
        thick=size * 0.13,
        eyes=eyes,
        mouth=(x, mouth_y),
        top=(x, at[1] + (sprite.top_at((left + right) / 2) - sprite.centre[1]) * factor),
        head=width * 0.62,
        neck=(x, low - size * 0.01),
        chest=chest,
        feet=feet,
        shoulders=((x - size * 0.2, low + size * 0.08), (x + size * 0.2, low + size * 0.08)),
    )


def _with_limbs(sprite: Sprite, scale: float, at: Point, *, thing: bool) -> Figure:
    factor = _fit(sprite, scale)
    x, y, radius = sprite.disc
    centre = carried((x, y), pin=sprite.centre, at=at, scale=factor)
    reach = radius * factor
    front = placed(sprite, pin=sprite.centre, at=at, scale=factor)
    bottom = at[1] + sprite.size[1] * factor / 2
    behind, feet = blank(), bottom
    if thing:
        behind, feet = _legs(sprite, factor, at, centre[0], reach)
    eyes = None if thing else _eyes(sprite, factor, at)
    mouth = (centre[0], centre[1] + reach * 0.35) if eyes is None else (eyes.x, eyes.y + eyes.apart * 1.3)
    return Figure(
        behind=behind,
        front=front,
        limb=np.array([60.0, 42, 38]) if thing else fur_of(sprite),
        thick=SIDE * 0.024 if thing else reach * 0.3,
        eyes=eyes,
        mouth=mouth,
        top=(centre[0], at[1] + (sprite.top_at(x) - sprite.centre[1]) * factor),
        head=reach * 1.5,
        neck=(centre[0], centre[1] + reach * 0.75),
        chest=(centre[0], centre[1] + reach * (1.1 if thing else 0.9)),
        feet=feet,
        shoulders=(
            (centre[0] - reach * 0.93, centre[1] + reach * 0.25),
            (centre[0] + reach * 0.93, centre[1] + reach * 0.25),
        ),
    )


def fur_of(sprite: Sprite) -> Array:
    """The commonest colour of a drawing that is neither near black nor near white, float [3] of 255."""
    seen = sprite.rgba[::2, ::2].reshape(-1, 4)
    seen = seen[seen[:, 3] > 250][:, :3]
    bright = seen @ LUMA
    some = seen[(bright > 55) & (bright < 245)]
    if len(some) < 0.12 * len(seen):
        some = seen
    if not len(some):
        return np.full(3, 128.0)
    keys = (some // 24).astype(np.int32) @ np.array([10000, 100, 1])
    values, counts = np.unique(keys, return_counts=True)
    return some[keys == values[counts.argmax()]].mean(axis=0)


def colour(values: Array, light: float = 1.0) -> tuple[int, int, int, int]:
    """A colour for Pillow; ``light`` below 1 darkens, above 1 goes towards white."""
    shade = values * light if light <= 1 else values + (255 - values) * (light - 1)
    red, green, blue = (int(v) for v in np.clip(shade, 0, 255))
    return red, green, blue, 255


def _fine() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    canvas = Image.new("RGBA", (SIDE * FINE, SIDE * FINE))
    return canvas, ImageDraw.Draw(canvas)


def _plain(canvas: Image.Image) -> Image.Image:
    return canvas.convert("RGBa").reduce(FINE).convert("RGBA")


def _oval(draw: ImageDraw.ImageDraw, x: float, y: float, w: float, h: float, fill: tuple[int, ...]) -> None:
    """An ellipse about (x, y) with half its width and half its height."""
    draw.ellipse([v * FINE for v in (x - w, y - h, x + w, y + h)], fill=fill)


def _body(x: float, low: float, size: float, fur: Array) -> Image.Image:
    """A sitting body with a belly and two feet, below a head that ends at ``low`` and is ``size`` wide."""
    canvas, draw = _fine()
    dark, belly = colour(fur, 0.84), colour(fur, 1.45)
    top, bottom = low - size * 0.12, low + size * 0.48
    for side in (-1, 1):
        _oval(draw, x + side * size * 0.16, bottom - size * 0.015, size * 0.125, size * 0.075, dark)
    middle = (top + bottom) / 2
    _oval(draw, x, middle + size * 0.02, size * 0.27, size * 0.3, colour(fur, 0.93))
    _oval(draw, x, middle + size * 0.07, size * 0.17, size * 0.21, belly)
    for side in (-1, 1):
        _oval(draw, x + side * size * 0.17, bottom - size * 0.01, size * 0.095, size * 0.055, colour(fur))
    return _plain(canvas)


def _legs(sprite: Sprite, factor: float, at: Point, x: float, reach: float) -> tuple[Image.Image, float]:
    """Two thin legs with shoes; returns the y of the ground, too."""
    canvas, draw = _fine()
    line = (60, 42, 38, 255)
    lowest = at[1] + sprite.size[1] * factor / 2
    feet = min(lowest + SIDE * 0.11, SIDE * 0.985)
    for side in (-1, 1):
        foot = x + side * min(reach * 0.4, SIDE * 0.09)
        source = sprite.centre[0] + (foot - at[0]) / factor
        start = at[1] + (sprite.bottom_at(source) - sprite.centre[1]) * factor - SIDE * 0.03
        draw.line([v * FINE for v in (foot, start, foot, feet)], fill=line, width=round(SIDE * 0.02 * FINE))
        _oval(draw, foot + side * SIDE * 0.014, feet - SIDE * 0.008, SIDE * 0.034, SIDE * 0.018, line)
    return _plain(canvas), feet


def arm(canvas: Image.Image, made: Figure, side: int, hand: Point) -> None:
    """Draw an arm from a shoulder (0 left, 1 right) to a hand onto the canvas, with a dark edge."""
    fine, draw = _fine()
    start = made.shoulders[side]
    thin = made.thick < SIDE * 0.04
    edge = colour(made.limb, 0.72)
    bend = (
        (start[0] + hand[0]) / 2 + (-1 if side == 0 else 1) * SIDE * 0.025,
        (start[1] + hand[1]) / 2 + SIDE * 0.03,
    )
    widths = ((made.thick, colour(made.limb)),) if thin else (
        (made.thick + 2.6, edge), (made.thick, colour(made.limb)),
    )  # fmt: skip
    for width, fill in widths:
        points = _curve(start, bend, hand)
        draw.line(
            [(px * FINE, py * FINE) for px, py in points], fill=fill, width=round(width * FINE), joint="curve"
        )
        _oval(draw, *start, width / 2, width / 2, fill)
        palm = width * (1.5 if thin else 1.12) / 2
        _oval(draw, *hand, palm, palm, fill)
    canvas.alpha_composite(_plain(fine))


def _curve(start: Point, bend: Point, end: Point) -> list[Point]:
    """Points of a quadratic Bézier curve."""
    found = []
    for i in range(13):
        t = i / 12
        found.append(
            (
                (1 - t) ** 2 * start[0] + 2 * t * (1 - t) * bend[0] + t * t * end[0],
                (1 - t) ** 2 * start[1] + 2 * t * (1 - t) * bend[1] + t * t * end[1],
            )
        )
    return found
