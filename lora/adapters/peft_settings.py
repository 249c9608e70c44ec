"""PEFT's settings (a LoraConfig as JSON) in an adapter file's header: the scale of each layer.

Only settings that change the drawing are read, and none is handed on to PEFT: in a damaged file they may be anything.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lora.adapters.layer_names import BadAdapter

ENTRY = "lora_adapter_metadata"  # diffusers' name; before each setting is the part of the pipeline
PART = "unet."
DEFAULT_ALPHA = 8.0  # PEFT's own, if there are settings that do not name one
_NAME = re.compile(r"\^?(?:[\w.]|\\\.)+\$?")  # of a layer, as diffusers and PEFT write patterns


@dataclass(frozen=True, kw_only=True)
class PeftSettings:
    """The scale of a layer is ``alpha / rank``, or ``alpha / sqrt(rank)`` with ``rslora`` (arXiv 2312.03732)."""

    alpha: float
    alpha_pattern: Mapping[str, float]  # layers of another alpha, by path or by the end of it
    rslora: bool

    def alpha_of(self, path: str, rank: int) -> float:
        """The alpha that gives a layer its scale as ``alpha / rank``."""
        found = (alpha for name, alpha in self.alpha_pattern.items() if _is_meant(name, path))
        alpha = next(found, self.alpha)
        return alpha * math.sqrt(rank) if self.rslora else alpha


def read(header: Mapping[str, str]) -> PeftSettings | None:
    """The denoiser's settings in a header; None if there are none. Raises BadAdapter."""
    entry = header.get(ENTRY)
    if entry is None:
        return None
    try:
        found = {str(key).removeprefix(PART): value for key, value in json.loads(entry).items()}
        if not found:
            return None
        pattern = dict(found.get("alpha_pattern") or {})
        settings = PeftSettings(
            alpha=_number(found.get("lora_alpha", DEFAULT_ALPHA)),
            alpha_pattern={_plain(name): _number(alpha) for name, alpha in pattern.items()},
            rslora=bool(found.get("use_rslora")),
        )
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise BadAdapter("damaged", "PEFT's settings in its header cannot be read") from error
    if found.get("use_dora"):
        raise BadAdapter("other-method", "it is made by another method, DoRA; only plain LoRA is used")
    return settings


def write(layers: Iterable[tuple[str, int, float]], targets: list[str]) -> dict[str, Any]:
    """PEFT's settings for layers of (path, rank, alpha); ``targets`` are the names of the layers.

    ``r`` and ``lora_alpha`` are the most frequent ones. Layers that differ are in ``rank_pattern``, ``alpha_pattern``.
    """
    known = list(layers)
    rank = Counter(rank for _, rank, _ in known).most_common(1)[0][0]
    alpha = Counter(alpha for _, _, alpha in known).most_common(1)[0][0]
    settings: dict[str, Any] = {"r": rank, "lora_alpha": alpha, "target_modules": targets, "bias": "none"}
    if ranks := {path: own for path, own, _ in known if own != rank}:
        settings["rank_pattern"] = ranks
    if alphas := {path: own for path, _, own in known if own != alpha}:
        settings["alpha_pattern"] = alphas
    return settings


def to_entry(settings: Mapping[str, Any]) -> dict[str, str]:
    """The entry of a header that ``read`` reads."""
    return {ENTRY: json.dumps({f"{PART}{key}": value for key, value in settings.items()})}


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _plain(name: object) -> str:
    """A pattern's name, with ^ if it is the whole path. PEFT takes any regular expression; here only names are read."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError("a pattern that is no layer's name")
    return name.replace("\\.", ".").removesuffix("$")


def _is_meant(name: str, path: str) -> bool:
    """As PEFT matches: the whole path, or its end from a dot on; after ^ the whole path alone."""
    if name.startswith("^"):
        return name[1:] == path
    return path == name or path.endswith(f".{name}")
