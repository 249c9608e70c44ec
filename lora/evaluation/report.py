"""A comparison as people see it: its contact sheet, its table, and why the chosen one was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

from lora.jobs import Score
from lora.sheets.contact_sheet import Line, contact_sheet, pictures_on

if TYPE_CHECKING:
    from lora.evaluation.compare import Comparison

HEAD = f"{'step':>6}  {'style':>6}  {'prompt':>6}  {'diversity':>9}  {'memorised':>9}"
LEGEND = """style      0 = as the bare base draws, 1 = as the samples are drawn
prompt     0 = the drawings ignore their prompts, 1 = they show all of them; CFG goes beyond (with a CLIP: its cosine)
diversity  of the drawings among themselves, as a share of the samples' own; - for one drawing
memorised  the share of drawings that are nearer to a sample than samples are to each other"""


def sheet(compared: Comparison, chosen: int, *, width: int = 1280) -> bytes:
    """The contact sheet as a PNG: the bare base on top, then a row for each checkpoint, first seeds only."""
    seeds = len(compared.settings.seeds)
    rows = [row.pictures[::seeds] for row in compared.rows]
    return _sheet(compared.prompts, compared.scores, rows, chosen, width)


def marked_anew(
    png: bytes, prompts: Sequence[str], scores: Sequence[Score], chosen: int, *, width: int = 1280
) -> bytes:
    """A sheet that ``sheet`` made, with another row as the chosen one. Raises SheetError if it is another one's."""
    rows = pictures_on(png, prompts, 1 + len(scores), width=width)
    return _sheet(prompts, scores, rows, chosen, width)


def _sheet(
    prompts: Sequence[str],
    scores: Sequence[Score],
    rows: Sequence[Sequence[Image.Image]],
    chosen: int,
    width: int,
) -> bytes:
    """Rows: the bare base's drawings, then those of each score's checkpoint."""
    lines = [Line(name="bare base", facts=("without adapter",), pictures=tuple(rows[0]))]
    for score, pictures in zip(scores, rows[1:], strict=True):
        facts = (f"style {score.style:z.2f}", f"prompt {score.prompt:z.2f}")
        marked = score.step == chosen
        lines.append(Line(name=f"step {score.step}", facts=facts, pictures=tuple(pictures), chosen=marked))
    return contact_sheet("The same prompts and seeds with each checkpoint", prompts, lines, width=width)


def table(compared: Comparison, chosen: int) -> str:
    """The scores as lines of text, the chosen one marked, and what became of the others."""
    lines = [LEGEND, "", HEAD, f"{'base':>6}  {0.0:>6.2f}  {compared.base_prompt:>6.2f}"]
    for score in compared.scores:
        marked = "  <- chosen" if score.step == chosen else ""
        varied = "-" if score.diversity is None else f"{score.diversity:.2f}"
        lines.append(
            f"{score.step:>6}  {score.style:>z6.2f}  {score.prompt:>z6.2f}  {varied:>9}"
            f"  {score.memorised:>9.0%}{marked}"
        )
    choice = compared.choice
    lines += ["", f"The rule chose step {choice.step}: {choice.why}."]
    lines += [f"  step {step}: {why}" for step, why in sorted(choice.others.items())]
    if chosen != choice.step:
        lines.append(f"You chose step {chosen}.")
    return "\n".join(lines)
