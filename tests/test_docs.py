"""What the documents say is so: links lead somewhere, commands are known, words and files exist."""

from __future__ import annotations

import argparse
import ast
import re
import runpy
import shlex
from pathlib import Path

import pytest

from lora.__main__ import _parser

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    ROOT / "benchmarks" / "README.md",
    ROOT / "data" / "README.md",
    ROOT / "data" / "demo" / "README.md",
    ROOT / "lora" / "bundled" / "README.md",
]
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
README_LINES = 130
GLOSSARY_WORDS = 40
# Files of which a page may speak by their path: code, settings and pages.
PATH = re.compile(r"`((?:bot|lora|benchmarks|notebooks|tests|docs)/[\w./-]+\.(?:py|md|toml|ipynb))`")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def blocks(text: str) -> list[str]:
    """The lines of a page's code blocks, with continued lines joined, without comments and prompts."""
    found = re.findall(r"(?:^ {4}\S.*\n(?: {4,}\S.*\n)*)", text, flags=re.MULTILINE)
    lines = [line for block in found for line in block.replace("\\\n", " ").splitlines()]
    return [re.split(r"\s+# |\s{2,}#", line.strip())[0] for line in lines]


def commands(text: str) -> list[str]:
    """Every command of a page, from its code blocks and from the words set as code."""
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^ {4}.*$", "", text, flags=re.MULTILINE))
    parts = [part.strip() for line in blocks(text) + inline for part in line.split("&&")]
    return [re.sub(r"^(?:[A-Z_]+=\S*\s+)+", "", part) for part in parts]


def string_constants(path: Path) -> set[str]:
    """Every text in a module's code: its flags are among them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def flags_of(words: list[str]) -> set[str]:
    return {word.partition("=")[0].strip("[]`") for word in words if word.strip("[").startswith("--")}


def subparsers() -> dict[str, argparse.ArgumentParser]:
    """The parser of each command of python -m lora."""
    actions = _parser()[0]._actions
    (found,) = (action for action in actions if isinstance(action, argparse._SubParsersAction))
    return dict(found.choices)


def module_file(module: str) -> Path:
    """The file that python -m MODULE runs."""
    path = ROOT / module.replace(".", "/")
    return path / "__main__.py" if path.is_dir() else path.with_suffix(".py")


def test_the_readme_is_short() -> None:
    """The README has at most 130 lines."""
    assert len(text_of("README.md").splitlines()) <= README_LINES


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    """Every relative link, pictures too, names a file or folder that is there, and a heading in it."""
    page = ROOT / name
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(name)):
        if re.match(r"https?://", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name}: {target}"
        if anchor:
            assert anchor in anchors(file), f"{name}: {target}"


@pytest.mark.parametrize("name", NAMES)
def test_files_that_are_named_exist(name: str) -> None:
    """A path set as code is a file of this project."""
    for path in PATH.findall(text_of(name)):
        assert (ROOT / path).is_file(), f"{name}: {path}"


def test_pages_that_the_code_names_exist() -> None:
    """A docstring that sends its reader to a page names one that is there."""
    for folder in ("bot", "lora", "benchmarks", "notebooks"):
        for path in (ROOT / folder).rglob("*.py"):
            for page in re.findall(r"\b(?:docs|benchmarks)/[\w./-]+\.md", path.read_text(encoding="utf-8")):
                assert (ROOT / page).is_file(), f"{path.relative_to(ROOT)}: {page}"


@pytest.mark.parametrize("name", NAMES)
def test_commands_of_lora_are_known(name: str) -> None:
    """python -m lora COMMAND: the command exists, and so do its flags. In a code block the whole line is taken."""
    known = subparsers()
    whole = {line for line in blocks(text_of(name)) if not re.search(r"…|\.\.\.|&&", line)}
    for command in commands(text_of(name)):
        words = command.split()
        if words[:3] != ["python", "-m", "lora"] or len(words) < 4 or words[3] == "COMMAND":
            continue
        assert words[3] in known, f"{name}: {command}"
        assert flags_of(words) <= set(known[words[3]]._option_string_actions), f"{name}: {command}"
        if command in whole:
            _parser()[0].parse_args(shlex.split(command)[3:])


@pytest.mark.parametrize("name", NAMES)
def test_modules_that_are_run_exist(name: str) -> None:
    """python -m MODULE, for all but lora itself: the file is there, and every flag stands in its code."""
    for command in commands(text_of(name)):
        found = re.match(
            r"(?:torchrun.* -m|python3? -m) ((?:lora\.|benchmarks\.|notebooks\.|bot)[\w.]*)", command
        )
        if not found:
            continue
        file = module_file(found[1])
        assert file.is_file(), f"{name}: {command}"
        if found[1].startswith("benchmarks."):
            shared = [ROOT / "benchmarks" / f"{one}.py" for one in ("flags", "pool")]
            texts = set().union(*(string_constants(path) for path in (file, *shared)))
            assert flags_of(command.split()) <= texts, f"{name}: {command}"


@pytest.mark.parametrize("name", NAMES)
def test_make_targets_exist(name: str) -> None:
    """Every make TARGET is one of the Makefile's."""
    rules = re.findall(r"^([\w./()$-]+):", text_of("Makefile"), flags=re.MULTILINE)
    known = {rule.replace("$(VENV)", ".venv") for rule in rules}
    for command in commands(text_of(name)):
        words = command.split()
        if words[:1] != ["make"]:
            continue
        words = shlex.split(command)
        targets = {word for word in words[1:] if "=" not in word}
        assert targets <= known, f"{name}: {command}"


