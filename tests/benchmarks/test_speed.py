"""The rows of ``benchmarks.speed`` run to their end, scaled down, and check what they measure."""

from pathlib import Path

import pytest

from benchmarks import speed, speed_drawing


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
@pytest.mark.parametrize("row", ["one-picture", "many-people", "training", "whole-training", "finishing"])
def test_every_row_runs(row: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = run(row, folder, capsys)
    assert "img/s" in printed or " s: " in printed


def test_every_kind_is_warmed() -> None:
    """What a row compiles can be compiled before, by name."""
    assert set(speed_drawing.KINDS) <= set(speed_drawing.WARM)
    rows = speed.command_line().format_help()
    assert all(f"\n{row} " in rows for row in speed.ROWS)
