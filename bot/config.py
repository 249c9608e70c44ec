"""Strict TOML into frozen dataclasses: an unknown key, a wrong type or a senseless value is an error."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

from bot.errors import ConfigError
from lora.engine import ENGINES


@dataclass(frozen=True, kw_only=True)
class Telegram:
    api_url: str = "https://api.telegram.org/bot"
    file_url: str = "https://api.telegram.org/file/bot"


@dataclass(frozen=True, kw_only=True)
class Storage:
    dir: str = "data"

    @property
    def path(self) -> Path:
        """The folder itself."""
        return Path(self.dir)


@dataclass(frozen=True, kw_only=True)
class Base:
    name: str = "sticker-nano"


@dataclass(frozen=True, kw_only=True)
class Engine:
    name: str = "local"
    device: str = "auto"
    threads: int = 0


@dataclass(frozen=True, kw_only=True)
class Train:
    steps: int = 0
    checkpoint_steps: int = 0
    min_samples: int = 5
    advised_samples: tuple[int, int] = (20, 50)
    max_samples: int = 100


@dataclass(frozen=True, kw_only=True)
class Sticker:
    cfg: float = 5.0
    steps: int = 20
    max_count: int = 4
    outline_px: int = 8


@dataclass(frozen=True, kw_only=True)
class Limits:
    jobs_per_person: int = 3
    attempts: int = 3


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything in ``config.toml``, section by section."""

    telegram: Telegram = field(default_factory=Telegram)
    storage: Storage = field(default_factory=Storage)
    base: Base = field(default_factory=Base)
    engine: Engine = field(default_factory=Engine)
    train: Train = field(default_factory=Train)
    sticker: Sticker = field(default_factory=Sticker)
    limits: Limits = field(default_factory=Limits)


def load(path: Path) -> Config:
    """Read a configuration file. Raises ConfigError naming the key, its value and what is allowed."""
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no valid TOML: {error}") from error
    config: Config = _build(Config, table, "")
    _check(config)
    return config


def _build(kind: type[Any], table: object, prefix: str) -> Any:
    if not isinstance(table, dict):
        raise ConfigError(f"{prefix.rstrip('.')} must be a section, not {table!r}")
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}
    for key in table:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1)
            hint = f"; did you mean {prefix}{near[0]}?" if near else f"; known: {', '.join(sorted(known))}"
            raise ConfigError(f"unknown setting {prefix}{key}{hint}")
    return kind(**{key: _value(hints[key], value, f"{prefix}{key}") for key, value in table.items()})


def _value(kind: Any, value: object, key: str) -> Any:
    if is_dataclass(kind) and isinstance(kind, type):
        return _build(kind, value, f"{key}.")
    if kind == tuple[int, int]:
        if isinstance(value, list) and len(value) == 2 and all(type(v) is int for v in value):
            return tuple(value)
        raise ConfigError(f"{key} = {value!r}: two whole numbers in brackets are allowed")
    if kind is float and type(value) in (int, float):
        return float(value)  # type: ignore[arg-type]
    if type(value) is not kind:
        raise ConfigError(f"{key} = {value!r}: a value of type {kind.__name__} is allowed")
    return value


def _check(config: Config) -> None:
    def need(fine: bool, key: str, value: object, allowed: str) -> None:
        if not fine:
            raise ConfigError(f"{key} = {value!r}: {allowed}")

    need(config.engine.name in ENGINES, "engine.name", config.engine.name, f"allowed are {', '.join(ENGINES)}")
    for key in ("steps", "checkpoint_steps"):
        need(getattr(config.train, key) >= 0, f"train.{key}", getattr(config.train, key), "0 or more is allowed")
    low, high = config.train.advised_samples
    need(
        1 <= config.train.min_samples <= low <= high <= config.train.max_samples,
        "train.advised_samples",
        [low, high],
        "min_samples <= first <= second <= max_samples is allowed",
    )
    need(1 <= config.sticker.cfg <= 20, "sticker.cfg", config.sticker.cfg, "1 to 20 is allowed")
    need(1 <= config.sticker.steps <= 200, "sticker.steps", config.sticker.steps, "1 to 200 is allowed")
    need(1 <= config.sticker.max_count <= 10, "sticker.max_count", config.sticker.max_count, "1 to 10 is allowed")
    need(0 <= config.sticker.outline_px <= 40, "sticker.outline_px", config.sticker.outline_px, "0 to 40 is allowed")
    need(config.limits.jobs_per_person >= 1, "limits.jobs_per_person", config.limits.jobs_per_person, "1 or more")
    need(config.limits.attempts >= 1, "limits.attempts", config.limits.attempts, "1 or more is allowed")
    for key in ("api_url", "file_url"):
        url = getattr(config.telegram, key)
        need(url.startswith(("http://", "https://")), f"telegram.{key}", url, "an http or https address is allowed")
