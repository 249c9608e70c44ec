"""The borders between the parts hold: what imports what."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = (
    *("torch", "diffusers", "rapidocr", "cv2", "rembg", "transformers", "peft", "onnxruntime", "numba"),
    "thorvg_cython",
    "ray",
)
# What the bot may know of lora/: names, matched exactly. lora.engine is the protocol and its table of engines.
LIGHT_HALF = {
    "lora",
    "lora.adapters",
    "lora.adapters.fit",
    "lora.adapters.layer_names",
    "lora.checks",
    "lora.checks.captions",
    "lora.checks.likeness",
    "lora.checks.pictures",
    "lora.checks.share",
    "lora.data",
    "lora.data.captions",
    "lora.data.pictures",
    "lora.data.shrink",
    "lora.data.zip_folder",
    "lora.data.visible",
    "lora.data.translation",
    "lora.data.translation.colour_names",
    "lora.data.translation.counting",
    "lora.data.translation.emoji_words",
    "lora.data.translation.language",
    "lora.data.translation.lexicon",
    "lora.data.translation.negative",
    "lora.data.translation.search_words",
    "lora.data.translation.stems",
    "lora.drawing",
    "lora.drawing.cutout_names",
    "lora.engine",
    "lora.files",
    "lora.fonts",
    "lora.jobs",
    "lora.option_text",
    "lora.safety",
    "lora.sheets.sample_sheet",
    "lora.sheets.sweep_sheet",
}
# Which packages of lora/ each package may import, besides itself and the words that cross every border. The order
# is the layers, from below; a package imports only from those above it in this table.
WORDS = {"lora", "lora.errors", "lora.files", "lora.fonts", "lora.jobs", "lora.option_text"}
LAYERS = {
    "safety": set(),
    "data": set(),
    "sheets": set(),
    "models": {"data"},
    "adapters": {"models"},
    "drawing": {"safety", "data", "sheets", "models", "adapters"},
    "checks": {"safety", "data", "models"},
    "evaluation": {"data", "sheets", "models", "adapters", "drawing"},
    "training": {"data", "models", "adapters", "evaluation"},
    "engine": {"safety", "data", "models", "adapters", "drawing", "training", "checks", "evaluation"},
    "cli": {
        "safety",
        "data",
        "sheets",
        "models",
        "adapters",
        "drawing",
        "training",
        "checks",
        "evaluation",
        "engine",
    },
    "pretrain": {"data", "models", "adapters", "drawing", "training", "evaluation"},
}
MOST_SIBLINGS = 20


def package(module: str) -> str:
    """The package of lora/ that a module is in; nothing for the words that cross every border."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in LAYERS else ""


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def lora_modules(path: Path) -> set[str]:
    """The modules of lora/ that a file imports, without the names taken from them."""
    return {name for name in imports(path) if name.split(".")[0] == "lora" and is_module(name)}


def is_module(name: str) -> bool:
    """Whether a dotted name is a file or a package of this project."""
    path = ROOT / name.replace(".", "/")
    return path.is_dir() or path.with_suffix(".py").is_file()


def test_the_bot_loads_no_heavy_library() -> None:
    """The bot's process imports neither torch nor a library that imports it, with its engine too."""
    program = (
        "import sys, bot.app, bot.handlers, bot.__main__\n"
        "from lora.engine import ENGINES, EngineSettings\n"
        "from pathlib import Path\n"
        "ENGINES['local'](EngineSettings(base='x', cache_dir=Path('x')))\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []


def test_the_bot_imports_only_the_light_half_of_lora() -> None:
    """bot/ knows jobs, captions, pictures, quick checks and the engine's protocol of lora/, and nothing else."""
    for path in (ROOT / "bot").rglob("*.py"):
        strangers = lora_modules(path) - LIGHT_HALF
        assert not strangers, f"{path.relative_to(ROOT)} imports {strangers}"


def test_every_package_of_lora_is_in_the_table() -> None:
    """Each package of lora/ is in the table of layers."""
    found = {path.parent.name for path in (ROOT / "lora").glob("*/__init__.py")}
    assert found == set(LAYERS)


def test_the_table_is_in_layers() -> None:
    """Each package imports only packages above it in the table, so there is no cycle."""
    met: set[str] = set()
    for name, allowed in LAYERS.items():
        assert allowed <= met, f"{name} imports {allowed - met}, which come later"
        met.add(name)


def test_packages_import_only_from_the_layers_below() -> None:
    """lora/ is built in layers; no import goes up."""
    for path in (ROOT / "lora").rglob("*.py"):
        own = path.relative_to(ROOT / "lora").parts[0]
        if own not in LAYERS:
            continue
        for module in lora_modules(path):
            known = module in WORDS or package(module) in LAYERS[own] | {own}
            assert known, f"{path.relative_to(ROOT)} imports {module}"


def test_words_that_cross_every_border_import_nothing_above_them() -> None:
    """jobs, errors, files and fonts can be read alone."""
    for name in WORDS - {"lora"}:
        path = ROOT / f"{name.replace('.', '/')}.py"
        assert lora_modules(path) <= WORDS, path


def test_each_package_says_what_lives_there() -> None:
    """One or two sentences, and what it may import."""
    for path in (ROOT / "lora").glob("*/__init__.py"):
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert "import" in text.lower(), path
        for name in LAYERS[path.parent.name]:
            assert f"``{name}``" in text, f"{path.relative_to(ROOT)} does not say that it imports {name}"


def test_no_folder_of_lora_is_crowded() -> None:
    """Each folder has at most twenty files and folders."""
    for folder in (path for path in (ROOT / "lora").rglob("*") if path.is_dir() and not path.is_symlink()):
        names = [path.name for path in folder.iterdir() if not path.name.startswith(("__pycache__", "."))]
        assert len(names) <= MOST_SIBLINGS, f"{folder.relative_to(ROOT)} has {len(names)}"


def test_lora_knows_nothing_of_chat() -> None:
    """lora/ imports neither bot/ nor Telegram."""
    for path in (ROOT / "lora").rglob("*.py"):
        strangers = {name for name in imports(path) if name.split(".")[0] in ("bot", "telegram", "aiogram")}
        assert not strangers, f"{path.relative_to(ROOT)} imports {strangers}"


def test_mypy_checks_every_folder() -> None:
    """Scripts that nobody runs for weeks break unseen otherwise."""
    folders = {path.parent.name for path in ROOT.glob("*/*.py")}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert set(settings["tool"]["mypy"]["packages"]) == folders
