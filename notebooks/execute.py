"""python -m notebooks.execute [NAME ...] runs the notebooks on the bundled base and keeps them with their output."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

FOLDER = Path(__file__).resolve().parent
NAMES = ("train", "inference")  # the second one uses what the first one trained
SECONDS = 3600  # the limit for one cell
MAX_BYTES = 1_500_000  # of a notebook with its pictures
# Durations, and lines that come every few seconds, differ from run to run, so they are removed.
TIMES = (
    r"(?<=\[)\d[\d:]*<[\d:]+, +[\d.]+(s/step|step/s), ",
    r"^comparing \d+ checkpoints: \d+/\d+(, \d+ s left)?\n",
    r"^drawn \d+ of \d+(, \d+ s left)?\n",
    r", \d+ s left",
)


def execute(name: str, parameters: Mapping[str, str] | None = None) -> NotebookNode:
    """Run a notebook and return it with its output, without folders and durations of this machine.

    ``parameters`` replace values of the cell that is tagged "parameters". Raises KeyError for one that is not
    there, and nbclient's CellExecutionError for a cell that fails, or whose shell command does.
    """
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    set_parameters(notebook, parameters or {})
    notebook.cells = [part for cell in notebook.cells for part in (cell, *_check(cell))]
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": str(FOLDER)}},
        extra_arguments=["--log-level=ERROR"],  # each kernel would warn that loopback is not encrypted
    )
    client.execute()
    notebook.cells = [cell for cell in notebook.cells if "check" not in cell.metadata.get("tags", [])]
    _tidy(notebook)
    return notebook


def set_parameters(notebook: NotebookNode, parameters: Mapping[str, str]) -> None:
    """Replace values of the cell that is tagged "parameters". Raises KeyError for one that is not there."""
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    for name, value in parameters.items():
        cell.source, found = re.subn(
            rf"^{name} = .*$", f"{name} = {value!r}".replace("\\", r"\\"), cell.source, flags=re.MULTILINE
        )
        if not found:
            raise KeyError(name)


def _check(cell: NotebookNode) -> list[NotebookNode]:
    """A cell that fails if the shell command of ``cell`` failed; Jupyter itself does not check that."""
    if cell.cell_type != "code" or not cell.source.startswith("!"):
        return []
    check = nbformat.v4.new_code_cell("assert _exit_code == 0, f'the command above gave {_exit_code}'")
    check.metadata["tags"] = ["check"]
    return [check]


def _tidy(notebook: NotebookNode) -> None:
    """Number the cells from 1, and remove carriage returns, this machine's folders and durations."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    for number, cell in enumerate(code, start=1):
        cell.execution_count = number
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = number
            if output.output_type == "stream":
                text = output.text.replace("\r\n", "\n").replace(f"{FOLDER.parent}/", "")
                output.text = re.sub("|".join(TIMES), "", text, flags=re.MULTILINE)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = nbformat.from_dict({"kernelspec": kernel, "language_info": {"name": "python"}})


def main(names: list[str]) -> None:
    """Run the named notebooks, or all, in place."""
    for name in names or NAMES:
        written = nbformat.writes(execute(name))
        if len(written) > MAX_BYTES:
            raise SystemExit(
                f"{name}.ipynb: {len(written)} bytes, {MAX_BYTES} at most: show smaller pictures"
            )
        (FOLDER / f"{name}.ipynb").write_text(f"{written.rstrip()}\n", encoding="utf-8")
        print(f"notebooks/{name}.ipynb: {len(written) // 1000} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
