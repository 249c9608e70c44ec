"""The sheet of a sweep: each seed with each CFG value, side by side."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image

from bot.progress import cfg_values
from bot.sticker_buttons import SWEEP
from bot.tables.jobs import Job
from bot.words import Words, clip
from lora.sheets.sweep_sheet import SweepRow, sweep_sheet


def sheet(words: Words, job: Job, stickers: Sequence[bytes]) -> bytes:
    """A PNG of a job's stickers, in their order. Takes a while: call it in a thread."""
    pictures = [Image.open(io.BytesIO(sticker)).convert("RGBA") for sticker in stickers]
    across = len(job.options.sweep)
    rows = [
        SweepRow(
            name=f"#{job.options.of_picture(start).newest_seed}",
            pictures=tuple(pictures[start : start + across]),
        )
        for start in range(0, len(pictures), across)
    ]
    return sweep_sheet(clip(job.prompt, 60), [_head(words, value) for value in job.options.sweep], rows)


def caption(words: Words, job: Job) -> str:
    """What stands below the sheet."""
    return words("sweep-caption", prompt=clip(job.prompt), cfg=cfg_values(words, job.options))


def _head(words: Words, cfg: float) -> str:
    """A value in the words of the buttons, if it is one of theirs."""
    name = next((name for name, value in SWEEP.items() if value == cfg), None)
    return words.plain(f"button-cfg-{name}" if name else "button-cfg", cfg=words.number(cfg))
