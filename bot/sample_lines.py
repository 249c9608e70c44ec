"""Plain messages that correct samples by number: "12: a fox drinking coffee", "-12", several lines at once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from bot.locales import LANGUAGES

# 10:30 is a time, 2.5 a number: what follows the number must not be a digit
_CAPTION = re.compile(r"#?(\d{1,4})(?::(?!\d)\s*|[.)]\s+)(\S.*)")
_REMOVE = re.compile(r"[-−–]\s*#?(\d{1,4}(?:\s*[,;]\s*[-−–]?\s*#?\d{1,4})*)")


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """What a message corrects: new captions by number, in order, and numbers to remove, in order."""

    captions: dict[int, str] = field(repr=False)
    removed: tuple[int, ...]


def corrections(text: str) -> Corrections | None:
    """The corrections that a text consists of; None for any other text."""
    captions: dict[int, str] = {}
    removed: set[int] = set()
    for line in (line.strip() for line in text.splitlines() if line.strip()):
        if found := _CAPTION.fullmatch(line):
            captions[int(found[1])] = found[2]
        elif found := _REMOVE.fullmatch(line):
            removed |= {int(number) for number in re.findall(r"\d+", found[1])}
        else:
            return None
    if not captions and not removed:
        return None
    kept = {number: captions[number] for number in sorted(captions) if number not in removed}
    return Corrections(captions=kept, removed=tuple(sorted(removed)))


def are_corrections(text: str) -> bool:
    """Whether a text consists of corrections."""
    return corrections(text) is not None


def is_undo(text: str) -> bool:
    """Whether a text is the word for taking back the last change, in any language of the bot."""
    said = text.strip().strip(".!").casefold()
    return any(said in language.TEXTS["undo-words"].split() for language in LANGUAGES.values())
