"""The simulated cluster runs the real decision code, and the scripts of several devices run to their end."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from PIL import Image

from benchmarks import devices
from benchmarks.cluster_dispatcher import dispatcher_cost
from benchmarks.cluster_plot import plot
from benchmarks.cluster_simulation import simulate, windows


def test_an_hour_with_a_lost_node() -> None:
    """Every job ends although eight workers are lost in the middle, and half an hour is plotted."""
    day, found = simulate(0.5, (19, 20), workers=16)
    assert found["left over"] == 0
    assert found["jobs"] > 10_000
    assert found["all hours, sticker p95 s"] < 30
    assert found["while a node is lost, sticker p95 s"] < 30
    with Image.open(io.BytesIO(plot(windows(day), title="waits"))) as picture:
        assert picture.format == "PNG"


def test_people_take_turns_when_there_is_too_much() -> None:
    """At more than the workers can do, trainings wait, and those of heavy users longer; stickers hardly wait."""
    _, found = simulate(1.5, (19, 20), workers=4, lose_node=False)
    assert found["left over"] == 0
    assert found["all hours, training p95 s, light"] * 1.1 < found["all hours, training p95 s, heavy"]
    assert found["all hours, sticker p95 s"] < 30


async def test_the_dispatcher_ends_all_rows(tmp_path: Path) -> None:
    """With sixty-four workers that take no time."""
    found = await dispatcher_cost(tmp_path, jobs=100, workers=64)
    assert found["jobs a second"] > 1


@pytest.mark.slow
@pytest.mark.parametrize("what", ["train", "draw"])
def test_both_rows_run(what: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Scaled down, with two processes on the CPU."""
    devices.main(
        [what, "--tiny", "--gpus", "1", "2", "--steps", "2", "--pictures", "4", "--dir", str(tmp_path)]
    )
    assert "ours, 2 GPU, times the first" in capsys.readouterr().out


@pytest.mark.slow
def test_simulated_gpus_are_drawn_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two workers whose GPU is a wait; where the time of a picture went is told. No peer is run."""
    devices.main(
        [
            *("draw", "--simulate", "blank", "--gpus", "1", "2"),
            *("--pictures", "4", "--people", "4", "--dir", str(tmp_path)),
        ]
    )
    said = capsys.readouterr().out
    assert "ours, 2 GPU, times the first" in said
    assert "waiting for its batch, s" in said
    assert "diffusers" not in said


def test_the_order_shows_the_most_first() -> None:
    """One GPU, all of them, the peer, then what is between."""
    assert devices.turns([1, 2, 4]) == [1, 4, devices.PEER, 2]
    assert devices.turns([1]) == [1, devices.PEER]