def test_the_list_of_files_is_generated() -> None:
    """docs/files.md is what the modules say of themselves; if this fails, run make docs."""
    assert text_of("docs/files.md") == runpy.run_path(str(ROOT / "docs" / "make_files.py"))["page"]()


def test_every_folder_of_code_is_in_the_readmes_tree() -> None:
    """The tree in the README has a line for each package."""
    rows = set(re.findall(r"^\| \[([\w/]+)/\]", text_of("README.md"), flags=re.MULTILINE))
    packages = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "lora").glob("*/__init__.py")}
    packages |= {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "bot").glob("*/__init__.py")}
    assert packages <= rows


def snake(name: str) -> str:
    """Adapter_Info and adapterInfo become adapter_info."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def names_in_code() -> set[str]:
    """Everything that has a name in bot/ and lora/: modules, classes, functions, parameters, variables."""
    found: set[str] = set()
    for path in [*(ROOT / "lora").rglob("*.py"), *(ROOT / "bot").rglob("*.py")]:
        found |= {path.stem, path.parent.name}
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            found |= {getattr(node, field, None) or "" for field in ("id", "arg", "attr")}
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.add(node.name)
    return {snake(name) for name in found}


def test_the_glossary_is_the_codes_own() -> None:
    """At most 40 words, each of them a name in the code or a part of one."""
    section = text_of("docs/architecture.md").partition("## Words\n")[2].partition("\n## ")[0]
    words = re.findall(r"^\| ([\w -]+) \|", section, flags=re.MULTILINE)[2:]
    assert 20 <= len(words) <= GLOSSARY_WORDS
    assert len(set(words)) == len(words)
    names = "\n".join(sorted(names_in_code()))
    for word in words:
        stem = re.sub("[ -]", "_", word)
        assert re.search(rf"(?:^|_){stem}s?(?:_|$)", names, flags=re.MULTILINE), word


def test_the_layers_are_those_that_are_tested() -> None:
    """The table of packages in docs/architecture.md is the one of tests/test_borders.py, in its order."""
    section = text_of("docs/architecture.md").partition("## Layers of lora/\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (\w+) \| .* \| ?([\w, ]*)\|$", section, flags=re.MULTILINE)[1:]
    told = [(name, {one for one in imports.strip().split(", ") if one}) for name, imports in rows]
    assert told == list(runpy.run_path(str(ROOT / "tests" / "test_borders.py"))["LAYERS"].items())


@pytest.mark.parametrize("name", ["README.md", "docs/train.md", "docs/bases.md"])
def test_git_ignores_what_the_documents_commands_make(name: str) -> None:
    """Who tries them in the checkout commits none of it."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.findall(
        r"(?:--output_dir[= ]|--out |' > |unpack sticker-nano )([a-z][a-z0-9-]*(?:\.[a-z]+)?)(?=[\s`])", text
    )
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    assert found
    assert {made for made in found if not {f"/{made}", f"/{made}/"} & set(ignored)} == set()
