"""Scenes for captions of several words: a drawing in another colour, two drawings together, several copies of one.

A base that is trained on single drawings only can draw nothing else. So these scenes are made here, on the device;
``lora.pretrain.captions`` makes their captions. Scenes with a verb (``lora.pretrain.acts``) and looks
(``lora.pretrain.looks``) are made by other processes on the CPU. Here they are planned, and placed as the others are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from lora.pretrain.acts.act import Act
from lora.pretrain.acts.plan import Cast
from lora.pretrain.augment import jittered, place, premultiplied
from lora.pretrain.looks import Look, random_look


@dataclass(frozen=True, kw_only=True)
class Paint:
    """A colour as HSV, each from 0 to 1: its hue, and how saturation and value change."""

    hue: float
    saturation: tuple[float, float]  # a factor, and the lowest result
    value: tuple[float, float]  # a factor, and what is added


COLOURS = {
    "red": Paint(hue=0.0, saturation=(1.0, 0.7), value=(0.95, 0.0)),
    "orange": Paint(hue=0.08, saturation=(1.0, 0.75), value=(1.0, 0.05)),
    "yellow": Paint(hue=0.145, saturation=(1.0, 0.7), value=(0.9, 0.12)),
    "green": Paint(hue=0.36, saturation=(1.0, 0.6), value=(0.85, 0.0)),
    "blue": Paint(hue=0.6, saturation=(1.0, 0.65), value=(0.95, 0.0)),
    "purple": Paint(hue=0.77, saturation=(0.9, 0.5), value=(0.85, 0.0)),
    "pink": Paint(hue=0.92, saturation=(0.5, 0.35), value=(0.6, 0.4)),
    "brown": Paint(hue=0.065, saturation=(0.8, 0.55), value=(0.6, 0.0)),
    "black": Paint(hue=0.0, saturation=(0.1, 0.0), value=(0.3, 0.0)),
    "white": Paint(hue=0.0, saturation=(0.05, 0.0), value=(0.2, 0.8)),
    "grey": Paint(hue=0.0, saturation=(0.05, 0.0), value=(0.65, 0.05)),
}
BINS = 24  # of the hue circle, to find a drawing's main hue
REACH = 0.16  # hues that differ from the main one by less are recoloured with it
SMALLEST = 0.88  # the lowest random scale of a scene
OUTSIDE = ("look", "acted")  # kinds whose pictures other processes make
ACTED_LOOKS = 0.3  # share of scenes with a verb that are shown in a look
COLOURLESS = 0.12  # a drawing with a lower mean saturation is recoloured as a whole

EYEWEAR = frozenset({"glasses", "sunglasses", "goggles"})
HATS = frozenset(
    {"top hat", "crown", "billed cap", "graduation cap", "woman’s hat", "rescue worker’s helmet"}
)
HEADS = frozenset(
    ("bear", "chicken", "fox", "frog", "hamster", "koala", "lion", "panda", "polar bear", "raccoon", "wolf")
)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """How a variant shows a drawing; images and captions are made from this."""

    kind: str  # plain | coloured | beside | with | wearing | several | acted
    colour: str = ""
    other: int = -1  # row of the second drawing
    count: int = 1
    act: Act | None = None
    look: Look | None = None


def plan(
    kinds: Sequence[str], drawings: list[dict[str, object]], rows: Sequence[int], rng: Random, cast: Cast
) -> list[list[Scene]]:
    """For each row of ``drawings``, one scene of each kind (plain | look | coloured | pair | several | acted).

    A drawing that can be in no scene with a verb is shown in a look instead, and one that can act also acts where
    others are shown in a look: there are few of them.
    """
    by_style: dict[object, list[int]] = {}
    for row, drawing in enumerate(drawings):
        by_style.setdefault(drawing["style"], []).append(row)
    worn = {
        style: [row for row in same if drawings[row]["concept"] in EYEWEAR | HATS]
        for style, same in by_style.items()
    }
    return [
        [
            _made_outside(kind, row, cast, rng)
            or _scene(kind, drawings[row], by_style[style], worn[style], rng)
            for kind in kinds
        ]
        for row, style in ((row, drawings[row]["style"]) for row in rows)
    ]


def _made_outside(kind: str, row: int, cast: Cast, rng: Random) -> Scene | None:
    """A scene that other processes make, if it is of such a kind."""
    acts = kind == "acted" or (kind == "look" and cast.can_act(row))
    if acts and (act := cast.act(row, rng)):
        return Scene(kind="acted", act=act, look=random_look(rng) if rng.random() < ACTED_LOOKS else None)
    return Scene(kind="plain", look=random_look(rng)) if kind in OUTSIDE else None


def _scene(
    kind: str, drawing: dict[str, object], same_style: list[int], worn: list[int], rng: Random
) -> Scene:
    if kind == "coloured":
        return Scene(kind=kind, colour=rng.choice(tuple(COLOURS)))
    if kind == "several":
        return Scene(kind=kind, count=rng.choice((2, 2, 3)))
    if kind == "pair":
        if has_head(drawing) and worn and rng.random() < 0.5:
            return Scene(kind="wearing", other=rng.choice(worn))
        return Scene(kind=rng.choice(("beside", "with")), other=rng.choice(same_style))
    return Scene(kind="plain")


def has_head(drawing: dict[str, object]) -> bool:
    """Whether the drawing is a head, so that a hat or glasses fit in its upper middle."""
    concept = str(drawing["concept"])
    return drawing["group"] == 3 and ("face" in concept or concept in HEADS)


def draw(
    pictures: Tensor, rows: Tensor, scenes: list[Scene], worn: frozenset[int], generator: torch.Generator
) -> Tensor:
    """Premultiplied RGBA float [B, 4, H, W] of ``scenes`` with the drawings ``rows`` [B].

    ``pictures`` is uint8 [N, 4, H, W], straight alpha; ``worn`` are the rows of eyewear.
    """
    device = pictures.device
    painted = pictures[rows]
    coloured = [i for i, scene in enumerate(scenes) if scene.kind == "coloured"]
    if coloured:
        at = torch.tensor(coloured, device=device)
        painted = painted.index_copy(0, at, recolour(painted[at], [scenes[i].colour for i in coloured]))
    whole = premultiplied(painted)
    together = [i for i, scene in enumerate(scenes) if scene.kind in ("beside", "with", "wearing")]
    if together:
        at = torch.tensor(together, device=device)
        others = torch.tensor([scenes[i].other for i in together], device=device)
        seconds = premultiplied(pictures[others])
        places = [_places(scenes[i], scenes[i].other in worn) for i in together]
        below, above = _put(whole[at], [p[0] for p in places]), _put(seconds, [p[1] for p in places])
        whole = whole.index_copy(0, at, _over(above, below))
    several = [i for i, scene in enumerate(scenes) if scene.kind == "several"]
    if several:
        at = torch.tensor(several, device=device)
        whole = whole.index_copy(0, at, _repeated(whole[at], [scenes[i].count for i in several]))
    return _jittered(whole, generator)


def placed(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Finished pictures, uint8 [B, 4, H, W], placed at random like those of ``draw``."""
    return _jittered(premultiplied(pictures), generator)


