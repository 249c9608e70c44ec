"""The settings: config.toml, checked strictly, as frozen dataclasses with the same defaults."""

from __future__ import annotations

import errno
import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_type_hints
from urllib.parse import urlsplit

from bot import undrawn_words
from bot.errors import ConfigError
from bot.web import ADDRESS
from lora.drawing.cutout_names import BUNDLED, refusal
from lora.engine import ENGINES
from lora.jobs import DrawOptions
from lora.safety import FILTERS, NONE

NAME_CHARACTERS = 64  # Telegram's limit of a bot's name
RENAMED = {"key in [engine]": {"device": "devices"}}  # settings that have another name today
MOST_PICTURES = 10  # the most that sticker.max_count may be
CFG_RANGE = (1.0, 20.0)  # what config.toml and /sticker accept; 1 = no guidance


@dataclass(frozen=True, kw_only=True)
class Telegram:
    """Which Bot API server to talk to, and as whom."""

    api_url: str = "https://api.telegram.org/bot"
    file_url: str = "https://api.telegram.org/file/bot"
    name: str = ""
    webhook_url: str = ""
    webhook_listen: str = "127.0.0.1:8443"
    webhook_certificate: str = ""
    webhook_key: str = ""


@dataclass(frozen=True, kw_only=True)
class Storage:
    """The folder of the database, blobs and unpacked weights, how large it may get, and what is kept how long."""

    dir: Path = Path("data")
    max_gb: float = 0.0
    keep_days: int = 30
    inbox_days: int = 7
    waiting_days: int = 30
    tidy_hour: int = 4


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may use the bot. People are ids of Telegram, in ``allow`` also "@name". ``refusal`` is by language."""

    admins: tuple[int, ...] = ()
    mode: str = "open"
    allow: tuple[int | str, ...] = ()
    refusal: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Base:
    """The diffusion model that styles are trained on."""

    name: str = "sticker-nano"


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What runs the jobs."""

    name: str = "local"
    devices: tuple[str, ...] = ("auto",)
    cluster: str = ""
    worker_cpus: int = 2
    threads: int = 0
    compile: bool = False
    nice: int = 10
    silent_seconds: int = 30
    stuck_seconds: int = 900


@dataclass(frozen=True, kw_only=True)
class Train:
    """Trainings. 0 steps means the default of the base."""

    steps: int = 0
    checkpoint_steps: int = 0
    min_samples: int = 5
    advised_samples: tuple[int, int] = (20, 50)
    max_samples: int = 100


@dataclass(frozen=True, kw_only=True)
class Sticker:
    """Drawings. The defaults are those of ``DrawOptions``, which these settings replace in the bot.

    0 steps means as many as the base needs.
    """

    cfg: float = DrawOptions.cfg
    steps: int = 0
    max_count: int = 8
    outline_px: int = DrawOptions.outline_px


@dataclass(frozen=True, kw_only=True)
class Cutout:
    """The network that tells a drawing from its background."""

    model: str = BUNDLED


@dataclass(frozen=True, kw_only=True)
class Safety:
    """What looks at samples and drawings, its threshold, and the file of words that are not drawn ("" = none)."""

    filter: str = "open-nsfw"
    threshold: float = 0.5
    words_file: str = ""


@dataclass(frozen=True, kw_only=True)
class Quotas:
    """What one person may take. 0 = no limit."""

    jobs_per_person: int = 0
    trainings_per_day: int = 0
    pictures_per_day: int = 0
    styles: int = 0
    samples: int = 0
    megabytes: int = 0
    updates_per_minute: int = 0
    uploads_per_minute: int = 0


@dataclass(frozen=True, kw_only=True)
class Limits(Quotas):
    """What one person may take who is no admin, and the most attempts of a job."""

    jobs_per_person: int = 3
    trainings_per_day: int = 10
    pictures_per_day: int = 300
    styles: int = 30
    samples: int = 1000
    megabytes: int = 1000
    updates_per_minute: int = 300
    uploads_per_minute: int = 150
    attempts: int = 3


@dataclass(frozen=True, kw_only=True)
class AdminLimits(Quotas):
    """What one admin may take."""


@dataclass(frozen=True, kw_only=True)
class Metrics:
    """Where /health and /metrics are answered, HOST:PORT; "" = nowhere."""

    listen: str = ""


