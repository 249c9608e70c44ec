"""Folders as people have them: names and tables of other systems, captions of other trainers."""

from __future__ import annotations

import io
import json
import os
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image

from lora.checks import folder as judged
from lora.data import imagefolder, metadata
from lora.data.dataset import DatasetError, read_folder
from lora.jobs import Finding

NAMES = ("größe.png", "café.png", "ёжик.png", "ねこが.png", "naïve.png", "fox.png")


def pictures(folder: Path, *names: str) -> Path:
    buffer = io.BytesIO()
    Image.new("RGBA", (80, 80), "red").save(buffer, "PNG")
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(buffer.getvalue())
    return folder


def table(folder: Path, *names: str, encoding: str = "utf-8", form: str = "metadata.jsonl") -> Path:
    lines = [
        json.dumps({"file_name": name, "text": f"a {n}"}, ensure_ascii=False) for n, name in enumerate(names)
    ]
    (folder / form).write_text("\n".join(lines) + "\n", encoding=encoding)
    return folder


Form = Literal["NFC", "NFD"]


def captions(folder: Path) -> list[str]:
    return [sample.caption for sample in read_folder(folder)]


def findings(folder: Path) -> tuple[Finding, ...]:
    return judged.read(folder, image_column="image", caption_column="text").findings


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_table", ["NFC", "NFD"])
def test_names_in_either_unicode_form(tmp_path: Path, on_disk: Form, in_table: Form) -> None:
    """macOS and zip write accents as signs of their own; folders have names as well."""
    names = [*NAMES, "süß/ä.png"]
    pictures(tmp_path, *(unicodedata.normalize(on_disk, name) for name in names))
    table(tmp_path, *(unicodedata.normalize(in_table, name) for name in names))
    assert captions(tmp_path) == [f"a {n}" for n in range(7)]
    assert findings(tmp_path) == ()
    assert len(metadata.read(tmp_path)) == 7  # none is taken for another picture


@pytest.mark.parametrize("name", ["img/0.PNG", "img\\0.png", "img/0.png ", "IMG/0.Png"])
def test_names_of_other_systems(tmp_path: Path, name: str) -> None:
    """Another case, backslashes, and a blank at the end of a cell."""
    assert captions(table(pictures(tmp_path, "img/0.png"), name)) == ["a 0"]


def test_a_name_that_could_mean_two_files_is_refused(tmp_path: Path) -> None:
    """The one of that very name comes first, else none."""
    pictures(tmp_path, "a.png", "A.png")
    assert captions(table(tmp_path, "a.png", "A.png")) == ["a 0", "a 1"]
    with pytest.raises(DatasetError, match=r"there is no file 'a\.PNG'"):
        read_folder(table(tmp_path, "a.PNG"))


@pytest.mark.parametrize("name", ["..\\a.png", "x\\..\\..\\a.png", "\\a.png"])
def test_backslashes_do_not_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    """They are slashes only where that stays in the folder."""
    pictures(tmp_path, "a.png")
    with pytest.raises(DatasetError, match="there is no file"):
        read_folder(table(pictures(tmp_path / "inner", "b.png"), name))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("form", ["metadata.jsonl", "metadata.csv"])
def test_tables_with_a_mark_of_their_encoding(tmp_path: Path, encoding: str, form: str) -> None:
    """Notepad and Excel write one; without it UTF-16 is refused with what to do."""
    pictures(tmp_path, "größe.png")
    text = {
        "metadata.jsonl": '{"file_name": "größe.png", "text": "ä"}\n',
        "metadata.csv": "file_name,text\ngröße.png,ä\n",
    }
    (tmp_path / form).write_text(text[form], encoding=encoding)
    if encoding in ("utf-16-le", "utf-16-be"):
        with pytest.raises(DatasetError):
            read_folder(tmp_path)
        marked = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}[encoding] + (
            tmp_path / form
        ).read_bytes()
        (tmp_path / form).write_bytes(marked)
    assert captions(tmp_path) == ["ä"]


@pytest.mark.parametrize(("mark", "named"), [(",", "commas"), (";", "semicolons"), ("\t", "tabs")])
@pytest.mark.parametrize("first", ["", "sep={}\r\n"])
def test_the_first_line_says_what_separates(tmp_path: Path, mark: str, named: str, first: str) -> None:
    """European Excel writes semicolons; the other marks are then text, and the fault names the right one."""
    pictures(tmp_path, "0.png", "1.png")
    text = "a red, white; and\tblue fox".replace(mark, " ")
    lines = ["file_name{}text", f"0.png{{}}{text}", '1.png{}"two {} halves"', f"1.png{{}}{text}{{}}more"]
    written = first.format(mark) + "\r\n".join(line.replace("{}", mark) for line in lines)
    (tmp_path / "metadata.csv").write_text(written, newline="")
    found = judged.read(tmp_path, image_column="image", caption_column="text")
    assert [sample.caption for sample in found.samples] == [text, f"two {mark} halves"]
    (fault,) = found.findings
    assert fault.fault == f"3 cells, but 2 columns; put a text that has {named} into double quotes"
    assert found.names[2] == f"metadata.csv, line {5 if first else 4}"


