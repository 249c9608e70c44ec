"""The buttons below a sticker: what people can do with it, in words that need no knowledge.

The first rows are always there. Two menus take their place when they are opened: one for how the sticker is cut out,
one for how it is drawn. Every choice acts at once, so nothing has to be remembered between two presses.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.errors import Buttons
from bot.progress import OUTLINES, number
from bot.tables.drawings import Drawing
from bot.tables.jobs import Job
from bot.tables.packs import Pack
from bot.words import Words, clip

SWEEP = {"freer": 3.0, "usual": 5.0, "stricter": 8.0}
STRENGTHS = {"weaker": 0.6, "trained": 1.0, "stronger": 1.3}
CUTOUTS = ("auto", "network", "none")
MANY = (2, 4, 8)
STYLES_IN_A_ROW, MOST_STYLES = 3, 6


def below(words: Words, job: Job, drawing: Drawing, pack: Pack | None = None) -> Buttons:
    """Add it to the pack, draw again, freer or stricter, more like it, and the two menus."""
    id, cfg = drawing.id, job.options.of_picture(drawing.position).cfg
    add = (words.plain("button-add"), f"add:{id}")
    if pack is not None:
        add = (words.plain("button-added"), f"https://t.me/addstickers/{pack.name}")
    sweep = [
        (
            _marked(words.plain(f"button-cfg-{name}", cfg=words.number(value)), value == cfg),
            f"cfg:{id}:{value:g}",
        )
        for name, value in SWEEP.items()
    ]
    last = [(words.plain("button-near"), f"near:{id}"), (words.plain("button-menu-draw"), f"menu:{id}:draw")]
    if drawing.uncut is not None:
        last.insert(1, (words.plain("button-menu-cut"), f"menu:{id}:cut"))
    return [[add, (words.plain("button-again"), f"again:{id}")], sweep, last]


def cut_menu(words: Words, job: Job, drawing: Drawing) -> Buttons:
    """Another outline, and other ways to remove the background, without drawing again."""
    id, options = drawing.id, job.options
    outlines = [
        (_marked(words.plain(f"button-outline-{name}"), options.outline == colour), f"outline:{id}:{name}")
        for name, colour in OUTLINES.items()
    ]
    cutouts = [
        (_marked(words.plain(f"button-cutout-{name}"), options.cutout == name), f"cutout:{id}:{name}")
        for name in CUTOUTS
    ]
    return [outlines, *([one] for one in cutouts), [_back(words, id)]]


def draw_menu(
    words: Words, job: Job, drawing: Drawing, styles: Sequence[tuple[str, str]], most: int
) -> Buttons:
    """Several, a weaker or stronger style, a sweep, another style, other words, its place in the pack.

    ``styles`` are names of other styles and what stands for them in the data of buttons; ``most`` is how many
    stickers one press may ask for.
    """
    id, strength = drawing.id, job.options.strength
    rows = [[(words.plain("button-many", n=n), f"many:{id}:{n}") for n in MANY if n <= most]]
    if job.adapter is not None:
        rows.append(
            [
                (
                    _marked(words.plain(f"button-strength-{name}", x=words.number(value)), value == strength),
                    f"strength:{id}:{number(value)}",
                )
                for name, value in STRENGTHS.items()
            ]
        )
    rows.append([(words.plain("button-compare", n=len(SWEEP)), f"compare:{id}")])
    shown = [(clip(name, 20), f"instyle:{id}:{key}") for name, key in styles[:MOST_STYLES]]
    rows += [shown[i : i + STYLES_IN_A_ROW] for i in range(0, len(shown), STYLES_IN_A_ROW)]
    rows.append(
        [(words.plain("button-other-words"), f"words:{id}"), (words.plain("button-without"), f"without:{id}")]
    )
    return [*rows, [(words.plain("button-replace"), f"replace:{id}")], [_back(words, id)]]


def _back(words: Words, id: int) -> tuple[str, str]:
    return words.plain("button-back"), f"menu:{id}:main"


def _marked(label: str, current: bool) -> str:
    return f"• {label} •" if current else label
