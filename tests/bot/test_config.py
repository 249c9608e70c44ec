"""Settings are strict, and config.toml lists all of them."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from bot import config
from bot.errors import ConfigError
from lora.jobs import DrawOptions

SHIPPED = Path(__file__).parents[2] / "config.toml"


def every_setting() -> dict[str, Any]:
    """The default of every setting, by its dotted name, for example ``train.steps``."""
    settings = config.Config()
    tables = {table.name: getattr(settings, table.name) for table in fields(config.Config)}
    return {
        f"{name}.{key.name}": getattr(table, key.name)
        for name, table in tables.items()
        for key in fields(table)
    }


def test_config_toml_lists_every_setting_with_its_default() -> None:
    """Whoever reads config.toml has seen all there is, and deleting it changes nothing."""
    import tomllib

    tables = tomllib.loads(SHIPPED.read_text())
    listed = {f"{table}.{key}" for table, keys in tables.items() for key in keys}
    assert listed == set(every_setting())
    assert config.parse(tables) == config.Config()


def test_what_can_be_drawn_has_one_home_for_its_defaults() -> None:
    """The bot's settings of drawings are the defaults of DrawOptions, so those of the CLI and the worker."""
    ours, theirs = config.Sticker(), DrawOptions()
    assert (ours.cfg, ours.steps or None, ours.outline_px) == (theirs.cfg, theirs.steps, theirs.outline_px)


def test_every_setting_has_one_line_of_why() -> None:
    """Each line of config.toml that sets something says what for."""
    settings = [line for line in SHIPPED.read_text().splitlines() if re.match(r"\w+ = ", line)]
    assert len(settings) == len(every_setting())
    assert all("# " in line for line in settings)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[train]\nmin_sample = 3", "did you mean 'min_samples'?"),
        ("[trian]\n", "did you mean 'train'?"),
        (
            "[train]\nmin_samples = '3'",
            'train.min_samples = "3" is not allowed: it must be a whole number without quotes: 1 to 100000',
        ),
        ("[train]\nmin_samples = true", "train.min_samples = true is not allowed"),
        ("[train]\nadvised_samples = [50, 20]", "the smaller first"),
        ("[sticker]\ncfg = 25", "sticker.cfg = 25 is not allowed: it must be 1 to 20"),
        ("[sticker]\nmax_count = 0", "it must be 1 to 10"),
        (
            "[storage]\ndir = 5",
            "storage.dir = 5 is not allowed: it must be a text in quotes: the path of a folder",
        ),
        ("[engine]\ncompile = 'yes'", 'engine.compile = "yes" is not allowed: it must be true or false'),
        (
            "[sticker]\ncfg = true",
            "sticker.cfg = true is not allowed: it must be a number without quotes: 1 to 20",
        ),
        ("[engine]\nname = 'cloud'", 'engine.name = "cloud"'),
        ("[engine]\ndevices = 'gpu'", 'it must be "auto", "cpu" or a list like ["cuda:0", "cuda:1"]'),
        ("[engine]\ndevices = []", "engine.devices = [] is not allowed"),
        ("[engine]\ndevices = ['auto', 'cpu']", 'engine.devices = ["auto", "cpu"] is not allowed'),
        ("[engine]\ndevice = 'cuda'", "'device' is called 'devices' now"),
        ("[access]\nadmins = [99999999999999999999999]", "a list of people's ids"),
        ("[telegram]\napi_url = 'http://127.0.0.1:99999/bot'", "a http or https address"),
        ("[telegram]\nwebhook_url = 'https://[::1/y'", "an address without a query"),
        ('[storage]\ndir = "a\\u0000b"', "the path of a folder"),
        ("[train]\nmin_samples = 50\nmax_samples = 5", "no style could be trained"),
        ("[telegram]\napi_url = 'example.org'", "a http or https address"),
        ("[telegram]\napi_url = 'https://example.org/a b'", "a http or https address"),
        ("[engine]\ncluster = 'a:99999'", "HOST:PORT"),
        (f"[base]\nname = '{'a' * 500}'", "base.name cannot be looked for: File name too long"),
        (f"[storage]\ndir = '{'a' * 500}'", "storage.dir cannot be looked for: File name too long"),
        (f"a = {'[' * 20000}", "not valid TOML: nested too deeply"),
        (f"[train]\nsteps = {'1' * 5000}", "not valid TOML: a number in it is too long"),
        (f"[train]\nsteps = 0x{'f' * 5000}", "train.steps = a very long number is not allowed: it must be"),
        ("train = 3", "[train]"),
        ("[train", "not valid TOML"),
        ("\ufeff[train]\nsteps = -1", "train.steps = -1"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, told: str) -> None:
    """The error names the key, the value and what is allowed."""
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(told)):
        config.load(path)


@pytest.mark.parametrize("value", [10**11, -1, 10**30, float("inf"), float("nan"), "", [], {}, [[]], [{}]])
def test_every_number_has_bounds(value: object) -> None:
    """No number that a database, a calendar or a machine cannot hold is taken; no other type is, too."""
    numbers = [key for key, default in every_setting().items() if type(default) in (int, float)]
    assert len(numbers) > 30
    for key in numbers:
        table, name = key.split(".")
        with pytest.raises(ConfigError, match=rf"{key} = .* is not allowed: it must be "):
            config.parse({table: {name: value}})


def test_paths_count_from_the_files_own_folder(tmp_path: Path) -> None:
    """A configuration can be moved together with its data, and be named from anywhere."""
    (tmp_path / "my-base").mkdir()
    path = tmp_path / "my.toml"
    path.write_text("[storage]\ndir = 'data'\n[base]\nname = 'my-base'\n[sticker]\ncfg = 4")
    found = config.load(path)
    assert found.storage.dir == tmp_path / "data"
    assert found.base.name == str(tmp_path / "my-base")
    assert found.sticker.cfg == 4.0


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """A mistyped --config is an error; the defaults are not used in its place."""
    with pytest.raises(ConfigError, match=r"cannot read .*gone\.toml"):
        config.load(tmp_path / "gone.toml")