@dataclass(frozen=True, kw_only=True)
class Log:
    """What is written to stderr, and as what."""

    format: str = "text"
    level: str = "info"


@dataclass(frozen=True, kw_only=True)
class Config:
    """All settings, one field per table of the file."""

    telegram: Telegram = field(default_factory=Telegram)
    storage: Storage = field(default_factory=Storage)
    access: Access = field(default_factory=Access)
    base: Base = field(default_factory=Base)
    engine: Engine = field(default_factory=Engine)
    train: Train = field(default_factory=Train)
    sticker: Sticker = field(default_factory=Sticker)
    cutout: Cutout = field(default_factory=Cutout)
    safety: Safety = field(default_factory=Safety)
    limits: Limits = field(default_factory=Limits)
    admin_limits: AdminLimits = field(default_factory=AdminLimits)
    metrics: Metrics = field(default_factory=Metrics)
    log: Log = field(default_factory=Log)

    def limits_of(self, person: int) -> Quotas:
        """What this person may take."""
        return self.admin_limits if person in self.access.admins else self.limits


MOST_ID = 2**52  # Telegram: an id has at most 52 significant bits


def _is_person(entry: int | str) -> bool:
    """Whether it is an id, or an @name as Telegram allows them."""
    if isinstance(entry, int):
        return 0 < entry < MOST_ID
    return re.fullmatch(r"@[A-Za-z][A-Za-z0-9_]{3,31}", entry) is not None


def is_address(text: str) -> bool:
    """Whether it is HOST:PORT."""
    found = ADDRESS.fullmatch(text)
    return found is not None and 0 < int(found[2]) < 65536


def is_url(text: str) -> bool:
    """Whether it is the address of a http or https server, with a port that there can be."""
    try:
        parts = urlsplit(text)
        fits = parts.scheme in ("http", "https") and re.fullmatch(r"\S+", text)
        return bool(fits and parts.hostname and parts.port != 0)
    except ValueError:  # no port, or half of an IPv6 address
        return False


# What a value must be that has another type; of lists and of true or false, ``ALLOWED`` says it.
KINDS = {
    int: "a whole number without quotes",
    float: "a number without quotes",
    str: "a text in quotes",
    Path: "a text in quotes",
}
Rule = tuple[Callable[[Any], bool], str]  # whether a value is allowed, and what is allowed in words
MOST_DAYS, MOST_STEPS, MOST_SAMPLES, MOST_OF_ALL = 36_500, 1_000_000, 100_000, 1_000_000_000


def _between(least: float, most: float, zero: str = "") -> Rule:
    """From ``least`` to ``most``; ``zero`` says what 0 means."""
    first = f"0 ({zero})" if zero else f"{least:g}"
    return lambda v: least <= v <= most, f"{first} to {most:.0f}"


