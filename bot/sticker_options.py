"""What /sticker is asked for, read from its text: a prompt and the options --cfg, --seed, --n."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from difflib import get_close_matches

from bot.config import Sticker
from bot.errors import UserError

OPTIONS = ("cfg", "seed", "n")
MAX_SEED = 2**31 - 1
# Phones turn two hyphens into a dash; a dash before any other word is punctuation.
_OPTION = re.compile(
    r"(?<!\S)(?:--([a-z]+)|[—–](cfg|seed|n))(?:\s*=\s*|\s+|$)(?:(?!--|[—–])(\S+))?", re.IGNORECASE
)


@dataclass(frozen=True, kw_only=True)
class StickerOptions:
    """A prompt and how to draw it. ``seed`` is None for any."""

    prompt: str = field(repr=False)
    cfg: float
    seed: int | None
    count: int


def read(text: str, settings: Sticker) -> StickerOptions:
    """The wish in what follows /sticker. Raises UserError, which shows how it is written."""
    found: dict[str, str] = {}
    for hyphened, dashed, value in _OPTION.findall(text):
        name = hyphened or dashed
        if name.lower() not in OPTIONS:
            meant = get_close_matches(name.lower(), OPTIONS, n=1, cutoff=0.3) or ["cfg"]
            raise UserError("option-unknown", name=name[:20], meant=meant[0])
        found[name.lower()] = value
    prompt = " ".join(_OPTION.sub(" ", text).split())
    if not prompt:
        raise UserError("sticker-usage")
    return StickerOptions(
        prompt=prompt,
        cfg=_cfg(found["cfg"]) if "cfg" in found else settings.cfg,
        seed=_whole("seed", found["seed"], 0, MAX_SEED) if "seed" in found else None,
        count=_whole("n", found["n"], 1, settings.max_count) if "n" in found else 1,
    )


def _cfg(text: str) -> float:
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = float("nan")
    if not 1 <= value <= 20:
        raise UserError("option-cfg", value=text[:20])
    return value


def _whole(name: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch("[0-9]{1,12}", text) or not least <= int(text) <= most:
        raise UserError(f"option-{name}", value=text[:20], most=most)
    return int(text)
