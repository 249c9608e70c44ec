"""How many everyday prompts come out right in English: ``python -m benchmarks.translation [--wrong]``.

The tables are in ``translation_prompts/``, one prompt a line: group, prompt, and its content words in English. A
semicolon parts words that must all be there, a slash parts what may stand for one. A prompt is right if every
content word is there and no other. ``emoji.tsv``: a prompt and the emoji of which one must be the first.

The tables were written before the dictionary. ``dev.tsv`` is for tuning; it is not in the shares of the others.
"""

from __future__ import annotations

import sys
import time
from collections import defaultdict
from pathlib import Path

from lora.data.translation import translate
from lora.data.translation.emoji_words import emoji_for
from lora.data.translation.stems import fold, stem, tokens

PROMPTS = Path(__file__).parent / "translation_prompts"
# Words that carry no content of a picture.
EMPTY = frozenset(
    [
        "a",
        "an",
        "the",
        "of",
        "with",
        "without",
        "in",
        "on",
        "at",
        "under",
        "over",
        "by",
        "to",
        "from",
        "into",
        "through",
        "near",
        "and",
        "or",
        "is",
        "are",
        "behind",
        "for",
        "along",
    ]
)


def shares(language: str, table: str = "") -> dict[str, tuple[int, int, list[str]]]:
    """(right, all, lines about the wrong ones) by group of a language's table."""
    found: dict[str, tuple[int, int, list[str]]] = {}
    for line in (PROMPTS / f"{table or language}.tsv").read_text(encoding="utf-8").splitlines():
        group, prompt, wanted = line.split("\t")
        english = translate(prompt, language).english
        right, every, wrong = found.get(group, (0, 0, []))
        good = is_right(english, wanted)
        found[group] = (
            right + good,
            every + 1,
            wrong if good else [*wrong, f"{prompt} -> {english} ({wanted})"],
        )
    return found


def is_right(english: str, wanted: str) -> bool:
    """Whether the English has every content word and no other. Endings are not compared."""
    said = {stem(fold(token), "en") for token in tokens(english) if token[0].isalnum()} - EMPTY
    allowed: set[str] = set()
    for slot in wanted.split(";"):
        ways = [{stem(word, "en") for word in fold(way).split()} for way in slot.split("/")]
        if not any(way <= said for way in ways):
            return False
        allowed |= set().union(*ways)
    return said <= allowed


def emoji_share() -> tuple[int, int, list[str]]:
    """(right, all, lines about the wrong ones) of the first emoji of one-thing prompts."""
    lines = (PROMPTS / "emoji.tsv").read_text(encoding="utf-8").splitlines()
    wrong = []
    for line in lines:
        prompt, wanted = line.split("\t")
        first = "".join(emoji_for(prompt, language_hint="ru")[:1])
        if not first or first.replace("\ufe0f", "") not in _set_of(wanted):
            wrong.append(f"{prompt} -> {first} ({wanted})")
    return len(lines) - len(wrong), len(lines), wrong


def _set_of(wanted: str) -> set[str]:
    import emoji

    return {match["emoji"].replace("\ufe0f", "") for match in emoji.emoji_list(wanted)} | set(wanted)


def main(arguments: list[str]) -> None:
    lists: dict[str, list[str]] = defaultdict(list)
    start = time.perf_counter()
    tables = ("ru", "de", "es", "dev") if "--dev" in arguments else ("ru", "de", "es")
    for name in tables:
        for group, (right, every, wrong) in shares("ru" if name == "dev" else name, name).items():
            print(f"{name} {group:10} {right:3} of {every:3} right, {right / every:.1%}")
            lists[name] += wrong
    right, every, lists["emoji"] = emoji_share()
    print(f"first emoji   {right:3} of {every:3} right, {right / every:.1%}")
    print(f"all of it in {time.perf_counter() - start:.2f} s, tables read")
    if "--wrong" in arguments:
        shown = [name for name in lists if name in arguments] or list(lists)
        print(*(f"{name}: {line}" for name in shown for line in lists[name]), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
