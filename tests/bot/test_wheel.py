"""The built wheel has everything that the program reads, as files and not as links."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tests import waiting

ROOT = Path(__file__).parents[2]


def files_of(folder: Path) -> set[Path]:
    """Every file of the two packages, data and code."""
    found = [path for name in ("bot", "lora") for path in (folder / name).rglob("*")]
    return {path.relative_to(folder) for path in found if path.is_file() and "__pycache__" not in path.parts}


def test_the_wheel_is_enough(tmp_path: Path) -> None:
    """It is unpacked as pip does, and used in an empty folder: commands, settings, demo data, and the playground."""
    source = tmp_path / "source"
    source.mkdir()
    for name in ("bot", "lora", "data", "pyproject.toml", "README.md", "LICENSE", "config.toml"):
        (source / name).symlink_to(ROOT / name)
    build = "import setuptools.build_meta as b, sys; print(b.build_wheel(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", build, str(tmp_path)], cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    target, empty = tmp_path / "target", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    assert files_of(ROOT) - files_of(target) == set()
    demo = {file.name for file in (ROOT / "data" / "demo").iterdir()}
    assert {file.name for file in (target / "lora" / "bundled" / "demo").iterdir()} == demo
    (points,) = target.glob("*.dist-info/entry_points.txt")
    assert "stickersmith = bot.__main__:main" in points.read_text()
    assert "stickersmith-lora = lora.__main__:main" in points.read_text()
    environment = os.environ | {"PYTHONPATH": str(target)}
    shown = waiting.run([sys.executable, "-m", "bot", "config"], cwd=empty, env=environment)
    assert shown.stdout == (ROOT / "config.toml").read_text()
    look = "from bot.playground.run import SAMPLES as s; from bot.ready_style import FILE as f; print(s, f, f.exists())"
    found = waiting.run([sys.executable, "-c", look], cwd=empty, env=environment)
    assert found.stdout.split() == [
        str(target / "lora/bundled/demo"),
        str(target / "lora/bundled/ready-style.safetensors"),
        "True",
    ]
