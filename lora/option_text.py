"""Options of a drawing as people write them: the chat and the command line read them alike."""

from __future__ import annotations

import re

from PIL import ImageColor

from lora.jobs import CUTOUTS, NO_OUTLINE

MOST_NEAR = 20  # seeds after the first
BETWEEN_SEEDS = "~"
STRENGTHS = (0.0, 1.5)
NO_COLOUR = ("none", "no", "off", "without")
# Names that people use and CSS does not have: its own name for the colour, or the colour.
COLOURS = {
    "golden": "gold", "darkpurple": "indigo", "darkpink": "deeppink", "darkyellow": "goldenrod",
    "darkbrown": "saddlebrown", "lightbrown": "peru", "lightpurple": "plum", "lightorange": "sandybrown",
    "raspberry": "#e30b5c", "cherry": "#b3123b", "burgundy": "#800020", "wine": "#722f37", "brick": "firebrick",
    "rose": "#ff007f", "dustypink": "#d8a1a8", "palepink": "#fadadd", "peach": "#ffcba4", "apricot": "#fbb982",
    "carrot": "#ed9121", "terracotta": "#e2725b", "lemon": "#fff44f", "mustard": "#e1ad01", "amber": "#ffbf00",
    "sand": "#d9c08c", "cream": "#fff5d6", "vanilla": "#f3e5ab", "skin": "#f2c9a5",
    "snow": "snow", "emerald": "#50c878",
    "mint": "#98ff98", "pistachio": "#93c572", "swamp": "#6b7045", "grass": "#4c9a2a", "aqua": "aqua",
    "cornflower": "cornflowerblue", "sky": "skyblue", "sapphire": "#0f52ba", "cobalt": "#0047ab",
    "ultramarine": "#3f00ff", "lilac": "#c8a2c8", "mauve": "#e0b0ff", "eggplant": "#5d3a5a", "coffee": "#6f4e37",
    "caramel": "#c68e17", "chestnut": "#954535", "copper": "#b87333", "bronze": "#cd7f32", "charcoal": "#36454f",
    "lightred": "#ff7f7f", "olive": "olive", "lime": "limegreen", "navy": "navy",
    "graphite": "#383838", "ash": "#b2beb5", "steel": "#8a8d8f", "metal": "#8a8d8f", "azure": "#007fff",
}  # fmt: skip
SHADES = "red|orange|yellow|green|blue|purple|pink|brown|grey|gray|white"


_DIGITS = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")  # float() also reads 1_0, 1e1 and digits of other scripts


class NotAnOption(ValueError):
    """The text is no value of this option."""


def read_cfg(text: str, least: float, most: float) -> tuple[float, ...]:
    """One CFG value, or those of a sweep: "7", "2,5" (two and a half), "3,5,8", "3, 8", "2,5;8". Raises NotAnOption.

    A single comma without a space is a decimal mark.
    """
    text = text.strip(" ,;")
    if ";" in text:
        parts = text.split(";")
    else:
        several = text.count(",") > 1 or re.search(r",\s", text)
        parts = text.split(",") if several else [text]
    values = tuple(_number(part, least, most) for part in parts)
    if len(set(values)) != len(values):
        raise NotAnOption(text)
    return values


def read_strength(text: str) -> float:
    """A strength of the style. Raises NotAnOption."""
    return _number(text, *STRENGTHS)


def read_seed(text: str, most: int) -> tuple[int, tuple[int, ...]]:
    """A seed, and those whose noise it is moved towards: "42", or "42~7~9". Raises NotAnOption."""
    parts = text.split(BETWEEN_SEEDS)
    if len(parts) > MOST_NEAR + 1 or not all(re.fullmatch("[0-9]{1,19}", part) for part in parts):
        raise NotAnOption(text)
    seed, *near = map(int, parts)
    if max(seed, *near, 0) > most:
        raise NotAnOption(text)
    return seed, tuple(near)


def seed_text(seed: int, near: tuple[int, ...]) -> str:
    """The text that ``read_seed`` reads."""
    return BETWEEN_SEEDS.join(map(str, (seed, *near)))


def read_outline(text: str) -> str:
    """A colour of the outline: none, #rrggbb or a name ("dark blue", "lightgreen", "mint"). Raises NotAnOption."""
    name = re.sub(r"[\s-]|colou?red$", "", text.lower()).removeprefix("bright")
    if name in NO_COLOUR:
        return NO_OUTLINE
    if name not in ImageColor.colormap:
        name = COLOURS.get(name) or COLOURS.get(re.sub(f"({SHADES})$", "", name), name)
    if name in ImageColor.colormap:  # a text or, once Pillow has used the colour, a tuple
        return "#{:02x}{:02x}{:02x}".format(*ImageColor.getrgb(name)[:3])
    if not re.fullmatch("#[0-9a-f]{6}", name):
        raise NotAnOption(text)
    return name


def read_cutout(text: str) -> str:
    """A name of ``CUTOUTS``. Raises NotAnOption."""
    if text.lower() not in CUTOUTS:
        raise NotAnOption(text)
    return text.lower()


def _number(text: str, least: float, most: float) -> float:
    written = text.strip().replace(",", ".")
    if not _DIGITS.fullmatch(written) or not least <= float(written) <= most:
        raise NotAnOption(text)
    return float(written)
