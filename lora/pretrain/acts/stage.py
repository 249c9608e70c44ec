"""Draws the character of a scene with its emotion, and puts layers onto each other."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
from PIL import Image

from lora.pretrain.acts import table
from lora.pretrain.acts.act import Act, Source
from lora.pretrain.acts.eyes import Eyes, upper, without_eyes
from lora.pretrain.acts.figure import Build, Figure, arm, figure
from lora.pretrain.acts.sprite import SIDE, Point, Sprite, blank, placed, sprite_of

CENTRE = SIDE / 2


class Stage:
    """Draws one act: its character, and layers that are put onto ``canvas`` from back to front."""

    def __init__(self, act: Act, source: Source) -> None:
        self.act, self.source = act, source
        self.actor = source.sprite(act.actor)
        self.name = source.concepts[act.actor]
        self.rng = Random(act.seed)
        self.other = (
            source.sprite(act.other) if act.other >= 0 else Sprite(np.zeros((SIDE, SIDE, 4), np.uint8))
        )
        self.thing = source.concepts[act.other] if act.other >= 0 else ""
        self.canvas = blank()

    # The character.

    def cast(self, scale: float, at: Point) -> Figure:
        """The figure with the features of its emotion; of a thing, with a face."""
        build = self.act.build or Build.WHOLE
        return self._feeling(figure(self.actor, build, scale=scale, at=at), at, scale)

    def _feeling(self, made: Figure, at: Point, scale: float) -> Figure:
        eyes = made.eyes or self._known_eyes(at, scale)
        made = replace(made, eyes=eyes)
        if self.act.face < 0:
            return made
        features, neutral = self.source.features(self.act.face), self._neutral_eyes()
        if self.act.build is Build.THING:
            return self._with_face(made, features, neutral)
        if eyes is None:
            return made
        most = made.head / 0.62 / (2 * self.source.sprite(self.act.neutral).disc[2])
        size = min(max(eyes.apart / neutral.apart, 0.28), most)
        top = upper(features, neutral)
        front = Image.fromarray(without_eyes(sprite_of(made.front), eyes).rgba, "RGBA")
        front.alpha_composite(placed(top, pin=(neutral.x, neutral.y), at=(eyes.x, eyes.y), scale=size))
        return replace(made, front=front)

    def _with_face(self, made: Figure, features: Sprite, neutral: Eyes) -> Figure:
        front = made.front
        x, y, radius = sprite_of(front).disc
        face = self.source.sprite(self.act.face)
        size = radius / face.disc[2] * 0.92
        if made_dark(sprite_of(front), x, y, radius):
            features = lightened(features)
        pin = face.disc[:2]
        front.alpha_composite(placed(features, pin=pin, at=(x, y), scale=size))
        eye_y = y + (neutral.y - pin[1]) * size
        eyes = Eyes(x=x, y=eye_y, apart=neutral.apart * size, radius=neutral.radius * size)
        return replace(made, front=front, eyes=eyes, mouth=(x, y + radius * 0.38))

    def _known_eyes(self, at: Point, scale: float) -> Eyes | None:
        if self.name not in table.EYES:
            return None
        x, y, apart, radius = (v * self.actor.size[0] for v in table.EYES[self.name])
        factor = scale * SIDE / max(self.actor.size)
        return Eyes(x=at[0] + x * factor, y=at[1] + y * factor, apart=apart * factor, radius=radius * factor)

    def _neutral_eyes(self) -> Eyes:
        x, y, radius = self.source.sprite(self.act.neutral).disc
        found = self.source.eyes(self.act.neutral)
        return found or Eyes(x=x, y=y - radius * 0.15, apart=radius * 0.36, radius=radius * 0.13)

    # What is put onto the canvas.

    def put(self, layer: Image.Image) -> None:
        self.canvas.alpha_composite(layer)

    def put_figure(self, made: Figure) -> None:
        self.put(made.behind)
        self.put(made.front)

    def put_other(
        self, *, at: Point, size: float, pin: Point | None = None, angle: float = 0.0, flip: bool = False
    ) -> None:
        """The other thing, with its larger side ``size`` of the canvas."""
        scale = size * SIDE / max(self.other.size)
        self.put(placed(self.other, pin=pin or self.other.centre, at=at, scale=scale, angle=angle, flip=flip))

    def put_mark(self, made: Figure) -> None:
        """The sign of an emotion beside the head."""
        if self.act.mark < 0:
            return
        sign = self.source.sprite(self.act.mark)
        at = made.top[0] + made.head * 0.62, max(made.top[1] + SIDE * 0.04, SIDE * 0.11)
        self.put(placed(sign, pin=sign.centre, at=at, scale=0.2 * SIDE / max(sign.size)))

    def hands(self, made: Figure, left: Point, right: Point) -> None:
        for side, hand in enumerate((left, right)):
            arm(self.canvas, made, side, hand)

    def idle(self, made: Figure, side: int) -> None:
        """An arm that hangs down."""
        start = made.shoulders[side]
        arm(self.canvas, made, side, (start[0] + (-1, 1)[side] * SIDE * 0.05, start[1] + SIDE * 0.13))

    def standing(self, right: float = 0.0) -> Figure:
        """The figure in the middle, or to the right by a share of the canvas; all of it is on the canvas."""
        x = (0.5 + right) * SIDE
        return self.cast(0.5, (x, (0.4 if self.act.build is Build.HEAD else 0.46) * SIDE))


def made_dark(sprite: Sprite, x: float, y: float, radius: float) -> bool:
    """Whether dark features would not be seen on this part of a drawing."""
    return float(sprite.colour(x, y, radius * 0.5) @ np.array([0.3, 0.59, 0.11])) < 92


def lightened(features: Sprite) -> Sprite:
    """Features whose dark parts are cream."""
    rgb = features.rgba[..., :3].astype(np.float32)
    dark = ((120 - rgb.max(axis=2)) / 40).clip(0, 1)[..., None]
    light = rgb * (1 - dark) + np.array([255, 247, 230]) * dark
    return Sprite(np.dstack([light.round().astype(np.uint8), features.rgba[..., 3]]))
