"""Plain messages that correct samples by number: "12: a fox", "12 - a fox", "-12", several lines at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.locales import LANGUAGES

_DELETE = "|".join(word for one in LANGUAGES.values() for word in one.TEXTS["pack-words-delete"].split())
# 10:30 is a time, 2.5 a number: what follows the number must not be a digit
_CAPTION = re.compile(r"[#№]?\s?(\d{1,4})(?:\s*[:：](?!\d)\s*|[.)]\s+|\s+[-–—=]\s*(?!\d))(\S.*)")
_NEXT = re.compile(
    r"\s*[,;]\s*(?=[#№]?\s?\d{1,4}\s*[:：](?!\d)\s*\S)"
)  # in front of "4: a cat" on the same line
_NUMBERS = r"#?(\d{1,4}(?:\s*[,;]\s*[-−–]?\s*#?\d{1,4})*)"
_REMOVE = re.compile(rf"(?:[-−–]\s*|/?(?:{_DELETE})\s+){_NUMBERS}", re.IGNORECASE)
_WORD_REMOVE = re.compile(rf"/?(?:{_DELETE})\s+{_NUMBERS}", re.IGNORECASE)
_COLON = re.compile(r"[#№]?\s?\d{1,4}\s*[:：](?!\d)")
_NUMBER_ALONE = re.compile(r"[#№]?\s?(\d{1,4})\s*[:：]")
_NUMBER_FIRST = re.compile(r"[#№]?(\d{1,4})\s+([^\W\d_].*)")


@dataclass(frozen=True, kw_only=True)
class Corrections:
    """What a message corrects: new captions by number, in order, and numbers to remove, in order."""

    captions: dict[int, str] = field(repr=False)
    removed: tuple[int, ...]


def corrections(text: str) -> Corrections | None:
    """The corrections that a text consists of; None for any other text."""
    captions: dict[int, str] = {}
    removed: set[int] = set()
    for line in _lines(text):
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


def _lines(text: str) -> list[str]:
    """The lines that say something; "3: a dog, 4: a cat" is two."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [part for line in lines for part in (_NEXT.split(line) if _COLON.match(line) else [line])]


def are_corrections(text: str) -> bool:
    """Whether a text consists of corrections."""
    return corrections(text) is not None


def removals(text: str) -> tuple[int, ...] | None:
    """The numbers of "delete 3, 5"; None for any other text."""
    return _numbers(_WORD_REMOVE.fullmatch(text.strip()))


def removals_in_short(text: str) -> tuple[int, ...] | None:
    """The numbers of "delete 3, 5" or "-3, 5"; None for any other text."""
    return _numbers(_REMOVE.fullmatch(text.strip()))


def _numbers(found: re.Match[str] | None) -> tuple[int, ...] | None:
    return tuple(sorted({int(number) for number in re.findall(r"\d+", found[1])})) if found else None


def are_removals(text: str) -> bool:
    """Whether a text is like "delete 3"."""
    return removals(text) is not None


def number_alone(text: str) -> int | None:
    """The number of "3:", which lacks the words; None for any other text."""
    found = _NUMBER_ALONE.fullmatch(text.strip())
    return int(found[1]) if found else None


def lacks_words(text: str) -> bool:
    """Whether a text is like "3:"."""
    return number_alone(text) is not None


def numbers_first(text: str) -> dict[int, str]:
    """{5: "coin"} of "5 coin": picture 5, or five of something. Empty if not each line is like that."""
    found = [_NUMBER_FIRST.fullmatch(line.strip()) for line in text.splitlines() if line.strip()]
    return {int(one[1]): one[2] for one in found if one} if all(found) else {}


def without_number(line: str) -> str:
    """A line without the number of a list in front: "1. a fox" is "a fox"."""
    found = _CAPTION.fullmatch(line)
    return found[2] if found else line


def listed(lines: Sequence[str]) -> bool:
    """Whether lines are numbered 1, 2, 3 …"""
    found = [_CAPTION.fullmatch(line) for line in lines]
    return [int(one[1]) if one else 0 for one in found] == list(range(1, len(lines) + 1))


def is_undo(text: str) -> bool:
    """Whether a text is the word for taking back the last change, in any language of the bot."""
    said = text.strip().strip(".!").casefold()
    return any(said in language.TEXTS["undo-words"].split() for language in LANGUAGES.values())
