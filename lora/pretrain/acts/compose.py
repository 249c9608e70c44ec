"""Composes a scene: for each verb, where the character is, where the other thing is, and where the hands are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from lora.pretrain.acts import table
from lora.pretrain.acts.act import Act, Source
from lora.pretrain.acts.figure import Build, Figure, arm
from lora.pretrain.acts.sprite import SIDE, Array, Point, Sprite, blank, placed, sprite_of
from lora.pretrain.acts.stage import CENTRE, Stage

FILL = 0.95  # of the canvas's side that a finished scene takes


def compose(act: Act, source: Source) -> Array:
    """The scene, uint8 [256, 256, 4], moved to the middle and scaled to fill the canvas."""
    stage = Stage(act, source)
    (SHOWN[act.verb] if act.build else _sideways)(stage)
    scene = sprite_of(stage.canvas)
    scale = min(FILL * SIDE / max(scene.size), 1.6)
    return np.asarray(placed(scene, pin=scene.centre, at=(CENTRE, CENTRE), scale=scale))


def feeling(stage: Stage) -> None:
    if (stage.act.build is Build.HEAD and stage.rng.random() < 0.5) or (
        stage.act.build is Build.THING and stage.rng.random() < 0.4
    ):
        made = stage.standing()
        stage.put_figure(made)
        stage.idle(made, 0)
        stage.idle(made, 1)
    else:
        made = stage.cast(0.84, (CENTRE, CENTRE))
        stage.put(made.front)
    stage.put_mark(made)


def holding(stage: Stage) -> None:
    upright = stage.thing in table.UPRIGHT
    low = low_end(stage.other)
    leans = (stage.other.centre[0] - low[0]) / stage.other.size[0]
    # What leans to a side is held on that side, so that it does not cover the face.
    side = stage.rng.choice((0, 1)) if abs(leans) < 0.12 else int(leans > 0)
    made = stage.standing((0.13, -0.13)[side] if upright else 0.0)
    stage.put_figure(made)
    if upright:
        x, y = made.shoulders[side]
        hand = x + (-1, 1)[side] * SIDE * 0.13, y + SIDE * 0.02
        stage.put_other(at=hand, size=0.4, pin=low, angle=(-8, 8)[side])
        arm(stage.canvas, made, side, hand)
        stage.idle(made, 1 - side)
    else:
        size = 0.31
        x, y = made.chest
        half = half_width(stage.other, size)
        stage.put_other(at=(x, y + SIDE * 0.04), size=size)
        stage.hands(made, (x - half, y + SIDE * 0.06), (x + half, y + SIDE * 0.06))
    stage.put_mark(made)


def at_mouth(stage: Stage) -> None:
    """Drinking and eating: the thing is before the lower part of the mouth, held with both hands."""
    made = stage.standing()
    stage.put_figure(made)
    size = 0.28
    x, y = made.mouth
    height = stage.other.size[1] / max(stage.other.size) * size * SIDE
    at = x, y + height * 0.5 - SIDE * 0.005
    half = half_width(stage.other, size)
    stage.put_other(at=at, size=size)
    stage.hands(made, (x - half, at[1] + height * 0.12), (x + half, at[1] + height * 0.12))
    stage.put_mark(made)


def reading(stage: Stage) -> None:
    made = stage.standing()
    stage.put_figure(made)
    x, y = made.chest
    # The face of a thing is lower than that of a head: what it reads is smaller, and at its feet.
    size, down = (0.3, 0.13) if stage.act.build is Build.THING else (0.38, 0.05)
    half = half_width(stage.other, size)
    stage.put_other(at=(x, y + SIDE * down), size=size)
    stage.hands(
        made, (x - half * 0.95, y + SIDE * (down + 0.03)), (x + half * 0.95, y + SIDE * (down + 0.03))
    )


def wearing(stage: Stage) -> None:
    if stage.act.build is Build.HEAD and (stage.thing in table.NECKWEAR or stage.rng.random() < 0.5):
        made = stage.cast(0.44, (CENTRE, 0.52 * SIDE))
        stage.put_figure(made)
        if stage.thing in table.NECKWEAR:
            wear(stage, made)
        stage.idle(made, 0)
        stage.idle(made, 1)
        if stage.thing not in table.NECKWEAR:
            wear(stage, made)
    else:
        made = stage.cast(0.6, (CENTRE, 0.65 * SIDE))
        stage.put(made.front)
        wear(stage, made)


def wear(stage: Stage, made: Figure) -> None:
    wide, high = stage.other.size
    left, _top, right, bottom = stage.other.box
    if stage.thing in table.EYEWEAR and made.eyes is not None:
        scale = made.eyes.apart * 3.9 / wide
        stage.put(placed(stage.other, pin=stage.other.centre, at=(made.eyes.x, made.eyes.y), scale=scale))
    elif stage.thing in table.NECKWEAR:
        share, down = table.NECKWEAR[stage.thing]
        scale = made.head / 0.62 * share / wide
        at = made.neck[0], made.neck[1] + high * scale * down
        stage.put(placed(stage.other, pin=stage.other.centre, at=at, scale=scale))
    elif stage.thing == "headphone":
        scale = made.head * 1.7 / wide
        at = made.top[0], made.top[1] + high * scale * 0.42
        stage.put(placed(stage.other, pin=stage.other.centre, at=at, scale=scale))
    else:
        share, sink = table.HATS.get(stage.thing, (1.0, 0.25))
        scale = made.head * share / wide
        pin = (left + right) / 2, bottom - sink * high
        angle = stage.rng.choice((0, 0, -8, 8))
        stage.put(placed(stage.other, pin=pin, at=made.top, scale=scale, angle=angle))


def riding(stage: Stage) -> None:
    x, y = table.ASTRIDE[stage.thing]
    _seated(stage, x, y, size=0.66, scale=0.4)


def on(stage: Stage) -> None:
    _seated(stage, 0.5, None, size=0.6, scale=0.4)


def _seated(stage: Stage, x: float, y: float | None, *, size: float, scale: float) -> None:
    """The figure on the other thing, whose seat is at (x, y) of its box; the thing is behind its feet."""
    left, top, right, bottom = stage.other.box
    seat_x = left + x * (right - left)
    seat = seat_x, stage.other.top_at(seat_x) if y is None else top + y * (bottom - top)
    factor = size * SIDE / max(stage.other.size)
    at = CENTRE, SIDE - (bottom - seat[1]) * factor - 2
    tall = 1.5 if stage.act.build is Build.HEAD else 1.25
    made = stage.cast(min(scale, max(at[1] / SIDE / tall, 0.22)), (CENTRE, 0.3 * SIDE))
    down = at[1] - made.feet + SIDE * (0.035 if y is None else 0.05)
    stage.put(placed(stage.other, pin=seat, at=at, scale=factor))
    _shifted(stage, made, down)


def _shifted(stage: Stage, made: Figure, down: float) -> None:
    """The whole figure with hanging arms, moved down."""
    ground, stage.canvas = stage.canvas, blank()
    stage.put_figure(made)
    stage.idle(made, 0)
    stage.idle(made, 1)
    layer, stage.canvas = sprite_of(stage.canvas), ground
    stage.put(placed(layer, pin=(0, 0), at=(0, down), scale=1.0))


def inside(stage: Stage) -> None:
    x, rim = table.INSIDE[stage.thing]
    left, top, right, bottom = stage.other.box
    factor = 0.72 * SIDE / max(stage.other.size)
    seat = left + x * (right - left), top + rim * (bottom - top)
    at = CENTRE + (seat[0] - stage.other.centre[0]) * factor, SIDE - (bottom - seat[1]) * factor - 2
    made = stage.cast(0.42, (at[0], 0.3 * SIDE))
    down = at[1] - made.neck[1] - SIDE * 0.07
    if stage.act.build is not Build.HEAD:
        down = at[1] - made.neck[1]
    _shifted(stage, made, down)
    stage.put(placed(stage.other, pin=seat, at=at, scale=factor))


def loving(stage: Stage) -> None:
    made = stage.cast(0.6, (0.32 * SIDE, 0.5 * SIDE))
    stage.put(made.front)
    stage.put_other(at=(0.79 * SIDE, 0.6 * SIDE), size=0.38)
    heart = stage.source.sprite(stage.act.mark)
    for x, y, size in ((0.62, 0.25, 0.13), (0.74, 0.14, 0.17), (0.88, 0.27, 0.11)):
        at = x * SIDE, y * SIDE
        stage.put(placed(heart, pin=heart.centre, at=at, scale=size * SIDE / max(heart.size)))


def beside(stage: Stage) -> None:
    made = stage.cast(0.52, (0.27 * SIDE, 0.55 * SIDE))
    stage.put(made.front)
    stage.put_other(at=(0.74 * SIDE, 0.58 * SIDE), size=0.48)


def breathing_fire(stage: Stage) -> None:
    made = stage.standing()
    stage.put_figure(made)
    stage.idle(made, 0)
    stage.idle(made, 1)
    fire = stage.source.sprite(stage.act.mark)
    low = (fire.box[0] + fire.box[2]) / 2, float(fire.box[3])
    stage.put(placed(fire, pin=low, at=made.mouth, scale=0.46 * SIDE / max(fire.size), angle=100))


def _sideways(stage: Stage) -> None:
    """An animal from the side on, in or beside something, or with something on its head."""
    left, _top, right, bottom = stage.actor.box
    if stage.act.verb == "beside":
        stage.put(
            placed(
                stage.actor,
                pin=stage.actor.centre,
                at=(0.28 * SIDE, 0.52 * SIDE),
                scale=0.52 * SIDE / max(stage.actor.size),
            )
        )
        stage.put_other(at=(0.76 * SIDE, 0.58 * SIDE), size=0.42)
        return
    size = 0.62
    factor = size * SIDE / max(stage.other.size)
    box = stage.other.box
    share, height = table.ASTRIDE.get(stage.thing, (0.5, None))
    seat_x = box[0] + share * (box[2] - box[0])
    seat = seat_x, stage.other.top_at(seat_x) if height is None else box[1] + height * (box[3] - box[1])
    at = CENTRE, SIDE - (box[3] - seat[1]) * factor - 2
    stage.put(placed(stage.other, pin=seat, at=at, scale=factor))
    pin = (left + right) / 2, float(bottom)
    stage.put(
        placed(
            stage.actor,
            pin=pin,
            at=(at[0], at[1] + SIDE * 0.025),
            scale=0.46 * SIDE / max(stage.actor.size),
        )
    )


SHOWN: dict[str, Callable[[Stage], None]] = {
    "feeling": feeling,
    "holding": holding,
    "playing": holding,
    "drinking": at_mouth,
    "eating": at_mouth,
    "reading": reading,
    "wearing": wearing,
    "riding": riding,
    "in": inside,
    "on": on,
    "loving": loving,
    "beside": beside,
    "breathing fire": breathing_fire,
}


def low_end(sprite: Sprite) -> Point:
    """The middle of the lowest visible rows: where a thing is held."""
    _left, top, _right, bottom = sprite.box
    rows = sprite.rgba[max(bottom - 14, 0) : bottom, :, 3] > 127
    columns = np.nonzero(rows.any(axis=0))[0]
    return float(columns.mean()), bottom - (bottom - top) * 0.1


def half_width(sprite: Sprite, size: float) -> float:
    """Half the width in pixels of a sprite whose larger side is ``size`` of the canvas."""
    return sprite.size[0] / max(sprite.size) * size * SIDE / 2
