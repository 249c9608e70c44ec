"""Folders of samples, and the flat squares that they become for training."""

import io
import json
import re
import weakref
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from lora.checks import folder as judged
from lora.checks.pictures import summarise
from lora.data.background import choose_background
from lora.data.dataset import (
    DatasetError,
    SamplePictures,
    on_flat_background,
    read_folder,
    to_tensor,
)
from lora.data.pictures import FAINTEST_ALPHA, open_rgba, visible_box
from lora.jobs import JobError, Sample
from lora.models.sticker_nano import BACKGROUNDS
from tests.sample_folder import write_folder

MAGENTA = BACKGROUNDS["magenta"]


def folder_with(tmp_path: Path, *rows: object, picture: bytes | None = None) -> Path:
    buffer = io.BytesIO()
    Image.new("RGBA", (80, 80), "red").save(buffer, "PNG")
    (tmp_path / "a.png").write_bytes(buffer.getvalue() if picture is None else picture)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path


def test_samples_come_back_as_they_were_written(tmp_path: Path, samples: tuple[Sample, ...]) -> None:
    """Pictures byte for byte, captions in any script, in their order."""
    mine = [samples[0], Sample(picture=samples[1].picture, caption='кот "в очках" 🦊')]
    write_folder(tmp_path, mine)
    assert read_folder(tmp_path) == mine


def test_other_columns_can_be_named(tmp_path: Path) -> None:
    """Columns are found as in Hugging Face's imagefolder."""
    folder = folder_with(tmp_path, {"sticker_file_name": "a.png", "caption": "a cat"}, "")
    (sample,) = read_folder(folder, image_column="sticker", caption_column="caption")
    assert sample.caption == "a cat"


@pytest.mark.parametrize("row", ["{broken", "[1]", {"text": "x"}, {"file_name": "b.png", "text": "x"}])
def test_a_check_says_what_a_training_says(tmp_path: Path, row: object) -> None:
    """Both read through one reader, so what one of them refuses the other one names in the same words."""
    folder = folder_with(tmp_path, {"file_name": "a.png", "text": "x"}, row)
    with pytest.raises(DatasetError) as failed:
        read_folder(folder)
    (finding,) = judged.read(folder, image_column="image", caption_column="text").findings
    assert str(failed.value) == f"{folder / 'metadata.jsonl'}, line 2: {finding.fault}"


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{broken", "line 1: not JSON"),
        ("[1]", "line 1: not a JSON object"),
        ({"file_name": "a.png"}, "text is missing"),
        ({"file_name": "a.png", "text": 7}, "text is missing or no text"),
        ({"file_name": "../a.png", "text": "x"}, "outside"),
        ({"file_name": "/etc/passwd", "text": "x"}, "outside"),
        ({"file_name": "b.png", "text": "x"}, "no file 'b.png'"),
        ({"file_name": "a.png", "text": "cat " * 70}, "the caption of 'a.png' has 70 tokens; 68 fit"),
    ],
)
def test_bad_rows_are_named(tmp_path: Path, row: object, said: str) -> None:
    """Whoever has to mend the folder reads which line is wrong and how."""
    with pytest.raises(DatasetError, match=said):
        read_folder(folder_with(tmp_path, row))


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ('{"file_name": "a\\u0000b.png", "text": "x"}', r"file_name holds '\\x00', which no text has"),
        ('{"file_name": "\\ud800.png", "text": "x"}', r"file_name holds '\\ud800', which no text has"),
        ('{"file_name": "a.png", "text": "a \\ud800"}', r"text holds '\\ud800', which no text has"),
        ({"file_name": "a" * 300, "text": "x"}, "cannot be read: File name too long"),
        ("[" * 100_000, "not JSON: nested too deeply"),
    ],
)
def test_hostile_rows_are_named(tmp_path: Path, row: object, said: str) -> None:
    """Whatever JSON can hold is a fault of its line, for a training and for a check, and the check goes on."""
    folder = folder_with(tmp_path, row, {"file_name": "a.png", "text": "x"})
    with pytest.raises(DatasetError, match=f"line 1: .*{said}") as failed:
        read_folder(folder)
    found = judged.read(folder, image_column="image", caption_column="text")
    for text in (str(failed.value), *found.names, found.findings[0].fault):
        assert text.encode()  # fit for a terminal
    assert found.places == (2,)


