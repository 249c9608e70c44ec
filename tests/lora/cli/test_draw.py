"""python -m lora draw: a folder of numbered pictures, the same ones each time; a sweep with its sheet."""

from pathlib import Path

import pytest
from PIL import Image

from lora.__main__ import main
from tests.lora.cli.drawing import draw, pixels


def test_drawing_fills_a_folder(
    trained_run: Path, tiny_folder: Path, cache_dir: Path, tmp_path: Path
) -> None:
    """A PNG for each prompt, numbered; the same command draws the same bytes; picture i has seed + i."""
    adapter = ["--adapter", str(trained_run / "pytorch_lora_weights.safetensors")]
    assert draw(tiny_folder, cache_dir, tmp_path / "a", *adapter, "--cfg", "5", "--seed", "7") == 0
    assert draw(tiny_folder, cache_dir, tmp_path / "b", *adapter, "--cfg", "5", "--seed", "7") == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["000.png", "001.png"]
    assert all((tmp_path / "a" / n).read_bytes() == (tmp_path / "b" / n).read_bytes() for n in names)
    with Image.open(tmp_path / "a" / "000.png") as image:
        assert (image.size, image.mode) == ((64, 64), "RGB")
    (tmp_path / "one.txt").write_text("кот в очках", encoding="utf-8")
    flags = ["--prompts", str(tmp_path / "one.txt"), "--seed", "8", "--out", str(tmp_path / "c")]
    assert draw(tiny_folder, cache_dir, tmp_path / "d", *adapter, *flags) == 0
    pairs = zip(pixels(tmp_path / "c/000.png"), pixels(tmp_path / "a/001.png"), strict=True)
    assert max(abs(one - other) for one, other in pairs) <= 1


def test_drawing_a_sweep(tiny_folder: Path, cache_dir: Path, tmp_path: Path) -> None:
    """Each prompt's pictures with each CFG, as they are drawn one by one, and a sheet of them."""
    assert draw(tiny_folder, cache_dir, tmp_path / "a", "--cfg", "3,5,8", "--seed", "7~2", "--n", "2") == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == [*(f"{number:03d}.png" for number in range(12)), "sheet.png"]
    (tmp_path / "one.txt").write_text("a cat", encoding="utf-8")
    flags = [
        "--prompts",
        str(tmp_path / "one.txt"),
        "--seed",
        "7~3",
        "--cfg",
        "8",
        "--out",
        str(tmp_path / "b"),
    ]
    assert draw(tiny_folder, cache_dir, tmp_path / "c", *flags) == 0
    pairs = zip(pixels(tmp_path / "b/000.png"), pixels(tmp_path / "a/005.png"), strict=True)
    assert max(abs(one - other) for one, other in pairs) <= 1


@pytest.mark.parametrize(
    ("flags", "most"),
    [
        (["--seed", str(2**63 - 1), "--n", "2"], 2**63 - 4),  # of two prompts
        (["--seed", f"7~{2**63 - 1}"], 2**63 - 2),
        (["--seed", str(2**63 - 4), "--n", "2", "--cfg", "3,5"], None),
        (["--seed", str(2**63 - 2)], None),
    ],
)
def test_each_seed_can_be_asked_for_again(
    flags: list[str], most: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in the chat: the last picture's seed is one, else the command is refused before a base is loaded."""
    (tmp_path / "two.txt").write_text("a cat\na dog", encoding="utf-8")
    base = ["--base", str(tmp_path / "none"), "--out", str(tmp_path / "a")]
    assert main(["draw", "--prompts", str(tmp_path / "two.txt"), *base, *flags]) == 2
    said = capsys.readouterr().err
    assert (f"with so many pictures, {most} is the largest one" in said) == (most is not None)
    assert ("largest one" in said) == (most is not None)


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("--cfg", "0"),
        ("--cfg", "1_0"),
        ("--n", "1_0"),
        ("--seed", "1~x"),
        ("--strength", "1.6"),
        ("--outline", "plaid"),
        ("--cutout", "x"),
    ],
)
def test_drawing_refuses_what_is_no_option(flag: str, value: str, tmp_path: Path) -> None:
    """With exit code 2, before a base is loaded."""
    (tmp_path / "one.txt").write_text("a cat", encoding="utf-8")
    with pytest.raises(SystemExit) as ended:
        main(["draw", "--prompts", str(tmp_path / "one.txt"), "--out", str(tmp_path / "a"), flag, value])
    assert ended.value.code == 2
