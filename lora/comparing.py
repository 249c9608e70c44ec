"""A comparison as people see it: its contact sheet, its table, and why the chosen one was chosen."""

from __future__ import annotations

from lora.choose import Comparison
from lora.sheets import Line, contact_sheet

HEAD = f"{'step':>6}  {'style':>6}  {'prompt':>6}  {'diversity':>9}  {'memorised':>9}"
LEGEND = """style      0 = as the bare base draws, 1 = as the samples are drawn
prompt     0 = the drawings ignore their prompts, 1 = they show all of them; CFG goes beyond (with a CLIP: its cosine)
diversity  of the drawings among themselves, as a share of the samples' own
memorised  the share of drawings that are nearer to a sample than samples are to each other"""


def sheet(compared: Comparison, chosen: int, *, width: int = 1280) -> bytes:
    """The contact sheet as a PNG: the bare base on top, then a row for each checkpoint, first seeds only."""
    scores = {score.step: score for score in compared.scores}
    seeds = len(compared.settings.seeds)
    lines = []
    for row in compared.rows:
        facts: tuple[str, ...] = ("without adapter",)
        if row.step is not None:
            score = scores[row.step]
            facts = (f"style {score.style:z.2f}", f"prompt {score.prompt:z.2f}")
        name = "bare base" if row.step is None else f"step {row.step}"
        lines.append(Line(name=name, facts=facts, pictures=row.pictures[::seeds], chosen=row.step == chosen))
    return contact_sheet(
        "The same prompts and seeds with each checkpoint", compared.prompts, lines, width=width
    )


def table(compared: Comparison, chosen: int) -> str:
    """The scores as lines of text, the chosen one marked, and what became of the others."""
    lines = [LEGEND, "", HEAD, f"{'base':>6}  {0.0:>6.2f}  {compared.base_prompt:>6.2f}"]
    for score in compared.scores:
        marked = "  <- chosen" if score.step == chosen else ""
        lines.append(
            f"{score.step:>6}  {score.style:>z6.2f}  {score.prompt:>z6.2f}  {score.diversity:>9.2f}"
            f"  {score.memorised:>9.0%}{marked}"
        )
    choice = compared.choice
    lines += ["", f"The rule chose step {choice.step}: {choice.why}."]
    lines += [f"  step {step}: {why}" for step, why in sorted(choice.others.items())]
    if chosen != choice.step:
        lines.append(f"You chose step {chosen}.")
    return "\n".join(lines)
