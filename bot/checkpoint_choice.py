"""A comparison of checkpoints as a message: which one the style draws with, why, and a button for each."""

from __future__ import annotations

from bot.errors import Buttons
from bot.tables.comparisons import Comparison
from bot.words import Words
from lora.jobs import ReasonCode

MOST_BUTTONS = 8


def caption(words: Words, found: Comparison) -> str:
    """Which row of the sheet the style draws with, and why, as HTML."""
    lines = [words("checkpoints", keyword=found.keyword, n=len(found.steps))]
    by_rule = found.used == found.chosen
    lines.append(words("checkpoints-chosen" if by_rule else "checkpoints-yours", step=found.used))
    if by_rule and (why := reason(found)):
        lines.append(words(why))
    lines.append(words("checkpoints-ask"))
    return "\n".join(lines)


def buttons(words: Words, found: Comparison) -> Buttons:
    """One for each checkpoint, two in a row, the used one with a tick."""
    cells = [
        (
            words.plain("button-checkpoint-used" if step == found.used else "button-checkpoint", step=step),
            f"look:{found.job}:{step}",  # old messages in chats have buttons with this data
        )
        for step in offered(found)
    ]
    return [cells[i : i + 2] for i in range(0, len(cells), 2)]


def offered(found: Comparison) -> list[int]:
    """The steps that get a button: all, or MOST_BUTTONS of them at even distances from the first to the last."""
    steps = found.steps
    if len(steps) <= MOST_BUTTONS:
        return list(steps)
    spread = {steps[round(i * (len(steps) - 1) / (MOST_BUTTONS - 3))] for i in range(MOST_BUTTONS - 2)}
    return sorted(spread | {found.chosen, found.used})


def reason(found: Comparison) -> str | None:
    """The locale key of why the rule chose its checkpoint, from the rule's own codes.

    None if the codes are missing, as in comparisons of earlier versions, or unknown.
    """
    codes = found.reasons
    own = codes.get(found.chosen)
    later = {code for step, code in codes.items() if step > found.chosen}
    if own == ReasonCode.LEAST_BAD:
        return "checkpoints-why-least-bad"
    if own not in (ReasonCode.BEST, ReasonCode.LEARNED_LONGEST):
        return None
    if ReasonCode.COPIES in later:
        return "checkpoints-why-copies"
    if own == ReasonCode.BEST:
        style = {score.step: score.style for score in found.scores}
        nearer = {code for step, code in codes.items() if style[step] > style[found.chosen]}
        if not nearer:
            return "checkpoints-why-closest"
        if nearer & {ReasonCode.FOLLOWS_LESS, ReasonCode.IGNORES_PROMPTS}:
            return "checkpoints-why-words"
    return "checkpoints-why-enough" if later else "checkpoints-why-longest"
