"""The sheet of a training's checkpoints as the person gets it: its words, and a button for each look."""

from __future__ import annotations

from bot.errors import Buttons
from bot.tables.comparisons import Comparison
from bot.words import Words

MOST_BUTTONS = 8
COPIES = 0.05  # a checkpoint with more copies among its drawings is not chosen (lora.evaluation.compare)
LISTENS = 0.8  # a share of the chosen one's prompt score; less is worse, more may be chance (lora.evaluation.scorers)


def caption(words: Words, found: Comparison) -> str:
    """Which row is used and why, as HTML."""
    lines = [words("looks", keyword=found.keyword, n=len(found.steps))]
    key = "looks-chosen" if found.used == found.best else "looks-yours"
    lines.append(words(key, step=found.used))
    if found.used == found.best and (why := reason(found)):
        lines.append(words(why))
    lines.append(words("looks-ask"))
    return "\n".join(lines)


def buttons(words: Words, found: Comparison) -> Buttons:
    """One for each checkpoint, two in a row, the used one with a tick."""
    keys = [
        (words.plain("button-look-used" if step == found.used else "button-look", step=step), step)
        for step in offered(found)
    ]
    cells = [(label, f"look:{found.job}:{step}") for label, step in keys]
    return [cells[i : i + 2] for i in range(0, len(cells), 2)]


def offered(found: Comparison) -> list[int]:
    """The steps that get a button: all, or as many as there is room for, spread evenly from first to last."""
    steps = found.steps
    if len(steps) <= MOST_BUTTONS:
        return list(steps)
    spread = {steps[round(i * (len(steps) - 1) / (MOST_BUTTONS - 3))] for i in range(MOST_BUTTONS - 2)}
    return sorted(spread | {found.best, found.used})


def reason(found: Comparison) -> str | None:
    """The key of the words on what speaks for the best checkpoint; None if the scores do not tell."""
    best = next((score for score in found.scores if score.step == found.best), None)
    if best is None:
        return None
    later = [score for score in found.scores if score.step > best.step]
    if any(score.memorised > COPIES for score in later) and best.memorised <= COPIES:
        return "looks-why-copies"
    if best.style >= max(score.style for score in found.scores):
        return "looks-why-closest"
    deafer = [score for score in found.scores if score.prompt < LISTENS * best.prompt]
    if best.prompt > 0 and any(score.style > best.style for score in deafer):
        return "looks-why-words"
    return "looks-why-enough" if later else "looks-why-longest"
