"""Zips of pictures: captions as an imagefolder has them, and nothing unsafe gets through."""

from __future__ import annotations

import io
import json
import stat
import struct
import time
import zipfile

import pytest

from lora.data import zip_folder
from lora.data.zip_folder import ZipError, ZipFolder


def packed(files: dict[str, bytes | str], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as zip:
        for name, content in files.items():
            zip.writestr(name, content)
    return out.getvalue()


def captions(data: bytes) -> dict[str, str | None]:
    return {picture.name: picture.caption for picture in ZipFolder(data).pictures()}


def refused(data: bytes) -> str:
    with pytest.raises(ZipError) as error:
        ZipFolder(data).pictures()
    return error.value.code


def test_captions_from_a_table_or_from_text_files() -> None:
    """In subfolders, too, however names are spelled; what systems put in is none of it."""
    lines = [{"file_name": "A.png", "text": "a fox"}, {"file_name": "in\\b.PNG", "text": ["a cat", "a tom"]}]
    table = "\n".join(map(json.dumps, lines))
    assert captions(
        packed(
            {
                "set/metadata.jsonl": table,
                "set/a.png": b"1",
                "set/in/b.png": b"2",
                "set/c.webp": b"3",
                "set/c.txt": "a dog\n with a hat ",
                "__MACOSX/set/._a.png": b"x",
                "set/.DS_Store": b"x",
                "notes.md": "x",
            }
        )
    ) == {"a.png": "a fox", "b.png": "a cat", "c.webp": "a dog with a hat"}
    csv = "image;Caption\né.jpg;a hen\nlost.jpg;a ghost\n"
    assert captions(packed({"list.csv": csv, "e\u0301.jpg": b"1"})) == {"e\u0301.jpg": "a hen"}


def test_a_table_above_its_pictures() -> None:
    """Its names are found one folder further in, unless two pictures have the name."""
    table = "file_name,text\na.png,a fox\nb.png,a hen\n"
    inside: dict[str, bytes | str] = {
        "set/metadata.csv": table,
        "set/pics/a.png": b"1",
        "set/pics/b.png": b"2",
        "set/old/b.png": b"3",
    }
    assert [picture.caption for picture in ZipFolder(packed(inside)).pictures()] == ["a fox", None, None]
    assert captions(packed({"metadata.csv": table, "x/a.png": b"1"})) == {"a.png": "a fox"}


def test_lines_that_cannot_be_used_are_counted() -> None:
    """The pictures come all the same."""
    folder = ZipFolder(
        packed({"metadata.jsonl": 'no json\n{"text": "x"}\n{"file_name": "a.png"}', "a.png": b"1"})
    )
    assert [(picture.name, picture.caption) for picture in folder.pictures()] == [("a.png", None)]
    assert folder.faults == 3


@pytest.mark.parametrize("encoding", ["cp1251", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.csv", "file_name,text\na.png,лиса\n"),
        ("metadata.jsonl", '{"file_name": "a.png", "text": "лиса"}\n'),
    ],
)
def test_a_table_in_another_encoding_is_named(encoding: str, name: str, text: str) -> None:
    """As a whole; no line of it is counted. With its mark, UTF-16 is read."""
    folder = ZipFolder(packed({name: text.encode(encoding), "a.png": b"1"}))
    assert [picture.caption for picture in folder.pictures()] == [None]
    assert (folder.unread_tables, folder.faults) == ([name], 0)
    assert captions(packed({name: text.encode("utf-16"), "a.png": b"1"})) == {"a.png": "лиса"}


def test_captions_that_cannot_be_read_are_counted() -> None:
    """UTF-8, and UTF-16 with a mark, are read; without it, or in another encoding, a caption is no rubbish."""
    texts = {
        "a": "лиса".encode(),
        "b": "лиса".encode("utf-8-sig"),
        "c": "лиса".encode("utf-16"),
        "d": b"\xfe\xff" + "лиса".encode("utf-16-be"),
        "e": "лиса".encode("utf-16-le"),
        "f": "a fox".encode("utf-16-le"),
        "g": "a fox".encode("utf-16-be"),
        "h": "лиса".encode("cp1251"),
        "i": "лиса".encode("cp1251"),
    }
    files: dict[str, bytes | str] = {f"{name}.png": b"1" for name in texts}
    files |= {f"{name}.txt": text for name, text in texts.items()}
    files |= {"README.txt": b"\xff", "metadata.csv": "file_name,text\ni.png,a hen\n"}
    folder = ZipFolder(packed(files))
    assert [picture.caption for picture in folder.pictures()] == ["лиса"] * 4 + [None] * 4 + ["a hen"]
    assert folder.unread == 4


@pytest.mark.parametrize("name", ["../a.png", "x/../../a.png", "/a.png", "\\a.png", "C:\\a.png", "..\\a.png"])
def test_names_that_lead_out_of_the_folder_are_refused(name: str) -> None:
    """Whatever the pictures are called otherwise."""
    assert refused(packed({"b.png": b"1", name: b"2"})) == "path"


def test_links_and_other_special_files_are_refused() -> None:
    """A link is refused before anything is read."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as zip:
        info = zipfile.ZipInfo("a.png")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        zip.writestr(info, "/etc/passwd")
    assert refused(out.getvalue()) == "link"


def test_zip_bombs_are_refused_by_their_declared_size() -> None:
    """In all over 100 MB, or one entry that is over what a picture may be."""
    assert refused(packed({f"{n}.png": bytes(15 << 20) for n in range(7)})) == "too-large"
    folder = ZipFolder(packed({"a.png": bytes(21 << 20)}))
    with pytest.raises(ZipError) as error:
        folder.read(folder.pictures()[0].entry)
    assert error.value.code == "too-large"


def test_long_tables_and_captions_take_no_time() -> None:
    """A few kB of a zip can hold millions of lines, and a caption of a million words: the bot has to read all."""
    line = '{"file_name": "a", "text": "b"}\n'
    pictures = {f"in/{n}.png": b"1" for n in range(199)}
    many = packed({"metadata.jsonl": line * 30_000, **pictures})
    began = time.process_time()
    folder = ZipFolder(many)
    assert len(folder.pictures()) == 199
    assert len(folder.missing) == 30_000
    assert time.process_time() - began < 10  # 45 s where each line is compared with each picture
    halves = {f"{n}/metadata.jsonl": line * 20_000 for n in range(2)}
    assert refused(packed({"a.png": b"1", **halves})) == "text"
    assert refused(packed({"a.png": b"1", "a.txt": "x" * 600_000, "b.caption": "x" * 600_000})) == "text"
    long = json.dumps({"file_name": "b.png", "text": "a  fox " * 50_000})
    found = captions(packed({"a.png": b"1", "a.txt": "no " * 200_000, "b.png": b"1", "metadata.jsonl": long}))
    assert found == {"a.png": ("no " * 2000)[:4096], "b.png": ("a fox " * 2000)[:4096]}


def test_a_zip_with_false_sizes_is_refused_as_damaged() -> None:
    """No more is unpacked than was declared, and then it is called damaged."""
    data = bytearray(packed({"a.png": bytes(15 << 20)}))
    for mark, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        struct.pack_into("<I", data, data.rfind(mark) + place, 1000)
    folder = ZipFolder(bytes(data))
    with pytest.raises(ZipError) as error:
        folder.read(folder.pictures()[0].entry)
    assert error.value.code == "damaged"


def test_too_many_entries_are_refused() -> None:
    """Also where the directory says another number, and before its list is read."""
    many = packed({f"{n}.png": b"1" for n in range(zip_folder.MAX_ENTRIES + 1)}, zipfile.ZIP_STORED)
    assert refused(many) == "entries"
    lying = bytearray(many)
    struct.pack_into("<HH", lying, lying.rfind(b"PK\x05\x06") + 8, 1, 1)
    assert refused(bytes(lying)) == "entries"
    endless = bytearray(packed({"a.png": b"1"}))
    struct.pack_into("<I", endless, endless.rfind(b"PK\x05\x06") + 12, 10_000_000)
    assert refused(bytes(endless)) == "entries"
    assert len(captions(packed({f"{n}.png": b"1" for n in range(zip_folder.MAX_ENTRIES)}))) == 200


def test_encrypted_entries_are_refused() -> None:
    """By the flag of any entry."""
    data = bytearray(packed({"a.png": b"1"}))
    for mark, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        struct.pack_into("<H", data, data.rfind(mark) + place, 1)
    assert refused(bytes(data)) == "encrypted"


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_stored_and_deflated_entries_are_read(compression: int) -> None:
    """Only stored and deflated entries are read."""
    assert refused(packed({"a.png": b"1" * 1000}, compression)) == "damaged"


def test_files_that_are_no_zip_are_refused() -> None:
    """Empty, text, cut off, without pictures; no error escapes for any cut or flipped byte."""
    assert refused(b"") == refused(b"PK\x03\x04 no zip") == "damaged"
    assert refused(packed({"a.txt": "a fox"})) == "no-pictures"
    whole = packed({"metadata.jsonl": '{"file_name": "a.png", "text": "a fox"}', "a.png": bytes(range(256))})
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        for data in (whole[:place], bytes(broken)):
            try:
                folder = ZipFolder(data)
                for picture in folder.pictures():
                    folder.read(picture.entry)
            except ZipError:
                pass
