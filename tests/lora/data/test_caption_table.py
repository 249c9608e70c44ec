"""Tables as people and language models paste them are read; garbage is refused with a reason."""

from __future__ import annotations

import pytest

from lora.data.caption_table import MAX_ROWS, TableError, read

COLUMNS = {"file_name": ("file_name", "file"), "text": ("text", "caption")}
FOX = {"file_name": "a.png", "text": "a red fox"}


@pytest.mark.parametrize(
    "text",
    [
        "| file_name | text |\n| --- | --- |\n| a.png | a red fox |",
        "Sure! Here it is:\n\n```markdown\n| File | Caption |\n|:--|--:|\n| `a.png` | a red fox |\n```\nEnjoy!",
        "| n | text | file_name |\n|-|-|-|\n| 1 | a red fox | **a.png** |\n| 2 | | |",
        "file_name,text\na.png,a red fox\n",
        '\ufefffile_name;text\r\n"a.png";"a red fox"\r\n',
        "file\tcaption\na.png\ta red fox",
        "Here you are\nfile_name,text\na.png,a red fox",
    ],
)
def test_markdown_and_csv_tables_are_read(text: str) -> None:
    """Markdown with fences, prose and other columns; CSV with commas or semicolons; TSV."""
    assert read(text, COLUMNS) == [FOX]


def test_marks_inside_cells() -> None:
    """A quoted comma and an escaped pipe are text."""
    assert read('file,text\na.png,"a fox, red"', COLUMNS)[0]["text"] == "a fox, red"
    assert read("|file|text|\n|-|-|\n|a.png|a \\| b|", COLUMNS)[0]["text"] == "a | b"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        ("```\n```", "empty"),
        ("I cannot see the pictures.", "no line names the columns"),
        ("file,words\na.png,x", "no line names the columns file_name, text"),
        ("| file | text |\n|---|---|", "no rows"),
        ("| file | text |\n|---|---|\n| a.png |", "row 2 of the table has 1 cells"),
        ("\x00\x01,\x02", "no line names"),
        ("file,text\n" + "a.png,x\n" * (MAX_ROWS + 1), "are the most"),
        ("x" * 1_000_001, "characters"),
        ('file,text\na.png,"' + "x" * 200_000 + '"', "cannot be read"),
    ],
)
def test_a_table_of_garbage_is_one_error(text: str, why: str) -> None:
    """One error of one kind, which says what is wrong."""
    with pytest.raises(TableError, match=why):
        read(text, COLUMNS)
