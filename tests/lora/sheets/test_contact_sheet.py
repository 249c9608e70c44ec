"""Contact sheets: every script is legible, what is left out is told, and each picture is in its place."""

import io

import pytest
from PIL import Image, ImageColor, ImageDraw

from lora import fonts
from lora.sheets import numbered_sheet
from lora.sheets.contact_sheet import Line, _grid, contact_sheet
from lora.sheets.paint import CHOSEN_PAPER, PAPER

SCRIPTS = {
    "Latin": "café — naïve",
    "Cyrillic": "рыжая лиса",
    "Greek": "αλεπού",
    "Chinese": "一只狐狸",
    "Japanese": "きつね",
    "Korean": "여우",
    "Arabic": "ثعلب",
    "Hebrew": "שועל",
    "Devanagari": "लोमड़ी",
    "Thai": "หมาจิ้งจอก",
    "emoji": "🦊☕👍🏽",
}


def written(text: str) -> bytes:
    """What a line of text looks like."""
    image = Image.new("L", (600, 60))
    fonts.write(ImageDraw.Draw(image), (8, 8), text, 24, 255)  # type: ignore[arg-type]
    assert image.getbbox()
    return image.tobytes()


def opened(png: bytes) -> Image.Image:
    with Image.open(io.BytesIO(png)) as image:
        return image.convert("RGB")


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_has_its_letters(script: str) -> None:
    """No two letters are drawn alike, so none is drawn as a box or as a code point."""
    text = SCRIPTS[script]
    assert "[U+" not in "".join(part for part, _ in fonts._runs(text))
    letters = {letter for letter in text if not letter.isspace() and not fonts._is_mark(letter)}
    assert len({written(letter) for letter in letters}) == len(letters)


def test_a_letter_of_no_font_is_its_code_point() -> None:
    """Two unknown letters are two numbers, not two equal boxes."""
    assert written("\ue000") == written("[U+E000]")
    assert written("\ue000") != written("\ue001")


def test_cut_heads_end_with_an_ellipsis() -> None:
    """A head of more lines than there is room for says so; one that fits is whole."""
    words = "a very old sailor with a long white beard who mends his nets on a quay at dawn"
    lines = fonts.wrapped(words, 15, 120, 3)
    assert len(lines) == 3
    assert lines[-1].endswith("…")
    assert all(fonts.width(line, 15) <= 120 for line in lines)
    assert " ".join(fonts.wrapped(words, 15, 120)) == words
    assert fonts.wrapped("a cat", 15, 120, 3) == ["a cat"]


@pytest.mark.parametrize(
    "text", ["一只喝咖啡的狐狸在森林里看书", "Donaudampfschifffahrtsgesellschaft", "👍🏽👩‍🚀" * 6]
)
def test_a_sentence_without_spaces_goes_on(text: str) -> None:
    """It is broken between letters, never inside of one that has several code points, and nothing is lost."""
    lines = fonts.wrapped(text, 15, 100)
    assert len(lines) > 1
    assert "".join(lines) == text
    assert all(fonts.width(line, 15) <= 100 for line in lines)
    assert not any(line.startswith(("🏽", "\u200d", "🚀")) for line in lines)


def test_long_and_foreign_heads_are_on_the_sheet() -> None:
    """Heads that differ only past the third line look alike; those in other letters do not."""
    picture = Image.new("RGB", (64, 64), "red")

    def sheet(head: str) -> bytes:
        return opened(contact_sheet("", [head], [Line(name="", pictures=(picture,))])).tobytes()

    long = "a fox " * 40
    assert sheet(long) == sheet(f"{long} and a cat")
    assert sheet("лиса") != sheet("кошка")
    assert sheet("狐") != sheet("猫")


def test_each_picture_is_in_its_row_and_column() -> None:
    """Left to right and top to bottom, and only the chosen row is marked."""
    colours = [["red", "green"], ["blue", "white"], ["black", "grey"]]
    lines = [
        Line(name=str(n), pictures=tuple(Image.new("RGB", (80, 80), c) for c in row), chosen=n == 1)
        for n, row in enumerate(colours)
    ]
    heads = ["a fox with a very long head over it", "猫"]
    sheet = opened(contact_sheet("title", heads, lines, width=800))
    grid = _grid(heads, 800)
    middle = grid.cell // 2
    shown = [
        [sheet.getpixel((grid.left(column) + middle, grid.top(row) + middle)) for column in range(2)]
        for row in range(3)
    ]
    assert shown == [[ImageColor.getrgb(colour) for colour in row] for row in colours]
    edges = [sheet.getpixel((16, grid.top(row) + middle)) for row in range(3)]
    assert edges == [PAPER, CHOSEN_PAPER, PAPER]


def test_captions_of_candidates_in_any_letters() -> None:
    """The sheets to choose from show captions in their own letters, too."""
    picture = Image.new("RGB", (64, 64), "red")
    one, other = (
        numbered_sheet.sheets([numbered_sheet.NumberedRow(caption=caption, pictures=[(1, picture)])])[
            0
        ].tobytes()
        for caption in ("рыжая лиса", "рыжая рыба")
    )
    assert one != other
