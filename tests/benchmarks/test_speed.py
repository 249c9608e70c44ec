"""The rows of ``benchmarks.speed`` run to their end, scaled down, and check what they measure."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import speed, speed_drawing, speed_figures, speed_plots, speed_setup


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One tiny base for all rows."""
    return tmp_path_factory.mktemp("speed")


def run(row: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    speed.main([row, "--tiny", "--dir", str(folder)])
    return capsys.readouterr().out


def test_switching_is_checked_against_peft(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = run("switching", folder, capsys)
    assert "3 the next person's adapter" in printed
    assert "a slot against PEFT" in printed


@pytest.mark.slow
@pytest.mark.parametrize(
    "row", ["one-picture", "many-people", "training", "whole-training", "finishing", "beside"]
)
def test_every_row_runs(row: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = run(row, folder, capsys)
    assert "img/s" in printed or " s: " in printed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one", "bare", "peer-people"])
def test_a_child_of_figures_keeps_its_rate(
    name: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speed.main(["figure", name, "--tiny", "--dir", str(folder)])
    assert "img/s" in capsys.readouterr().out


@pytest.mark.slow
def test_figures_measure_one_part_after_the_other(folder: Path) -> None:
    speed.main(["switching", "--tiny", "--dir", str(folder)])
    command = [
        sys.executable,
        "-m",
        "benchmarks.speed",
        "figures",
        "one,switching",
        "--tiny",
        "--dir",
        str(folder),
    ]
    lines = subprocess.check_output(command, text=True).splitlines()
    said = [line.partition("] ")[2] for line in lines if "measure" in line]
    assert said == ["one measures", "measured", "switching measures", "measured"]


def test_figures_leave_out_what_is_not_ready_in_time(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    speed.main(["figures", "one,bare", "--tiny", "--dir", str(folder), "--compiled-by", "0"])
    printed = capsys.readouterr().out
    assert "one: not ready after 0 s" in printed
    assert "bare: not ready after 0 s" in printed


def test_figures_know_their_parts(folder: Path) -> None:
    assert set(speed_figures.ORDER) <= speed_figures.PARTS.keys() | speed_figures.LATER.keys()
    with pytest.raises(SystemExit, match="no such part: two"):
        speed.main(["figures", "one,two", "--tiny", "--dir", str(folder)])


def test_plots_show_every_measured_number() -> None:
    """Two pictures of the kept results; a number more makes another picture."""
    found = {
        "seconds by people": {"1": 0.3, "2": 0.5},
        "diffusers one after the other, seconds by people": {"1": 1.3, "2": 2.6},
        "img/s by adapters": {"0": 5.4, "1": 5.4},
    }
    drawn = speed_plots.plots(found)
    assert all(data.startswith(b"\x89PNG") for data in drawn.values())
    more = speed_plots.plots({**found, "img/s by adapters": {"0": 5.4, "1": 5.4, "2": 5.0}})
    assert more["speed-adapters.png"] != drawn["speed-adapters.png"]


def test_every_kind_is_warmed() -> None:
    """What a row compiles can be compiled before, by name."""
    assert set(speed_drawing.KINDS) <= set(speed_drawing.WARM)
    rows = speed.command_line().format_help()
    assert all(f"\n{row} " in rows for row in speed.ROWS)


def test_folders_of_the_machine_are_not_in_a_kept_command() -> None:
    started = ["/somewhere/devices.py", "draw", "--gpus", "1", "2", "--dir", "/x/speed", "--results=/y"]
    assert speed_setup.command(started) == "python3 -m benchmarks.devices draw --gpus 1 2"