def test_a_missing_folder_and_a_missing_table_have_two_messages(tmp_path: Path) -> None:
    """And the line that is shown as an example can be pasted as it is."""
    with pytest.raises(DatasetError, match="nowhere: no such folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"metadata\.jsonl: missing") as failed:
        read_folder(tmp_path)
    example = re.findall(r"\{.*\}", str(failed.value))[0]
    (sample,) = read_folder(folder_with(tmp_path, example))
    assert sample.caption == "a cat"


def test_the_keyword_takes_room(tmp_path: Path) -> None:
    """A caption that is too long only with the keyword is named with its file, too."""
    folder = folder_with(tmp_path, {"file_name": "a.png", "text": "cat " * 68})
    assert read_folder(folder)
    with pytest.raises(DatasetError, match=r"line 1: the caption of 'a\.png' has 68 tokens; 6\d fit"):
        read_folder(folder, keyword="zorvex")


def test_a_split_folder_is_found(tmp_path: Path) -> None:
    """Hugging Face's imagefolder keeps the samples to learn from in ``train``; other splits are not theirs."""
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    folder_with(tmp_path / "test", {"file_name": "a.png", "text": "held out"})
    with pytest.raises(DatasetError, match=r"metadata\.jsonl: missing; .* test has one"):
        read_folder(tmp_path)
    folder_with(tmp_path / "train", {"file_name": "a.png", "text": "a cat"})
    (sample,) = read_folder(tmp_path)
    assert sample.caption == "a cat"
    folder_with(tmp_path, {"file_name": "train/a.png", "text": "a table above comes first"})
    (sample,) = read_folder(tmp_path)
    assert sample.caption == "a table above comes first"


def test_pictures_may_be_links(tmp_path: Path) -> None:
    """As in a snapshot of the hub's cache; but a name in the table leads nowhere outside, links or not."""
    blobs, folder = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    folder.mkdir()
    folder_with(blobs)
    (folder / "b.png").symlink_to(blobs / "a.png")
    (folder / "c.png").symlink_to(blobs / "gone.png")
    (folder / "up").symlink_to(tmp_path)
    rows = [
        {"file_name": name, "text": "x"}
        for name in ("b.png", "c.png", "../blobs/a.png", "x/../../a.png", "up/blobs/a.png")
    ]
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = judged.read(folder, image_column="image", caption_column="text")
    assert found.places == (1, 5)
    assert [finding.fault for finding in found.findings] == [
        "'c.png' is a link to nothing",
        "'../blobs/a.png' lies outside of the folder",
        "'x/../../a.png' lies outside of the folder",
    ]


def test_a_list_of_captions(tmp_path: Path) -> None:
    """The first one is trained with, and a check says so; a list without texts is a fault."""
    folder = folder_with(tmp_path, {"file_name": "a.png", "text": ["a cat", "a tabby"]})
    (sample,) = read_folder(folder)
    assert sample.caption == "a cat"
    (finding,) = judged.read(folder, image_column="image", caption_column="text").findings
    assert (finding.code, finding.severity, finding.samples) == ("captions-several", "advice", (1,))
    for empty in ([], [7], ["a cat", None]):
        with pytest.raises(DatasetError, match="text is missing or no text"):
            read_folder(folder_with(tmp_path, {"file_name": "a.png", "text": empty}))


def test_a_comma_that_cuts_a_caption_is_named(tmp_path: Path) -> None:
    """A CSV caption with an unquoted comma has one cell too many; its rest must not be lost in silence."""
    folder = folder_with(tmp_path)
    (folder / "metadata.jsonl").unlink()
    table = folder / "metadata.csv"
    table.write_text('file_name,text\na.png,"a cat, on a mat"\na.png,a cat, on a mat\n')
    with pytest.raises(
        DatasetError, match=r"metadata\.csv, line 3: 3 cells, but 2 columns; .* double quotes"
    ):
        read_folder(folder)
    found = judged.read(folder, image_column="image", caption_column="text")
    assert [sample.caption for sample in found.samples] == ["a cat, on a mat"]
    assert [(f.code, f.severity, f.samples) for f in found.findings] == [("unreadable", "error", (2,))]


def test_bad_folders_and_pictures_are_named(tmp_path: Path) -> None:
    """No table, an empty table and a damaged picture are three different messages."""
    with pytest.raises(DatasetError, match=r"metadata\.jsonl: missing"):
        read_folder(tmp_path)
    with pytest.raises(DatasetError, match="no pictures"):
        read_folder(folder_with(tmp_path))
    row = {"file_name": "a.png", "text": "x"}
    with pytest.raises(DatasetError, match=r"a\.png: the picture is cut off"):
        read_folder(folder_with(tmp_path, row, picture=b"\x89PNG\r\n\x1a\n1234"))


def test_a_bad_sample_of_a_job_is_numbered(samples: tuple[Sample, ...]) -> None:
    """A job has no file names: the person is told the sample's number."""
    broken = Sample(picture=samples[1].picture[:100], caption="x")
    with pytest.raises(JobError) as failed:
        list(SamplePictures([samples[0], broken]))
    assert failed.value.code == "bad-picture"
    assert "sample 2" in failed.value.detail


def test_pictures_are_decoded_one_by_one(
    samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two passes over a hundred of them hold one at a time, and a bad one is numbered when its turn comes."""
    decoded: list[weakref.ref[Image.Image]] = []
    most = [0]

    def counted(data: bytes) -> Image.Image:
        image = open_rgba(data)
        decoded.append(weakref.ref(image))
        most[0] = max(most[0], sum(one() is not None for one in decoded))
        return image

    monkeypatch.setattr("lora.data.dataset.open_rgba", counted)
    pictures = SamplePictures(list(samples) * 5)
    assert choose_background(pictures, BACKGROUNDS) in BACKGROUNDS
    squares = [on_flat_background(image, 64, MAGENTA) for image in pictures]
    assert len(squares) == len(pictures) == 5 * len(samples)
    assert most[0] <= 2  # the next one is decoded before a loop lets go of the last one
    assert list(pictures[1:2]) == [open_rgba(samples[1 % len(samples)].picture)]
    broken = SamplePictures([samples[0], Sample(picture=samples[0].picture[:100], caption="x")])
    assert broken[0]
    with pytest.raises(JobError, match="sample 2"):
        broken[-1]


def test_almost_transparent_pixels_do_not_shrink_a_drawing() -> None:
    """Four pixels of alpha up to 8 in the corners change neither the square nor the background that is chosen."""
    clean = drawing((200, 30, 30), (0, 0, 0))
    for alpha in (1, FAINTEST_ALPHA):
        dusty = clean.copy()
        for corner in ((0, 0), (199, 0), (0, 199), (199, 199)):
            dusty.putpixel(corner, (255, 255, 255, alpha))
        assert visible_box(dusty) == visible_box(clean) == (20, 20, 181, 181)
        assert on_flat_background(dusty, 256, MAGENTA) == on_flat_background(clean, 256, MAGENTA)
        assert choose_background([dusty], BACKGROUNDS) == choose_background([clean], BACKGROUNDS)
        assert summarise(png(dusty)).side_px == summarise(png(clean)).side_px == 161
    dusty.putpixel((0, 0), (255, 255, 255, FAINTEST_ALPHA + 1))
    assert visible_box(dusty) == (0, 0, 181, 181)


@pytest.mark.parametrize(
    ("fill", "expected"), [((200, 30, 30), {"white"}), ((255, 255, 255), {"green", "magenta", "blue"})]
)
@pytest.mark.parametrize("opaque", [0, 1, 2])
def test_drawings_that_are_translucent_all_over(
    fill: tuple[int, int, int], expected: set[str], opaque: int
) -> None:
    """Ghosts count with what is visible of them, as long as opaque pictures are not the most."""
    ghost = drawing(fill, fill)
    ghost.putalpha(ghost.getchannel("A").point(lambda alpha: alpha * 120 // 255))
    photos = [Image.new("RGBA", (200, 200), (10, 180, 100, 255))] * opaque
    assert choose_background([ghost, *photos, ghost], BACKGROUNDS) in expected


def test_without_anything_visible_white_is_chosen() -> None:
    """No palette is no reason to fail."""
    assert choose_background([Image.new("RGBA", (99, 99), (0, 0, 0, 5))], BACKGROUNDS) == "white"
    assert choose_background([], BACKGROUNDS) == "white"


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def test_colours_of_transparent_pixels_tint_no_edge() -> None:
    """Green under alpha 0 tints no edge: between red and magenta there is only red and magenta."""
    image = Image.new("RGBA", (200, 200), (0, 255, 0, 0))
    ImageDraw.Draw(image).ellipse((30, 30, 170, 170), fill=(255, 0, 0, 255))
    pixels = np.asarray(on_flat_background(image, 64, MAGENTA)).astype(int)
    assert pixels[..., 1].max() <= MAGENTA[1] + 6  # Lanczos may ring by a few levels
    assert tuple(pixels[0, 0]) == MAGENTA


@pytest.mark.parametrize("size", [(400, 100), (100, 400), (64, 200_000)])
def test_nothing_is_cropped(size: tuple[int, int]) -> None:
    """A long picture is padded: both of its ends are there, the rest is the flat background."""
    image = Image.new("RGBA", size, "blue")
    ends = [(0, 0, size[0] // 4, size[1] - 1), (0, 0, size[0] - 1, size[1] // 4)][size[1] > size[0]]
    ImageDraw.Draw(image).rectangle(ends, fill="red")
    pixels = np.asarray(on_flat_background(image, 128, (0, 190, 90)))
    pixels = pixels if size[1] > size[0] else pixels.swapaxes(0, 1)
    assert pixels.shape == (128, 128, 3)
    assert pixels[0, :, 0].max() > 200  # the red end
    assert pixels[-1, :, 2].max() > 200  # the blue end
    assert (pixels[:, 0] == (0, 190, 90)).all()
    assert (pixels[:, -1] == (0, 190, 90)).all()


def test_a_cut_out_drawing_fills_its_square() -> None:
    """A small drawing in a wide transparent frame is trimmed, and a margin is left on each side."""
    image = Image.new("RGBA", (500, 500))
    ImageDraw.Draw(image).rectangle((200, 200, 259, 259), fill=(0, 0, 0, 255))
    inked = np.asarray(on_flat_background(image, 100, (255, 255, 255)).convert("L")) < 128
    rows = np.flatnonzero(inked.any(axis=1))
    assert 4 <= rows[0] <= 6
    assert 93 <= rows[-1] <= 95


def test_tensors_run_from_minus_one_to_one() -> None:
    """Channels first, black is -1, white is 1."""
    tensor = to_tensor([Image.new("RGB", (4, 2), "black"), Image.new("RGB", (4, 2), "white")])
    assert tensor.shape == (2, 3, 2, 4)
    assert (tensor[0] == -1).all()
    assert (tensor[1] == 1).all()


def drawing(fill: tuple[int, int, int], outline: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGBA", (200, 200))
    ImageDraw.Draw(image).ellipse((20, 20, 180, 180), fill=(*fill, 255), outline=(*outline, 255), width=10)
    return image


@pytest.mark.parametrize(
    ("fill", "outline", "expected"),
    [
        ((200, 30, 30), (0, 0, 0), {"white"}),
        ((250, 250, 250), (255, 255, 255), {"green", "magenta", "blue"}),
        ((200, 30, 30), (255, 255, 255), {"green", "blue"}),
        ((0, 190, 90), (255, 255, 255), {"magenta", "blue"}),
        ((40, 90, 230), (255, 250, 240), {"green", "magenta"}),
    ],
)
def test_the_background_is_far_from_the_palette(
    fill: tuple[int, int, int], outline: tuple[int, int, int], expected: set[str]
) -> None:
    """Dark drawings are shown on white; white ones on a colour that is none of theirs."""
    assert choose_background([drawing(fill, outline)] * 3, BACKGROUNDS) in expected


def test_one_odd_picture_does_not_decide_the_background() -> None:
    """Each picture counts alike, however large; a single pale one among many dark ones changes nothing."""
    dark = [drawing((20, 20, 120), (0, 0, 0))] * 30
    assert choose_background([*dark, drawing((255, 255, 255), (250, 250, 250))], BACKGROUNDS) == "white"


def test_opaque_pictures_keep_their_own_background() -> None:
    """Photos of stickers on green paper are called green, for that is what the base will see."""
    photo = Image.new("RGBA", (200, 200), (10, 180, 100, 255))
    photo.alpha_composite(drawing((255, 255, 255), (255, 255, 255)))
    assert choose_background([photo, photo], BACKGROUNDS) == "green"
