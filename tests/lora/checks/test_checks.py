"""Each check fires on what it is for, names the right samples, and is silent on the example data set."""

from __future__ import annotations

import io
import json
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from lora import checks
from lora.__main__ import main
from lora.checks import captions, detail, folder, lettering, pictures
from lora.data.captions import keyword_problem
from lora.data.captions import room as count_room
from lora.data.dataset import read_folder
from lora.jobs import Finding, Sample
from lora.models import base_model

DEMO = Path(__file__).parents[3] / "data" / "demo"
GOOD = ("zorvex a red fox waving", "zorvex a blue whale", "zorvex a cat asleep", "zorvex a tall lamp")


def codes(findings: Sequence[Finding]) -> dict[str, list[tuple[int, ...]]]:
    found: dict[str, list[tuple[int, ...]]] = {}
    for finding in findings:
        found.setdefault(finding.code, []).append(finding.samples)
    return found


def png(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def drawing(seed: int, size: int = 512) -> Image.Image:
    """Some big shapes on nothing: what a drawing is to these checks."""
    rng = random.Random(seed)
    image = Image.new("RGBA", (size, size))
    draw = ImageDraw.Draw(image)
    for _ in range(7):
        x, y = rng.randrange(size // 2), rng.randrange(size // 2)
        box = (x, y, x + rng.randrange(size // 8, size // 2), y + rng.randrange(size // 8, size // 2))
        draw.ellipse(box, fill=(rng.randrange(256), rng.randrange(256), rng.randrange(256), 255))
    return image


def lettered(text: str) -> Image.Image:
    image = Image.new("RGBA", (512, 512))
    draw = ImageDraw.Draw(image)
    draw.ellipse((40, 40, 470, 470), fill=(90, 160, 220, 255))
    draw.text((256, 256), text, fill="black", font=ImageFont.load_default(100), anchor="mm")
    return image


def looks(*images: Image.Image | bytes) -> list[pictures.PictureSummary]:
    return [pictures.summarise(image if isinstance(image, bytes) else png(image)) for image in images]


def test_the_example_is_good() -> None:
    """Nothing at all is said of data/demo by the quick checks, nor is there lettering on it."""
    samples = read_folder(DEMO)
    assert checks.look(samples, "bomux") == []
    images = [Image.open(io.BytesIO(sample.picture)).convert("RGBA") for sample in samples]
    assert list(lettering.check(images)) == [None] * 28


@pytest.mark.parametrize(
    ("code", "texts", "keyword", "samples"),
    [
        ("keyword-none", ["a fox waving", "a cat asleep"], "", [()]),
        ("keyword-missing", [*GOOD[:3], "a tall lamp"], "zorvex", [(4,)]),
        ("keyword-unfit", ["cat a red fox", "cat a blue whale"], "cat", [()]),
        ("caption-empty", [*GOOD, "zorvex", "zorvex!"], "zorvex", [(5, 6)]),
        ("caption-short", [*GOOD, "zorvex fox"], "zorvex", [(5,)]),
        ("caption-too-long", [*GOOD, "a " * 69], "zorvex", [(5,)]),  # it would fit but for the keyword
        ("captions-same", [*GOOD, "Zorvex a  blue whale."], "zorvex", [(2, 5)]),
        ("style-unsaid", [*GOOD, "a lamp on a table"], "zorvex", [(5,)]),
        ("style-uneven", [*GOOD, "zorvex a sticker of a lamp"], "zorvex", [(5,)]),
        ("style-uneven", ["cartoon fox up", "cartoon cat up", "dog on a table"], "", [(3,)]),
    ],
)
def test_captions(code: str, texts: list[str], keyword: str, samples: list[tuple[int, ...]]) -> None:
    """What is wrong is found at the captions that have it, and is not found in good ones."""
    assert codes(captions.check(texts, keyword))[code] == samples
    assert captions.check(GOOD, "zorvex") == []


def test_length_is_counted_in_tokens() -> None:
    """77 of CLIP's tokens fit, whatever number of words that is; keyword and background are among them."""
    room = count_room("zorvex")
    assert "caption-too-long" not in codes(captions.check(["a " * room], "zorvex"))
    (finding,) = [f for f in captions.check(["a " * (room + 1)], "zorvex") if f.code == "caption-too-long"]
    assert finding.severity == "error"
    assert finding.detail == f"{room + 1} tokens; {room} fit"


def test_the_shared_keyword_is_found() -> None:
    """A word that all captions say, and that means nothing else, needs no flag."""
    assert captions.shared_keyword(GOOD) == "zorvex"
    assert captions.shared_keyword([*GOOD, "a fox"]) == ""
    assert captions.shared_keyword([]) == ""
    for keyword in ("ski_fail", "zor-vex"):
        assert captions.shared_keyword([text.replace("zorvex", keyword) for text in GOOD]) == keyword
    assert captions.shared_keyword(["a long-haired fox", "a long-haired cat"]) == ""


@pytest.mark.parametrize("keyword", ["ski_fail", "ski-fail"])
def test_a_joined_keyword_is_no_part_of_what_a_caption_says(keyword: str) -> None:
    """It is one word, and a caption of nothing else says nothing."""
    texts = [*(text.replace("zorvex", keyword) for text in GOOD), keyword, f"{keyword} 🦊🎩"]
    found = codes(captions.check(texts, keyword))
    assert found["caption-empty"] == [(5,)]
    assert "caption-short" not in found
    assert "keyword-unfit" not in found


def test_a_fault_weighs_by_its_share() -> None:
    """One bad caption of five is advice; a quarter of them is a warning."""
    few = captions.check([*GOOD, "zorvex fox"], "zorvex")
    many = captions.check([*GOOD[:3], "zorvex fox"], "zorvex")
    assert [few[0].severity, many[0].severity] == ["advice", "warning"]


def test_number_of_pictures() -> None:
    """20 to 50 are advised, their ends included."""
    assert codes(pictures.check(looks(drawing(1)) * 19))["few-pictures"] == [()]
    assert codes(pictures.check(looks(drawing(1)) * 51))["many-pictures"] == [()]
    for count in (20, 50):
        assert not {"few-pictures", "many-pictures"} & codes(pictures.check(looks(drawing(1)) * count)).keys()


def test_almost_equal_pictures() -> None:
    """Resized, recompressed and mirrored ones are found with their original; other drawings are not."""
    image = drawing(3)
    small = png(image.resize((300, 300)), "WEBP", quality=50)
    found = codes(
        pictures.check(looks(drawing(1), image, drawing(2), small, ImageOps.mirror(image), drawing(4)))
    )
    assert found["near-duplicates"] == [(2, 4, 5)]


def test_one_shape_in_two_colours_is_two_drawings() -> None:
    """Recoloured drawings teach something; they are no duplicates."""
    red, blue = (Image.new("RGBA", (512, 512), colour) for colour in ("red", "blue"))
    assert "near-duplicates" not in codes(pictures.check(looks(red, blue)))


def test_backgrounds_and_sizes() -> None:
    """Opaque on a flat background, opaque on a busy one, and drawings smaller than the base's pictures."""
    flat = Image.new("RGB", (512, 512), "white")
    flat.paste(drawing(5), mask=drawing(5))
    busy = Image.effect_noise((512, 512), 90).convert("RGB")
    tiny = Image.new("RGBA", (512, 512))
    tiny.paste(drawing(6, 200), (150, 150))
    found = codes(pictures.check(looks(drawing(7), png(flat, "JPEG"), busy, tiny)))
    assert found["no-alpha"] == [(2,)]
    assert found["busy-background"] == [(3,)]
    assert found["small-picture"] == [(4,)]


@pytest.mark.parametrize("text", ["HELLO", "thank you"])
def test_lettering(text: str) -> None:
    """Words on a drawing are found, drawings without any are not, again and again with one reader."""
    found = [f for f in lettering.check([drawing(1), lettered(text), drawing(2), lettered(text)]) if f]
    assert codes(found) == {"lettering": [(2, 4)]}


def test_lettering_that_cannot_be_found_is_admitted() -> None:
    """The networks know no Cyrillic: that is said, and this test tells when it is no longer so."""
    assert [f for f in lettering.check([lettered("ПОКА")]) if f] == []
    assert "Latin" in (lettering.__doc__ or "")


def test_detail_that_a_vae_loses() -> None:
    """Hatching of one pixel is lost in the bundled base's VAE, a drawing of the example set is not."""
    base = base_model.load("sticker-nano", Path("data/cache"), "cpu")
    fine = Image.new("RGBA", (512, 512))
    draw, rng = ImageDraw.Draw(fine), random.Random(1)
    draw.ellipse((40, 40, 470, 470), fill=(250, 240, 220, 255))
    for _ in range(400):
        x, y = rng.randrange(60, 440), rng.randrange(60, 440)
        draw.line((x, y, x + rng.randrange(-60, 60), y + rng.randrange(-60, 60)), fill=(20, 20, 30, 255))
    good = Image.open(DEMO / "fish.png").convert("RGBA")
    found = [finding for finding in detail.check(base, [good, fine]) if finding]
    assert codes(found) == {"fine-detail": [(2,)]}
    assert 10 < float(found[0].detail) < detail.LEAST_DB


def write(folder: Path, rows: Sequence[object]) -> Path:
    folder.mkdir(exist_ok=True)
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    (folder / "metadata.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_the_command_names_every_bad_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each with its own reason, in one go, with exit code 1; good ones keep their numbers beside bad ones."""
    (tmp_path / "fox.png").write_bytes(png(drawing(1)))
    (tmp_path / "again.png").write_bytes(png(drawing(1)))
    (tmp_path / "cut.png").write_bytes(png(drawing(2))[:900])
    rows = [
        {"file_name": "cut.png", "text": "zorvex a cat asleep"},
        "{not json",
        {"file_name": "fox.png", "text": "zorvex a red fox"},
        {"file_name": "none.png", "text": "zorvex a lamp"},
        {"file_name": "again.png", "text": "zorvex a second fox"},
        {"file_name": "../out.png", "text": "zorvex a way out"},
        {"file_name": "fox.png", "caption": "wrong column"},
    ]
    assert main(["check", str(write(tmp_path, rows)), "--quick", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert not report["trainable"]
    assert report["keyword"] == "zorvex"
    bad = {f["files"][0]: f["detail"] for f in report["findings"] if f["code"] == "unreadable"}
    assert list(bad) == ["cut.png", "metadata.jsonl, line 2", "none.png", "../out.png", "fox.png"]
    assert "damaged" in bad["cut.png"]
    assert "outside" in bad["../out.png"]
    assert "'caption'" in bad["fox.png"]
    (same,) = [f for f in report["findings"] if f["code"] == "near-duplicates"]
    assert (same["files"], same["samples"]) == (["fox.png", "again.png"], [3, 5])
    assert all(f["why"] and f["advice"] and f["severity"] for f in report["findings"])
    assert "lettering" not in report["looked_for"]


@pytest.mark.parametrize("table", [None, "", "\n\n", b"\xff\xfe\x00"])
def test_a_folder_without_a_usable_table(
    table: str | bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It prevents a training, so the exit code is 1 and the report still is JSON."""
    if table is not None:
        (tmp_path / "metadata.jsonl").write_bytes(table.encode() if isinstance(table, str) else table)
    assert main(["check", str(tmp_path), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["findings"][0]["files"] == ["metadata.jsonl"]
    assert main(["check", str(tmp_path / "nowhere")]) == 2
    assert main(["check"]) == 2


def test_a_findings_detail_is_nobodys_text(tmp_path: Path) -> None:
    """What a table's lines say stands in ``fault``, which no log shows; ``detail`` is for figures and codes."""
    rows = [{"file_name": "secret.png", "my words": "x"}, '{"file_name": my words}']
    found = folder.read(write(tmp_path, rows), image_column="image", caption_column="text")
    assert [finding.detail for finding in found.findings] == ["", ""]
    assert "'my words'" in found.findings[0].fault
    assert "my words" not in repr(found.findings)
    texts = ["my words " * 40, "my", "zorvex"]
    assert all("my" not in finding.detail for finding in captions.check(texts, "zorvex"))


def test_a_table_as_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A training takes it, so it is judged in the same way: good rows and bad ones, and a file that is no CSV."""
    (tmp_path / "fox.png").write_bytes(png(drawing(1)))
    table = tmp_path / "metadata.csv"
    table.write_text('file_name,text\nfox.png,"zorvex a fox, red"\nnone.png,zorvex a lamp\nfox.png\n')
    assert main(["check", str(tmp_path), "--quick", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    bad = [f["files"] for f in report["findings"] if f["code"] == "unreadable"]
    assert (report["pictures"], bad) == (1, [["none.png"], ["fox.png"]])
    table.write_text('file_name,text\nfox.png,"zorvex')
    assert main(["check", str(tmp_path), "--quick"]) == 1
    assert ": cannot be used: not CSV" in capsys.readouterr().out


def test_drawings_that_are_translucent_all_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No pixel of any of them is over a half: the whole check goes through, the base's round trip included."""
    names = []
    for number in range(6):
        ghost = drawing(number, 256)
        ghost.putalpha(ghost.getchannel("A").point(lambda alpha: alpha * 120 // 255))
        (tmp_path / f"{number}.png").write_bytes(png(ghost))
        names.append({"file_name": f"{number}.png", "text": f"zorvex a ghost number {number}"})
    assert main(["check", str(write(tmp_path, names))]) == 0
    assert "6 usable pictures" in capsys.readouterr().out


def test_the_command_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    """The example has nothing to complain about; both ways to name the folder do the same."""
    assert main(["check", str(DEMO), "--keyword", "bomux", "--quick"]) == 0
    said = capsys.readouterr().out
    assert "nothing to complain about" in said
    assert "28 usable pictures" in said
    assert main(["check", "--train_data_dir", str(DEMO), "--quick"]) == 0
    assert capsys.readouterr().out == said


def test_keywords_are_suggested(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where one is missing or unfit, three good ones are named, the same ones each time; nobody is sent elsewhere."""
    (tmp_path / "fox.png").write_bytes(png(drawing(1)))
    folder = str(write(tmp_path, [{"file_name": "fox.png", "text": "a red fox waving"}]))
    advised = []
    for flags in ([], ["--keyword", "cat"]):
        assert main(["check", folder, "--quick", "--json", *flags]) == 0
        findings = json.loads(capsys.readouterr().out)["findings"]
        advised += [f["advice"] for f in findings if f["code"] in ("keyword-none", "keyword-unfit")]
    suggested = [advice.partition("such as ")[2].replace(" or ", ", ").split(", ") for advice in advised]
    assert suggested[0] == suggested[1]
    assert [keyword_problem(word) for word in suggested[0]] == [None] * 3
    assert main(["check", folder, "--quick", "--keyword", "cat"]) == 0
    said = capsys.readouterr().out
    assert advised[1] in said
    assert "the bot" not in said
    assert ": 1 usable picture, keyword cat" in said
    assert "few pictures: 1\n" in said


def test_every_finding_has_words() -> None:
    """Whatever a check can say has a reason and a remedy, and the order of findings knows it."""
    worst = [Finding(code=code, severity="advice", detail="9") for code in reversed(checks.KINDS)]
    assert [f.code for f in checks.in_order(worst)] == list(checks.KINDS)
    for code, kind in checks.KINDS.items():
        assert kind.why, code
        assert kind.advice, code
        assert "/" not in kind.advice, code  # commands of the bot are not the terminal's
    sample = Sample(picture=png(drawing(1)), caption="fox")
    assert {f.code for f in checks.look([sample], "")} <= checks.KINDS.keys()
