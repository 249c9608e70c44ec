"""Writes docs/files.md from the first line of every module. ``make docs`` runs it.

    python docs/make_files.py

Needs the standard library alone. A module without a docstring is an error that names it.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "files.md"
FOLDERS = ("bot", "lora", "benchmarks", "notebooks")
HEADER = """# Files

The first line of each module, by folder. `make docs` writes this page; a test fails when it is out of date.
"""
# What is no Python: these lines are written here.
OTHERS = {
    "README.md": "What this is, how to start it, and where to read on.",
    "CONTRIBUTING.md": "Set-up, lint, tests, and which files each kind of change touches.",
    "CHANGELOG.md": "What each version does.",
    "config.toml": "Every setting of the bot with its default.",
    "pyproject.toml": "Dependencies, lint, types, tests.",
    "constraints.txt": "Every dependency's version, pinned.",
    "Makefile": "demo, run, playground, test, test-all, lint, docs, bench, notebooks, sd21-check, clean.",
    "docs/make_files.py": "Writes docs/files.md from the first line of every module.",
    "bot/playground/page/index.html": "The chat page.",
    "bot/playground/page/style.css": "The page's looks, in a light and a dark theme.",
    "lora/bundled/README.md": "The bundled base and cut-out network: what they are, and their licences.",
    "notebooks/train.ipynb": "A training: the command, its log, its pictures.",
    "notebooks/inference.ipynb": "Checkpoints compared, pictures drawn, stickers made, an adapter exported.",
    "benchmarks/README.md": "Each measurement and its command.",
    "data/README.md": "What the bot writes below data/.",
    "data/demo/README.md": "The example data set, and whose drawings it holds.",
    "tests/test_borders.py": "Which package may import which.",
    "tests/test_readme.py": "The README can be followed to the letter.",
    "tests/test_docs.py": "Links, commands, glossary and this page are true.",
}


def first_line(path: Path) -> str:
    """The first line of a module's docstring, or of a script's leading comment. Raises ValueError without one."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".js":
        line = text.partition("\n")[0].removeprefix("//")
    else:
        line = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    if not line.strip():
        raise ValueError(f"{path.relative_to(ROOT)}: no first line that says what it is for")
    return line.strip()


def described() -> dict[str, str]:
    """Every file of the page by its path from the root. Empty ``__init__.py`` files are left out."""
    found = dict(OTHERS)
    for folder in FOLDERS:
        modules = [*(ROOT / folder).rglob("*.py"), *(ROOT / folder).rglob("*.js")]
        for path in (path for path in modules if path.stat().st_size):
            found[path.relative_to(ROOT).as_posix()] = first_line(path)
    return found


def page() -> str:
    """The whole of docs/files.md."""
    files = described()
    folders: dict[str, list[str]] = {}
    for name in sorted(files):
        folders.setdefault(name.rpartition("/")[0], []).append(name)
    parts = [HEADER]
    for folder in sorted(folders):
        lines = [f"- [{Path(name).name}](../{name}): {files[name]}" for name in folders[folder]]
        parts.append("\n".join([f"## {folder or 'the top'}", "", *lines, ""]))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