def _jittered(rgba: Tensor, generator: torch.Generator) -> Tensor:
    # Never mirrored: at high noise the prediction is a mean, and the mean of a shape and its mirror image is neither.
    return jittered(rgba, generator, smallest=SMALLEST, mirrored=0)


Spot = tuple[float, float, float]  # scale, centre x, centre y (in half-widths; down is positive)


def _places(scene: Scene, on_eyes: bool) -> tuple[Spot, Spot]:
    """The places of the first and the second drawing; the second is on top."""
    if scene.kind == "beside":
        return (0.5, -0.48, 0.0), (0.5, 0.48, 0.0)
    if scene.kind == "with":
        return (0.8, -0.15, -0.12), (0.42, 0.52, 0.5)
    return (0.78, 0.0, 0.2), ((0.56, 0.0, 0.05) if on_eyes else (0.5, 0.0, -0.5))


def _repeated(rgba: Tensor, counts: list[int]) -> Tensor:
    two = _over(_put(rgba, [(0.5, 0.48, 0.0)] * len(rgba)), _put(rgba, [(0.5, -0.48, 0.0)] * len(rgba)))
    low = [(0.46, -0.5, 0.42), (0.46, 0.5, 0.42), (0.46, 0.0, -0.42)]
    three = torch.zeros_like(rgba)
    for spot in low:
        three = _over(_put(rgba, [spot] * len(rgba)), three)
    wanted = torch.tensor(counts, device=rgba.device)[:, None, None, None]
    return torch.where(wanted == 2, two, three)


