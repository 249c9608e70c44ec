"""The notebooks run as they are, in a short form; and what is kept of them in git is fit to be read by others."""

import io
import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

from lora.__main__ import main
from lora.jobs import Sample
from lora.sheets.contact_sheet import Line
from notebooks import page
from notebooks.execute import FOLDER, MAX_BYTES, NAMES, TIMES, execute, set_parameters
from tests.sample_folder import write_folder

MACHINE = "--device=cpu --threads=1"
SHORT = "--max_train_steps=4 --checkpointing_steps=2 --rank=2 --num_validation_images=1"


@pytest.fixture
def parameters(tiny_folder: Path, samples: tuple[Sample, ...], tmp_path: Path) -> dict[str, str]:
    folder = tmp_path / "notebooks"
    write_folder(folder / "samples", samples)
    return {
        "BASE": str(tiny_folder),
        "DATA": str(folder / "samples"),
        "RUN": str(folder / "run"),
        "MACHINE": f"{MACHINE} --cache_dir={folder / 'cache'}",
    }


def words(notebook: NotebookNode) -> str:
    """All that its cells printed."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return "".join(output.text for output in outputs if output.output_type == "stream")


def pictures(notebook: NotebookNode) -> int:
    """How many pictures its cells show."""
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    return sum("image/jpeg" in output.get("data", {}) for output in outputs)


def run_here(name: str, parameters: dict[str, str]) -> tuple[str, int]:
    """Run a notebook's cells in this process, without Jupyter: what they print, and how many pictures they show.

    A shell command ``python -m lora`` is a call of its main function.
    """
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    set_parameters(notebook, parameters)
    printed, shown, namespace = io.StringIO(), [], dict[str, Any]()
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(), redirect_stdout(printed):
        show = page.show
        patch.setitem(sys.modules, "page", page)
        patch.setattr(page, "show", lambda *given: shown.append(show(*given)))
        patch.chdir(FOLDER)  # page.begin changes folder, path and environment
        patch.syspath_prepend(FOLDER)
        patch.setenv("PATH", os.environ["PATH"])
        for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
            if cell.source.startswith("!"):
                python, *command = shlex.split(cell.source[1:].replace("\\\n", " ").format_map(namespace))
                assert [python, *command[:2]] == ["python", "-m", "lora"]
                assert main(command[2:]) == 0
            else:
                exec(cell.source, namespace)
    return printed.getvalue(), len(shown)


def run_in_kernel(name: str, parameters: dict[str, str]) -> tuple[str, int]:
    """Run a notebook as people do."""
    done = execute(name, parameters)
    return words(done), pictures(done)


def test_a_parameter_is_written_as_it_is() -> None:
    """Backslashes and groups of a regular expression too."""
    cell = nbformat.v4.new_code_cell('RUN = "run"\nSTEPS = 4', metadata={"tags": ["parameters"]})
    set_parameters(nbformat.v4.new_notebook(cells=[cell]), {"RUN": r"C:\new\1\g<0>"})
    assert cell.source == "RUN = " + repr(r"C:\new\1\g<0>") + "\nSTEPS = 4"


@pytest.mark.parametrize("run", [run_here, pytest.param(run_in_kernel, marks=pytest.mark.slow)])
def test_both_notebooks_run(
    run: Callable[[str, dict[str, str]], tuple[str, int]], parameters: dict[str, str]
) -> None:
    """The first one trains and leaves checkpoints; the second one compares them, chooses, draws and exports."""
    said, shown = run("train", {**parameters, "KEYWORD": "zorvex", "MORE": SHORT})
    assert shown == 3
    assert re.search(r"trained .*pytorch_lora_weights\.safetensors", said)
    assert "mean loss" in said
    left = Path(parameters["RUN"])
    assert sorted(path.name for path in left.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-4"]
    said, shown = run("inference", {**parameters, "STEPS": "2", "MORE": "--num_prompts=2 --steps=2"})
    assert shown == 5
    assert "The rule chose step" in said
    assert "you chose step" in said
    assert Path(left, "my-style.safetensors").is_file()


def test_a_command_that_fails_fails_its_notebook(tmp_path: Path, parameters: dict[str, str]) -> None:
    """A cell's shell command that ends with an error is one, although Jupyter goes on."""
    with pytest.raises(CellExecutionError, match="the command above gave 2"):
        execute("inference", {**parameters, "RUN": str(tmp_path)})


def test_every_sample_is_shown(
    samples: tuple[Sample, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sheet of the first notebook has a row for each seven, the last one too, whatever their number."""
    write_folder(tmp_path, [replace(samples[0], caption=f"ball {number}") for number in range(30)])
    rows: list[Line] = []
    monkeypatch.setattr(
        "lora.sheets.contact_sheet.contact_sheet", lambda title, heads, lines: rows.extend(lines)
    )
    cells = nbformat.read(FOLDER / "train.ipynb", as_version=4).cells
    (cell,) = (cell for cell in cells if cell.cell_type == "code" and "The samples in" in cell.source)
    exec(cell.source, {"DATA": str(tmp_path), "page": SimpleNamespace(show=lambda sheet, width: None)})
    assert [len(row.pictures) for row in rows] == [7, 7, 7, 7, 2]
    assert (rows[0].name, rows[-1].name) == ("1 to 7", "29 to 30")


@pytest.mark.parametrize("name", NAMES)
def test_what_is_kept_is_whole_small_and_anonymous(name: str) -> None:
    """Every code cell was run, in order, without an error; no folder and no duration of some machine is named."""
    path = FOLDER / f"{name}.ipynb"
    assert path.stat().st_size <= MAX_BYTES
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not re.search("|".join(TIMES), words(notebook), flags=re.MULTILINE)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert pictures(notebook) >= 3
    text = words(notebook)
    for trace in ("/home/", "/root/", "/tmp/", "site-packages", "Warning", "s left"):
        assert trace not in text
    assert not re.findall(r"(?<![\w.])/+[\w.-]+/", text)  # nor any other path from the root
