"""Reads the text after /sticker: a prompt and the options --cfg, --seed and --n."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from bot.config import CFG_RANGE, Sticker
from bot.errors import UserError
from lora.jobs import DrawOptions

MAX_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class StickerRequest:
    """A prompt and how to draw it."""

    prompt: str = field(repr=False)
    options: DrawOptions


def read(text: str, settings: Sticker, *, seed: int) -> StickerRequest:
    """The prompt and options in ``text``. Options that are not given come from the settings; ``seed`` likewise.

    Raises UserError, which shows an example, for an unknown option, a wrong value, or a text without a prompt.
    """
    given: dict[str, str] = {}
    for hyphened, dashed, value in _OPTION.findall(text):
        name = (hyphened or dashed).lower()
        if name not in OPTIONS:
            meant = get_close_matches(name, OPTIONS, n=1, cutoff=0.3) or ["cfg"]
            raise UserError("option-unknown", name=(hyphened or dashed)[:20], meant=meant[0])
        given[name] = value
    prompt = " ".join(_OPTION.sub(" ", text).split())
    if not prompt:
        raise UserError("sticker-usage")
    options = DrawOptions(cfg=settings.cfg, steps=settings.steps, outline_px=settings.outline_px, seed=seed)
    changes: dict[str, Any] = {}
    for name, (field_name, parse) in OPTIONS.items():
        if name in given:
            changes[field_name] = parse(given[name], settings)
    return StickerRequest(prompt=prompt, options=replace(options, **changes))


def _cfg(text: str, settings: Sticker) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = float("nan")
    least, most = CFG_RANGE
    if not least <= value <= most:
        raise UserError("option-cfg", value=text[:20])
    return value


def _seed(text: str, settings: Sticker) -> int:
    return _whole("seed", text, 0, MAX_SEED)


def _count(text: str, settings: Sticker) -> int:
    return _whole("n", text, 1, settings.max_count)


def _whole(name: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch("[0-9]{1,12}", text) or not least <= int(text) <= most:
        raise UserError(f"option-{name}", value=text[:20], most=most)
    return int(text)


# Name of an option -> the field of DrawOptions that it sets, and its parser. Parsers raise UserError.
OPTIONS: dict[str, tuple[str, Callable[[str, Sticker], object]]] = {
    "cfg": ("cfg", _cfg),
    "seed": ("seed", _seed),
    "n": ("count", _count),
}
# Phones replace two hyphens by a dash. A dash before a word that is no option is punctuation.
_OPTION = re.compile(
    rf"(?<!\S)(?:--([a-z]+)|[—–]({'|'.join(OPTIONS)}))(?:\s*=\s*|\s+|$)(?:(?!--|[—–])(\S+))?", re.IGNORECASE
)