def _put(rgba: Tensor, spots: list[Spot]) -> Tensor:
    """Each picture scaled, and moved with its centre to its spot."""
    scale = torch.tensor([s for s, _, _ in spots], device=rgba.device)
    centre = torch.tensor([(x, y) for _, x, y in spots], device=rgba.device)
    still = torch.zeros(len(spots), dtype=torch.bool, device=rgba.device)
    return place(rgba, scale, -centre / scale[:, None], still)


def _over(top: Tensor, bottom: Tensor) -> Tensor:
    """Porter and Duff's "over" of premultiplied pictures [B, 4, H, W]: ``top + (1 - alpha_top) bottom``."""
    return top + (1 - top[:, 3:]) * bottom


def recolour(pictures: Tensor, colours: list[str]) -> Tensor:
    """Recolour the main hue of each drawing and the hues near it. uint8 [B, 4, H, W] -> the same.

    Other hues (the blue windows of a red car) stay, and so does grey in a drawing that has colours.
    """
    rgb, alpha = pictures[:, :3].float() / 255, pictures[:, 3].float() / 255
    hue, saturation, value = _hsv(rgb)
    weight = saturation * value * alpha
    bins = (hue * BINS).long().clamp_max(BINS - 1).flatten(1)
    sums = torch.zeros(len(pictures), BINS, device=pictures.device).scatter_add_(1, bins, weight.flatten(1))
    sums = sums + 0.5 * (sums.roll(1, 1) + sums.roll(-1, 1))
    main = ((sums.argmax(dim=1) + 0.5) / BINS)[:, None, None]
    off = (hue - main + 0.5) % 1 - 0.5
    mean = (saturation * alpha).sum(dim=(1, 2)) / alpha.sum(dim=(1, 2)).clamp_min(1)
    plain = (mean < COLOURLESS)[:, None, None]
    changed = torch.where(plain, value > 0.3, (off.abs() < REACH) & (saturation > 0.12))
    paints = [COLOURS[name] for name in colours]

    def row(values: list[float]) -> Tensor:
        return torch.tensor(values, device=pictures.device)[:, None, None]

    tint = (row([p.hue for p in paints]) + 0.4 * torch.where(plain, torch.zeros_like(off), off)) % 1
    deep = (saturation * row([p.saturation[0] for p in paints])).clamp_min(
        row([p.saturation[1] for p in paints])
    )
    light = value * row([p.value[0] for p in paints]) + row([p.value[1] for p in paints])
    painted = _rgb(tint, deep.clamp(0, 1), light.clamp(0, 1))
    rgb = torch.where(changed[:, None], painted, rgb)
    return torch.cat([(rgb * 255).round().byte(), pictures[:, 3:]], dim=1)


def _hsv(rgb: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """[B, 3, H, W] in 0..1 -> hue, saturation, value, each [B, H, W] in 0..1."""
    value, which = rgb.max(dim=1)
    spread = value - rgb.min(dim=1).values
    safe = spread.clamp_min(1e-6)
    red, green, blue = rgb.unbind(dim=1)
    sixth = torch.where(
        which == 0,
        ((green - blue) / safe) % 6,
        torch.where(which == 1, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue = torch.where(spread > 1e-6, sixth / 6, torch.zeros_like(sixth))
    return hue % 1, spread / value.clamp_min(1e-6), value


def _rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """The inverse of ``_hsv``, to [B, 3, H, W]: each channel is a shifted, clipped triangle of the hue."""
    channels = []
    for shift in (5, 3, 1):
        k = (shift + hue * 6) % 6
        channels.append(value - value * saturation * torch.minimum(k, 4 - k).clamp(0, 1))
    return torch.stack(channels, dim=1)