def test_pictures_that_no_line_names(tmp_path: Path) -> None:
    """They are named as advice, in the folders that the table leads to, hidden files aside."""
    pictures(tmp_path, *(f"{n}.png" for n in range(8)), "in/a.png", "in/b.PNG", "elsewhere/c.png", "._0.png")
    table(tmp_path, *(f"{n}.png" for n in range(5)), "in/a.png")
    found = judged.read(tmp_path, image_column="image", caption_column="text")
    assert found.findings == (Finding(code="unlisted", severity="advice", samples=(7, 8, 9, 10)),)
    assert [found.names[n - 1] for n in found.findings[0].samples] == ["5.png", "6.png", "7.png", "in/b.PNG"]
    assert len(found.samples) == 6
    table(tmp_path, *(f"{n}.png" for n in range(8)), "in/a.png", "in/b.PNG")
    assert findings(tmp_path) == ()


@pytest.mark.parametrize("suffix", [".txt", ".caption", ".TXT"])
def test_captions_beside_the_pictures(tmp_path: Path, suffix: str) -> None:
    """kohya's way: read where there is no table, by name, with a picture that has none named as advice."""
    pictures(tmp_path, "b.png", "a.PNG", "größe.png", "none.png")
    (tmp_path / f"b{suffix}").write_text("zorvex,\n a fox\n", encoding="utf-8-sig")
    (tmp_path / f"a{suffix}").write_text("zorvex, a cat", encoding="utf-16")
    (tmp_path / f"{unicodedata.normalize('NFD', 'größe')}{suffix}").write_text("zorvex, a lamp")
    (tmp_path / "README.txt").write_text("not a caption")
    assert captions(tmp_path) == ["zorvex, a cat", "zorvex, a fox", "zorvex, a lamp"]
    found = judged.read(tmp_path, image_column="image", caption_column="text")
    assert [found.names[n - 1] for f in found.findings for n in f.samples] == ["none.png"]
    assert {row.file_name: row.caption for row in metadata.read(tmp_path)} == {
        "a.PNG": "zorvex, a cat",
        "b.png": "zorvex, a fox",
        "größe.png": "zorvex, a lamp",
        "none.png": "",
    }
    assert captions(table(tmp_path, "none.png")) == ["a 0"]  # a table comes first


@pytest.mark.parametrize("text", [b"", b" \n", b"\xff\xfe\x00", b"caf\xe9", "кот".encode("utf-16-le")])
def test_caption_files_without_a_caption_are_faults(tmp_path: Path, text: bytes) -> None:
    """Named with their picture."""
    pictures(tmp_path, "a.png")
    (tmp_path / "a.txt").write_bytes(text)
    with pytest.raises(DatasetError, match=r"a\.txt: (a\.txt has no caption in it|not UTF-8)"):
        read_folder(tmp_path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_a_caption_that_is_no_file(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """It is named. To read a pipe would wait for ever."""
    pictures(tmp_path, "a.png")
    make(tmp_path / "a.txt")
    with pytest.raises(DatasetError, match=r"a\.txt: it is no file"):
        read_folder(tmp_path)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            ["10_zorvex sticker/0.png", "10_zorvex sticker/0.txt"],
            r"'10_zorvex sticker' has 1 picture.* name it",
        ),
        (["0.png", "metadata.json"], r"metadata\.json is there; it has to be called metadata\.jsonl"),
        (["0.png"], r"a\.txt for a\.png"),
    ],
)
def test_a_folder_without_captions_says_what_to_do(tmp_path: Path, made: Sequence[str], said: str) -> None:
    """And names what could have been meant."""
    pictures(tmp_path, *made)
    with pytest.raises(DatasetError, match=said):
        read_folder(tmp_path)


def test_a_json_array_says_what_to_do(tmp_path: Path) -> None:
    """One sentence, not a fault for each of its lines."""
    pictures(tmp_path, "0.png")
    (tmp_path / "metadata.jsonl").write_text(json.dumps([{"file_name": "0.png", "text": "x"}], indent=1))
    with pytest.raises(DatasetError, match="one JSON array; write each object on a line of its own"):
        read_folder(tmp_path)
    assert len(findings(tmp_path)) == 1


def test_captions_in_the_train_folder(tmp_path: Path) -> None:
    """Either kind of captions is found there."""
    pictures(tmp_path, "train/a.png")
    (tmp_path / "train" / "a.txt").write_text("a fox")
    assert imagefolder.split(tmp_path) == tmp_path / "train"
    assert captions(tmp_path) == ["a fox"]


def test_a_table_one_folder_above_its_pictures(tmp_path: Path) -> None:
    """It is used where its folder is named, unless two pictures have the name. The pictures' folder is told of it."""
    table(pictures(tmp_path, "images/a.png"), "a.png")
    (tmp_path / "more").mkdir()
    assert captions(tmp_path) == ["a 0"]
    assert imagefolder.unlisted(tmp_path, ["a.png"]) == []
    with pytest.raises(DatasetError, match=r"metadata\.jsonl names pictures of this folder"):
        read_folder(tmp_path / "images")
    pictures(tmp_path, "more/a.png")
    with pytest.raises(DatasetError, match=r"there are 'images/a\.png', 'more/a\.png'; write which"):
        read_folder(tmp_path)
