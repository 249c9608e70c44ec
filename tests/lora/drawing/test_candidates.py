"""A data set from nothing: drawn once, chosen by a person, ready to train on; nonsense is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from lora.__main__ import main
from lora.data.dataset import read_folder


@pytest.fixture
def wish(tmp_path: Path, tiny_folder: Path, cache_dir: Path) -> list[str]:
    """A table of two captions, and where to go with it."""
    (tmp_path / "t.md").write_text("| text |\n|---|\n| a red fox |\n| a cup |\n")
    flags = {"out": tmp_path / "out", "base": tiny_folder, "cache_dir": cache_dir, "n": 3, "steps": 2}
    return ["invent", str(tmp_path / "t.md"), "--keyword=zorvex", *(f"--{k}={v}" for k, v in flags.items())]


def test_candidates_are_drawn_chosen_and_built_into_a_folder(wish: list[str], tmp_path: Path) -> None:
    """First candidates, a sheet and a list; then, with numbers in the list, an imagefolder of those alone."""
    out = tmp_path / "out"
    assert main(wish) == 0
    assert sorted(path.name for path in (out / "candidates").iterdir()) == [
        f"{n:04d}.png" for n in range(1, 7)
    ]
    with Image.open(out / "sheet-1.png") as sheet:
        assert sheet.width > 3 * 150
    listed = (out / "keep.txt").read_text()
    assert "# 4-6: zorvex a cup" in listed
    assert not (out / "metadata.jsonl").exists()
    (out / "keep.txt").write_text(listed + "2, 5\n6 # the best\n")
    assert main(wish) == 0
    assert [s.caption for s in read_folder(out)] == ["zorvex a red fox", "zorvex a cup", "zorvex a cup"]
    assert main([*wish, "--keep", "1"]) == 0
    (only,) = read_folder(out)
    assert only.picture == (out / "candidates" / "0001.png").read_bytes()
    assert sorted(path.name for path in out.glob("0*.png")) == ["0001.png"]


def test_cutouts(wish: list[str], tmp_path: Path) -> None:
    """Asked for, the pictures kept are without their background."""
    assert main([*wish, "--steps", "12", "--keep", "1,4", "--cutouts"]) == 0
    with Image.open(tmp_path / "out" / "0004.png") as image:
        assert image.mode == "RGBA"
        assert image.getchannel("A").getextrema() == (0, 255)


def test_a_call_that_was_cut_off_goes_on(wish: list[str], tmp_path: Path) -> None:
    """Only what is missing is drawn, and it comes out the same."""
    assert main(wish) == 0
    files = sorted((tmp_path / "out" / "candidates").iterdir())
    lost, stays = files[3].read_bytes(), files[0].stat().st_mtime_ns
    files[3].unlink()
    assert main(wish) == 0
    assert files[0].stat().st_mtime_ns == stays
    with Image.open(files[3]) as again:
        assert again.size == (64, 64)
    assert len(files[3].read_bytes()) == pytest.approx(len(lost), rel=0.1)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--keep", "0"], "there is no candidate 0"),
        (["--keep", "7"], "from 1 to 6"),
        (["--keep", "one"], "'one' is no number"),
        (["--n", "600"], "1200 candidates"),
    ],
)
def test_numbers_out_of_range_are_refused_before_anything_is_drawn(
    flags: list[str], why: str, wish: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the number that is wrong."""
    assert main([*wish, *flags]) == 2
    assert why in capsys.readouterr().err
    assert not (tmp_path / "out" / "candidates").exists()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("1\n".encode("utf-16"), "keep.txt: not UTF-8 text; save it as UTF-8"),
        ("\ufeff9\n".encode(), "keep.txt: there is no candidate 9"),  # a mark that editors write is no number
    ],
)
def test_a_list_that_another_editor_has_saved(
    written: bytes, why: str, wish: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is named, in one line."""
    assert main([*wish, "--keep", "9"]) == 2
    (tmp_path / "out" / "keep.txt").write_bytes(written)
    capsys.readouterr()
    assert main(wish) == 2
    said = capsys.readouterr().err
    assert why in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("", "empty"),
        ("| words |\n|---|\n| a fox |", "no line names the columns text"),
        ("| text |\n|---|\n| a fox |\n| a  fox |", "caption 2: as another one"),
        (f"| text |\n|---|\n| {'fox ' * 80} |", "caption 1: it has"),
    ],
)
def test_a_bad_table(
    table: str, why: str, wish: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line says which row is wrong, and the folder is not begun."""
    (tmp_path / "t.md").write_text(table)
    assert main(wish) == 2
    assert why in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_with_other_files_is_refused(
    wish: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither somebody's files nor another invention are mixed with this one."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert main(wish) == 2
    (tmp_path / "out" / "mine.txt").unlink()
    assert main(wish) == 0
    assert "holds something else" in capsys.readouterr().err


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory, tiny_folder: Path, cache_dir: Path) -> list[str]:
    """The command of an invention that has been drawn already."""
    folder = tmp_path_factory.mktemp("begun")
    (folder / "t.txt").write_text("a red fox\n")
    flags = {"out": folder / "out", "base": tiny_folder, "cache_dir": cache_dir, "n": 2, "steps": 2}
    command = ["invent", str(folder / "t.txt"), *(f"--{k}={v}" for k, v in flags.items())]
    assert main(command) == 0
    return command


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--seed=5"], "begun otherwise: --seed was 0 and is 5;"),
        (["--cfg=7"], "begun otherwise: --cfg was 5.0 and is 7.0;"),
        (["--steps=3"], "begun otherwise: --steps was 2 and is 3;"),
        (["--n=3", "--keyword=zorvex"], "begun otherwise: other captions, --n was 2 and is 3;"),
    ],
)
def test_another_invention_is_told_what_differs(
    flags: list[str], why: str, begun: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exactly what differs is named, so that it can be set back."""
    assert main([*begun, *flags]) == 2
    assert why in capsys.readouterr().err


def test_a_damaged_plan_is_named(wish: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It does not say what the drawings are of, so nothing is mixed with them."""
    assert main(wish) == 0
    (tmp_path / "out" / "invention.json").write_text("{")
    assert main(wish) == 2
    assert "invention.json: damaged" in capsys.readouterr().err