ALLOWED: dict[str, Rule] = {
    "telegram.api_url": (lambda v: is_url(v), "a http or https address"),
    "telegram.file_url": (lambda v: is_url(v), "a http or https address"),
    "telegram.name": (lambda v: len(v) <= NAME_CHARACTERS, f"at most {NAME_CHARACTERS} characters"),
    "telegram.webhook_url": (
        lambda v: not v or (is_url(v) and bool(re.fullmatch(r"https?://[^/?#\s]+(/[\w./-]*)?", v))),
        '"" or an address without a query, such as "https://bot.example.org/stickersmith"',
    ),
    "telegram.webhook_listen": (lambda v: is_address(v), 'HOST:PORT, such as "127.0.0.1:8443"'),
    "telegram.webhook_certificate": (lambda v: True, '"" or the path of a PEM file'),
    "telegram.webhook_key": (lambda v: True, '"" or the path of a PEM file'),
    "storage.dir": (lambda v: True, "the path of a folder"),
    "storage.max_gb": _between(0, 1_000_000, "all of the disk"),
    "storage.keep_days": _between(1, MOST_DAYS),
    "storage.inbox_days": (
        lambda v: 2 <= v <= MOST_DAYS,
        f"2 to {MOST_DAYS}; not 1, because Telegram may send an update again for a day",
    ),
    "storage.waiting_days": _between(1, MOST_DAYS),
    "storage.tidy_hour": _between(0, 23),
    "access.admins": (
        lambda v: all(0 < id < MOST_ID for id in v),
        "a list of people's ids, such as [123456789]",
    ),
    "access.mode": (lambda v: v in ("open", "list", "invite"), "open, list or invite"),
    "access.allow": (
        lambda v: all(_is_person(entry) for entry in v),
        'a list of people\'s ids and @names, such as [123456789, "@anna"]',
    ),
    "access.refusal": (
        lambda v: all(len(code) in (2, 3) and 0 < len(text) <= 1000 for code, text in v.items()),
        'texts of up to 1000 characters by language, such as {en = "Ask Ann to let you in."}',
    ),
    "base.name": (
        bool,
        "sticker-nano, sd-2.1, sd-2.1-base, or the path of a diffusers folder or .safetensors file",
    ),
    "engine.name": (lambda v: v in ENGINES, "one of the engines in lora/engine"),
    "engine.devices": (
        lambda v: v == ("auto",) or (v and all(re.fullmatch(r"cpu|cuda:\d+", one) for one in v)),
        '"auto", "cpu" or a list like ["cuda:0", "cuda:1"]',
    ),
    "engine.cluster": (lambda v: not v or is_address(v), '"" or HOST:PORT'),
    "engine.worker_cpus": _between(1, 1024),
    "engine.threads": _between(0, 1024, "all cores"),
    "engine.compile": (lambda v: True, "true or false"),
    "engine.nice": _between(0, 19),
    "engine.silent_seconds": _between(3, 3600),
    "engine.stuck_seconds": _between(60, 86_400),
    "train.steps": _between(0, MOST_STEPS, "the base's default"),
    "train.checkpoint_steps": _between(0, MOST_STEPS, "the base's default"),
    "train.min_samples": _between(1, MOST_SAMPLES),
    "train.advised_samples": (
        lambda v: 1 <= v[0] <= v[1] <= MOST_SAMPLES,
        "two whole numbers, the smaller first",
    ),
    "train.max_samples": _between(1, MOST_SAMPLES),
    "sticker.cfg": _between(*CFG_RANGE),
    "sticker.steps": _between(0, 1000, "the base's own"),
    "sticker.max_count": _between(1, MOST_PICTURES),
    "sticker.outline_px": _between(0, 64, "none"),
    "cutout.model": (bool, "bundled, the name of a rembg model, or the path of an .onnx file"),
    "safety.filter": (lambda v: v == NONE or v in FILTERS, " or ".join([*FILTERS, NONE])),
    "safety.threshold": (lambda v: 0 < v <= 1, "more than 0, at most 1"),
    "safety.words_file": (lambda v: True, '"" or the path of a text file'),
    **{
        f"{table}.{key.name}": _between(0, MOST_OF_ALL, "no limit")
        for table in ("limits", "admin_limits")
        for key in fields(Quotas)
    },
    "limits.attempts": _between(1, 100),
    "metrics.listen": (lambda v: not v or is_address(v), '"" or HOST:PORT, such as "127.0.0.1:9100"'),
    "log.format": (lambda v: v in ("text", "json"), "text or json"),
    "log.level": (lambda v: v in ("debug", "info", "warning", "error"), "debug, info, warning or error"),
}


def load(path: Path | None = None) -> Config:
    """The settings in ``path``. None means ./config.toml if it exists, else the defaults.

    Relative paths in the file are relative to the file's folder. Raises ConfigError.
    """
    given, path = path, path or Path("config.toml")
    try:
        if given is None and not path.exists():
            return Config()
        found = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    except RecursionError as error:
        raise ConfigError(f"{path} is not valid TOML: nested too deeply") from error
    except (
        ValueError
    ) as error:  # TOMLDecodeError, UnicodeDecodeError, and that of a number with too many digits
        reason = "a number in it is too long" if type(error) is ValueError else error
        raise ConfigError(f"{path} is not valid TOML: {reason}") from error
    return parse(found, folder=path.parent)


def parse(found: dict[str, Any], *, folder: Path = Path()) -> Config:
    """A parsed file as settings. Raises ConfigError for an unknown key or a value that is not allowed."""
    tables = get_type_hints(Config)
    _refuse_unknown(found, set(tables), where="table")
    config = Config(**{name: _table(tables[name], name, value, folder) for name, value in found.items()})
    if config.train.min_samples > config.train.max_samples:
        raise ConfigError("train.min_samples is more than train.max_samples: no style could be trained")
    return config


