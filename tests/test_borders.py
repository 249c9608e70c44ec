"""The borders between the parts hold: what imports what."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "diffusers", "rapidocr", "cv2", "rembg", "transformers", "peft", "onnxruntime", "numba")
# Of lora.checks only what needs no torch: the bot says before a training what is wrong with its samples.
LIGHT_CHECKS = ("lora.checks", "lora.checks.captions", "lora.checks.pictures", "lora.checks.share")
LIGHT_HALF = ("lora.jobs", "lora.captions", "lora.pictures", "lora.engine", "lora.files", "lora.fonts")


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at its top or inside a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_the_bot_starts_without_the_machinery() -> None:
    """The bot's process loads neither torch nor anything that brings it, its engine included."""
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
    """bot/ knows jobs, captions, pictures and the engine's protocol of lora/, and nothing else."""
    for path in (ROOT / "bot").rglob("*.py"):
        taken = {name for name in imports(path) if name.split(".")[0] == "lora"}
        taken -= {"lora", *LIGHT_CHECKS}
        strangers = {name for name in taken if not name.startswith(LIGHT_HALF)}
        assert not strangers, f"{path.relative_to(ROOT)} imports {strangers}"


def test_lora_knows_nothing_of_chat() -> None:
    """lora/ imports neither bot/ nor Telegram."""
    for path in (ROOT / "lora").rglob("*.py"):
        strangers = {name for name in imports(path) if name.split(".")[0] in ("bot", "telegram", "aiogram")}
        assert not strangers, f"{path.relative_to(ROOT)} imports {strangers}"
