"""The question whether an adapter's drawing can be told from the base's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import told_apart
from benchmarks.learn_style import CONCEPTS
from benchmarks.told_apart import PAIRS, ROWS, SIDE, pairs, question
from lora.pretrain.drawings import UNSEEN


def test_pairs_are_fixed_and_differ_between_styles() -> None:
    """24 different pairs of each style, always the same ones; the adapter is on either side."""
    orders = {style: "".join(pair.adapter for pair in pairs(style)) for style in UNSEEN}
    assert orders == {style: "".join(pair.adapter for pair in pairs(style)) for style in UNSEEN}
    assert len(set(orders.values())) == len(UNSEEN)
    for style, order in orders.items():
        assert len({(pair.concept, pair.seed) for pair in pairs(style)}) == len(order) == PAIRS
        assert 6 <= order.count("A") <= 18


def test_the_adapters_drawing_is_where_the_answers_say() -> None:
    """Each row of the styles' sheet has a colour of its own: the adapter's are red."""
    colours = {"samples": (0, 0, 255), "real": (9, 9, 9), "base": (0, 255, 0), "adapter": (255, 0, 0)}
    rows = np.array([colours[row] for row in ROWS], dtype=np.uint8)
    sheet = Image.fromarray(rows[:, None]).resize(
        (CONCEPTS * SIDE, len(ROWS) * SIDE), Image.Resampling.NEAREST
    )
    page = question(sheet, "fxemoji", 1)
    side, gap = told_apart.SHOWN, told_apart.GAP
    for place, pair in enumerate(pairs("fxemoji")[8:16]):
        at = (
            gap + place % 4 * (2 * side + gap) + (side if pair.adapter == "B" else 0) + side // 2,
            side + 3 * gap + place // 4 * (side + 2 * gap) + side // 2,
        )
        assert page.getpixel(at) == colours["adapter"]
    assert page.getpixel((gap + side // 2, gap + side // 2)) == colours["samples"]


def test_letters_are_counted(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """All letters right, one wrong, and a word that is no answer; a sheet of another size is refused."""
    order = "".join(pair.adapter for pair in pairs("fxemoji"))
    told_apart.main(["score", "fxemoji", order])
    told_apart.main(["score", "fxemoji", ("B" if order[0] == "A" else "A") + order[1:]])
    first, second = capsys.readouterr().out.splitlines()
    assert "24 of 24 told apart (100.0%)" in first
    assert "23 of 24 told apart (95.8%); wrong: [1]" in second
    with pytest.raises(SystemExit, match="24 letters"):
        told_apart.main(["score", "fxemoji", "AB"])
    Image.new("RGB", (20, 20)).save(tmp_path / "fxemoji.png")
    with pytest.raises(SystemExit, match="no sheet"):
        told_apart.main(["show", "--style", "fxemoji", "--sheets", str(tmp_path)])