def _table(kind: type, name: str, found: object, folder: Path) -> Any:
    if not isinstance(found, dict):
        raise ConfigError(f"{name} must be a table: [{name}]")
    kinds = get_type_hints(kind)
    _refuse_unknown(found, set(kinds), where=f"key in [{name}]")
    return kind(**{key: _value(f"{name}.{key}", kinds[key], value, folder) for key, value in found.items()})


def _value(key: str, kind: Any, found: Any, folder: Path) -> Any:
    """A value in the type of its field, if ``ALLOWED`` accepts it. Raises ConfigError."""
    value = _typed(kind, found)
    allowed, meaning = ALLOWED[key]
    if value is None and kind in KINDS:
        meaning = f"{KINDS[kind]}: {meaning}"
    if value is None or (isinstance(value, str | Path) and "\0" in str(value)) or not allowed(value):
        raise ConfigError(f"{key} = {toml_value(found)} is not allowed: it must be {meaning}")
    if key in ("telegram.webhook_certificate", "telegram.webhook_key") and value:
        return str(folder / value)
    if key == "cutout.model":
        return _cutout(str(folder / value) if value.endswith(".onnx") else value)
    if key == "safety.words_file" and value:
        undrawn_words.read(str(folder / value))  # an error at the start, not at the first prompt
        return str(folder / value)
    if key == "storage.dir":
        return _folder(folder / value)
    if key == "base.name":
        return _base(value, folder)
    return value


def _base(name: str, folder: Path) -> str:
    """The name of a base; of a path, the path from the file's folder. Raises ConfigError."""
    try:
        return str(folder / name) if (folder / name).exists() else name
    except OSError as error:
        raise ConfigError(f"base.name cannot be looked for: {error.strerror}") from error


def _folder(path: Path) -> Path:
    """A folder that need not be there. Raises ConfigError if there can be none of that name."""
    try:
        path.stat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise ConfigError(f"storage.dir cannot be looked for: {error.strerror}") from error
    return path


def toml_value(value: object) -> str:
    """A value as the file has it: a string, a path, a number, a truth value, or a list or table of such."""
    match value:
        case bool():
            return json.dumps(value)
        case int() if abs(value) >= 10**100:  # Python writes none of over 4300 digits
            return "a very long number"
        case str() | Path():  # JSON's escapes are TOML's, but for those of emoji and the one of DEL
            return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
        case list() | tuple():
            return f"[{', '.join(map(toml_value, value))}]"
        case dict():
            return f"{{{', '.join(f'{toml_value(key)} = {toml_value(one)}' for key, one in value.items())}}}"
        case _:
            return str(value)


def _cutout(model: str) -> str:
    """The cut-out model, if it may be used. Raises ConfigError."""
    if (reason := refusal(model)) is not None:
        raise ConfigError(f"cutout.model = {model!r} is not allowed: {reason}")
    return model


def _typed(kind: Any, found: Any) -> Any:
    """The value in the type of its field, None if it has another type. A bool is no number here."""
    if kind is float and type(found) in (int, float):
        return float(found)
    if kind is Path and isinstance(found, str):
        return Path(found)
    if kind == tuple[str, ...]:
        names = [found] if isinstance(found, str) else found
        listed = isinstance(names, list) and all(isinstance(name, str) for name in names)
        return tuple(names) if listed else None
    if kind == tuple[int, int]:
        return tuple(found) if _is_list_of((int,), found) and len(found) == 2 else None
    if kind in (tuple[int, ...], tuple[int | str, ...]):
        return tuple(found) if _is_list_of(get_args(get_args(kind)[0]) or (int,), found) else None
    if kind == dict[str, str]:
        return found if isinstance(found, dict) and _is_list_of((str,), list(found.values())) else None
    return found if type(found) is kind else None


def _is_list_of(kinds: tuple[type, ...], found: Any) -> bool:
    return isinstance(found, list) and all(type(item) in kinds for item in found)


def _refuse_unknown(found: dict[str, Any], known: set[str], *, where: str) -> None:
    for name in found:
        if name not in known:
            if (today := RENAMED.get(where, {}).get(name)) is not None:
                raise ConfigError(f"{where}: {name!r} is called {today!r} now, see config.toml")
            close = get_close_matches(name, known, n=1)
            meant = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(sorted(known))}"
            raise ConfigError(f"unknown {where}: {name!r}; {meant}")
