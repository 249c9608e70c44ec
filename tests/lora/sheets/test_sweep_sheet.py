"""The sheet of a sweep shows stickers as chats do."""

import io

from PIL import Image

from lora.sheets.sweep_sheet import GROUNDS, SweepRow, sweep_sheet


def test_stickers_are_shown_on_a_light_and_on_a_dark_ground() -> None:
    """Each row twice, and not stretched; drawings with a background once."""
    tall = Image.new("RGBA", (100, 200), (255, 0, 0, 255))
    opaque = Image.new("RGB", (100, 100), (0, 0, 255))
    heads = ["CFG 3", "CFG 8"]
    twice = Image.open(io.BytesIO(sweep_sheet("a", heads, [SweepRow(name="1", pictures=(tall, tall))])))
    once = Image.open(io.BytesIO(sweep_sheet("a", heads, [SweepRow(name="1", pictures=(opaque, opaque))])))
    colours = {colour for _, colour in twice.convert("RGB").getcolors(1 << 20) or []}
    assert {*GROUNDS, (255, 0, 0)} <= colours
    assert twice.height - once.height == 208
    assert GROUNDS[1] not in {colour for _, colour in once.convert("RGB").getcolors(1 << 20) or []}
