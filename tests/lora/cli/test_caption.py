"""Captions are drafted or taken from a table; what was there before is never lost."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from transformers import BlipConfig, BlipForConditionalGeneration, CLIPTokenizer

from lora.__main__ import main
from lora.data.captions import bpe
from tests.lora.conftest import disc


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pictures, one with a caption and a column of its own."""
    folder = tmp_path / "set"
    folder.mkdir()
    for number, name in enumerate(("1-🦊.png", "b.png", "c.png")):
        (folder / name).write_bytes(disc(number))
    row = {"file_name": "b.png", "text": "zorvex a ball", "artist": "me"}
    (folder / "metadata.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    return folder


def table(folder: Path) -> dict[str, dict[str, str]]:
    lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["file_name"]: row for row in map(json.loads, lines)}


def test_files_named_by_emoji_get_their_names(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file named by an emoji gets its name, the keyword in front; others are named as still without."""
    assert main(["caption", str(folder), "--emoji", "--keyword", "zorvex"]) == 0
    assert table(folder)["1-🦊.png"]["text"] == "zorvex fox"
    assert table(folder)["b.png"] == {"file_name": "b.png", "text": "zorvex a ball", "artist": "me"}
    assert "without a caption, and so left out: c.png" in capsys.readouterr().out


def test_the_prompt_and_its_answer(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The prompt names the files that want captions and a table; an answer in that form fills them in."""
    assert main(["caption", str(folder), "--llm_prompt", "--keyword", "zorvex"]) == 0
    prompt = capsys.readouterr().out
    assert "- 1-🦊.png\n- c.png\n" in prompt
    assert "| file_name | text |" in prompt
    assert "b.png" not in prompt
    assert "for the word zorvex will stand for it, nor the background." in prompt
    answer = tmp_path / "answer.md"
    answer.write_text(
        "| file_name | text |\n|---|---|\n| 1-🦊.png | a fox |\n| c.png | a zorvex blue ball |\n",
        encoding="utf-8",
    )
    assert main(["caption", str(folder), "--from_table", str(answer), "--keyword", "zorvex"]) == 0
    assert {name: row["text"] for name, row in table(folder).items()} == {
        "b.png": "zorvex a ball",
        "1-🦊.png": "zorvex a fox",
        "c.png": "a zorvex blue ball",
    }


def test_the_old_table_is_kept(folder: Path, tmp_path: Path) -> None:
    """Every table that was replaced stays beside the new one, byte for byte."""
    olds = []
    for words in ("one ball", "two balls"):
        olds.append((folder / "metadata.jsonl").read_bytes())
        (tmp_path / "t.csv").write_text(f"file,text\nc.png,{words}\n")
        assert main(["caption", str(folder), "--from_table", str(tmp_path / "t.csv")]) == 0
    assert [(folder / f"metadata.jsonl.{n}.bak").read_bytes() for n in (1, 2)] == olds
    assert table(folder)["c.png"]["text"] == "two balls"


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ("nobody.png,a fox", "'nobody.png' is not in"),
        ("c.png,a fox\nc.png,a dog", "'c.png' is there twice"),
        (f"c.png,{'fox ' * 80}", "80 tokens; 68 fit"),
        ("c.png,", "no captions came of that"),
    ],
)
def test_a_bad_table_changes_nothing(
    rows: str, why: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All or nothing: a mistake in one row is named, and no other row is taken."""
    before = sorted((path.name, path.read_bytes()) for path in folder.iterdir())
    (tmp_path / "t.csv").write_text(
        f"file,text\nb.png,another\n{rows}\n" if "fox" in rows else f"file,text\n{rows}\n"
    )
    assert main(["caption", str(folder), "--from_table", str(tmp_path / "t.csv")]) == 2
    assert why in capsys.readouterr().err
    assert sorted((path.name, path.read_bytes()) for path in folder.iterdir()) == before


def test_blip_captions_what_has_no_caption(folder: Path, tmp_path: Path) -> None:
    """A local BLIP captions what has no caption yet; a random one says something, and the same each time."""
    config = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    vocab, merges = bpe()
    ids = {"bos_token_id": 49406, "sep_token_id": 49407, "eos_token_id": 49407, "pad_token_id": 49407}
    text = {
        **config,
        "vocab_size": len(vocab),
        "encoder_hidden_size": 32,
        "max_position_embeddings": 64,
        **ids,
    }
    vision = {**config, "image_size": 32, "patch_size": 8}
    model = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision))
    model.save_pretrained(tmp_path / "blip")
    CLIPTokenizer(vocab=vocab, merges=merges).save_pretrained(tmp_path / "blip")
    command = ["caption", str(folder), "--blip", str(tmp_path / "blip"), "--keyword", "zorvex"]
    assert main(command) == 0
    said = table(folder)
    assert main(command) == 2  # all have captions by now
    assert table(folder) == said
    assert said["c.png"]["text"].startswith("zorvex ")
    assert len(said["c.png"]["text"]) > len("zorvex ")
    assert said["b.png"]["text"] == "zorvex a ball"


def test_nothing_is_written_beside_a_metadata_csv(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A metadata.jsonl beside it would be read in its place, so none is written."""
    (folder / "metadata.jsonl").unlink()
    (folder / "metadata.csv").write_text("file_name,text\nb.png,zorvex a ball\n")
    assert main(["caption", str(folder), "--emoji"]) == 2
    assert "metadata.csv: only metadata.jsonl is written to" in capsys.readouterr().err
    assert not (folder / "metadata.jsonl").exists()


def test_a_folder_that_is_no_blip(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line says what is missing; nothing is written."""
    assert main(["caption", str(folder), "--blip", str(tmp_path)]) == 2
    assert "no config.json" in capsys.readouterr().err
    assert len(table(folder)) == 1


@pytest.mark.parametrize("case", ["table", "answer"])
def test_text_that_is_not_utf8(
    case: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file is named, with what to do; no traceback, and nothing is written."""
    bad = {"table": folder / "metadata.jsonl", "answer": tmp_path / "answer.csv"}[case]
    bad.write_bytes('{"file_name": "b.png", "text": "Größe"}'.encode("latin-1"))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    command = ["--emoji"] if case == "table" else ["--from_table", str(bad)]
    assert main(["caption", str(folder), *command]) == 2
    said = capsys.readouterr().err
    assert f"{bad}: not UTF-8 text; save it as UTF-8" in said
    assert said.count("\n") == 1
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_byte_order_mark_in_the_table_is_ignored(folder: Path) -> None:
    """Some editors put one there; a training reads such a table too."""
    path = folder / "metadata.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert main(["caption", str(folder), "--emoji"]) == 0
    assert table(folder)["b.png"]["artist"] == "me"


def test_other_columns_stay_as_they_are(folder: Path) -> None:
    """Half characters and lists of captions in lines that get no new caption are written as they were read."""
    row = r'{"file_name": "b.png", "text": ["a ball", "a toy"], "artist": "\ud800"}'
    (folder / "metadata.jsonl").write_text(row + "\n")
    assert main(["caption", str(folder), "--emoji"]) == 0
    assert (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines() == [
        row,
        '{"file_name": "1-🦊.png", "text": "fox"}',
    ]


@pytest.mark.parametrize("name", [r"\ud800.png", r"\u0000", None])
def test_a_line_without_a_usable_name(
    name: str | None, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is one line with its number, not a traceback from deep inside."""
    row = f'{{"file_name": "{name}"}}' if name else '{"text": "x"}'
    (folder / "metadata.jsonl").write_text(f"{row}\n")
    assert main(["caption", str(folder), "--emoji"]) == 2
    assert "metadata.jsonl, line 1: no file_name" in capsys.readouterr().err


def test_a_split_folder_is_captioned_where_it_is(folder: Path) -> None:
    """The table of ``train`` is written to, as a training would read it."""
    whole = folder.rename(folder.parent / "train").parent
    assert main(["caption", str(whole), "--emoji"]) == 0
    assert not (whole / "metadata.jsonl").exists()
    assert table(whole / "train")["1-🦊.png"]["text"] == "fox"


def test_without_a_keyword_the_style_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The words of the prompt say so, and that the background is not."""
    assert main(["caption", str(folder), "--llm_prompt"]) == 0
    assert "- Name the style, but not the background.\n" in capsys.readouterr().out


def test_a_name_that_no_table_can_hold_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A table is UTF-8; with an escape in place of the name no training would find the file."""
    picture = (folder / "b.png").read_bytes()
    (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(picture)
    assert main(["caption", str(folder), "--emoji"]) == 2
    assert (
        "'caf\\udce9.png': the name of this picture is not UTF-8; rename the file" in capsys.readouterr().err
    )
