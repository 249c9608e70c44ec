"""Telegram's rules for what stands on a pack and its stickers: names, titles, emoji, search words."""

from __future__ import annotations

import re

from telegram.constants import StickerLimit

from lora.data import captions

MAX_NAME = 64  # characters of a name, and of a title
DEFAULT_EMOJI = ["🎨"]
SMALL_WORDS = frozenset(
    "a an the of in on at by to with and or for from is are its his her my your".split()  # noqa: SIM905
)


def set_name(keyword: str, person: int, number: int, username: str) -> str:
    """A set's name: keyword, owner and number, then the suffix that Telegram demands; 64 characters at most.

    It starts with a letter, has only letters, digits and single underscores. The keyword is cut to fit,
    never the suffix.
    """
    suffix = f"_{_base36(person)}_{number}_by_{username}"
    slug = re.sub("[^a-z0-9]", "", keyword.lower()).lstrip("0123456789") or "stickers"
    return slug[: MAX_NAME - len(suffix)] + suffix


def set_title(owner: str, keyword: str, number: int) -> str:
    """What people read on the pack; 64 characters at most."""
    end = f" · {keyword or 'stickers'}{f' {number}' if number > 1 else ''}"
    return owner.strip()[: MAX_NAME - len(end)] + end


def emoji_for(prompt: str) -> list[str]:
    """The emoji that Telegram suggests the sticker for; 1 to 3."""
    return captions.emoji_for(prompt, 3) or DEFAULT_EMOJI


def keywords_for(prompt: str) -> list[str]:
    """Words that the sticker is found by; at most 20, at most 64 characters in all."""
    found: list[str] = []
    for word in dict.fromkeys(re.findall(r"\w+", prompt.lower())):
        fits = sum(map(len, found)) + len(word) <= StickerLimit.MAX_KEYWORD_LENGTH
        if (
            len(word) > 1
            and word not in SMALL_WORDS
            and fits
            and len(found) < StickerLimit.MAX_SEARCH_KEYWORDS
        ):
            found.append(word)
    return found


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"
