"""A comparison for people to read: its contact sheet, its table, and the reasons of the choice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

from lora.jobs import Score
from lora.sheets.contact_sheet import Line, contact_sheet

if TYPE_CHECKING:
    from lora.evaluation.compare import Comparison

HEAD = f"{'step':>6}  {'style':>6}  {'prompt':>6}  {'diversity':>9}  {'memorised':>9}"
LEGEND = """style      0 = as the bare base draws, 1 = as the samples are drawn
prompt     0 = the drawings ignore their prompts, 1 = they show all of them; CFG goes beyond (with a CLIP: its cosine)
diversity  of the drawings among themselves, as a share of the samples' own; - for one drawing
memorised  the share of drawings that are nearer to a sample than samples are to each other"""


def sheet(compared: Comparison, chosen: int, *, width: int = 1280) -> bytes:
    """The contact sheet as a PNG of at most ``width`` px: the bare base, then a row for each checkpoint.

    It has the drawings of the first seed only.
    """
    drawings = [one.pictures for one in compared.on_sheet]
    return sheet_of(compared.prompts, compared.scores, drawings, chosen, width=width)


def sheet_of(
    prompts: Sequence[str],
    scores: Sequence[Score],
    drawings: Sequence[Sequence[Image.Image]],
    chosen: int,
    *,
    width: int,
) -> bytes:
    """The same sheet from its parts: ``drawings`` are the bare base's, then those of each score's checkpoint."""
    lines = [Line(name="bare base", facts=("without adapter",), pictures=tuple(drawings[0]))]
    for score, pictures in zip(scores, drawings[1:], strict=True):
        facts = (f"style {score.style:z.2f}", f"prompt {score.prompt:z.2f}")
        marked = score.step == chosen
        lines.append(Line(name=f"step {score.step}", facts=facts, pictures=tuple(pictures), chosen=marked))
    return contact_sheet("The same prompts and seeds with each checkpoint", prompts, lines, width=width)


def table(compared: Comparison, chosen: int) -> str:
    """The scores as lines of text, the chosen one marked, and why each of the others was not chosen."""
    lines = [LEGEND, "", HEAD, f"{'base':>6}  {0.0:>6.2f}  {compared.base_prompt:>6.2f}"]
    for score in compared.scores:
        marked = "  <- chosen" if score.step == chosen else ""
        varied = "-" if score.diversity is None else f"{score.diversity:.2f}"
        lines.append(
            f"{score.step:>6}  {score.style:>z6.2f}  {score.prompt:>z6.2f}  {varied:>9}"
            f"  {score.memorised:>9.0%}{marked}"
        )
    choice = compared.choice
    lines += ["", f"The rule chose step {choice.step}: {choice.reason}."]
    lines += [f"  step {step}: {reason}" for step, reason in sorted(choice.others.items())]
    if chosen != choice.step:
        lines.append(f"You chose step {chosen}.")
    return "\n".join(lines)
