"""Telegram's rules for what stands on a pack and its stickers: names, titles, emoji, search words."""

from __future__ import annotations

import re

import emoji
from telegram.constants import StickerLimit

from lora.data import captions
from lora.data.translation import emoji_words

MAX_NAME = 64  # characters of a name, and of a title
DEFAULT_EMOJI = ["🎨"]
MAX_EMOJI = 3  # that the bot gives by itself
MOST_EMOJI = int(StickerLimit.MAX_STICKER_EMOJI)


def set_name(keyword: str, person: int, number: int, username: str) -> str:
    """A set's name: keyword, owner and number, then the suffix that Telegram demands; 64 characters at most.

    It starts with a letter, has only letters, digits and single underscores. The keyword is cut to fit,
    never the suffix.
    """
    suffix = f"_{_base36(person)}_{number}_by_{username}"
    slug = re.sub("[^a-z0-9]", "", keyword.lower()).lstrip("0123456789") or "stickers"
    return slug[: MAX_NAME - len(suffix)] + suffix


def set_title(owner: str, called: str, number: int) -> str:
    """What people read on the pack: ``called`` is the style's keyword or a word for stickers; 64 characters at most."""
    end = f" · {called}{f' {number}' if number > 1 else ''}"
    return owner.strip()[: MAX_NAME - len(end)] + end


def next_title(title: str) -> str:
    """The title of the pack that follows a full one: the same with the next number."""
    found = re.fullmatch(r"(.*\S) (\d{1,3})", title)
    start, number = (found[1], int(found[2])) if found else (title, 1)
    end = f" {number + 1}"
    return start[: MAX_NAME - len(end)] + end


def emoji_in(text: str) -> list[str]:
    """The emoji in a text, each a whole one, without repeats; at most 20."""
    found = dict.fromkeys(match["emoji"] for match in emoji.emoji_list(text))
    return list(found)[:MOST_EMOJI]


def keywords_in(text: str) -> list[str]:
    """Search words as a person writes them, with commas or spaces between; as many as Telegram takes."""
    parts = text.split(",") if "," in text else text.split()
    found: list[str] = []
    for word in dict.fromkeys(" ".join(part.split()).lower() for part in parts):
        fits = sum(map(len, found)) + len(word) <= StickerLimit.MAX_KEYWORD_LENGTH
        if word and fits and len(found) < StickerLimit.MAX_SEARCH_KEYWORDS:
            found.append(word)
    return found


def emoji_for(prompt: str, language: str) -> list[str]:
    """The emoji that Telegram suggests the sticker for; 1 to 3. ``language`` is that of who wrote the prompt."""
    return emoji_words.emoji_for(captions.normalise(prompt), MAX_EMOJI, language) or DEFAULT_EMOJI


def keywords_for(prompt: str, keyword: str, language: str) -> list[str]:
    """Words that the sticker is found by, in the person's language and in English; at most 20, 64 characters in all.

    The first is the keyword of the style, so that all stickers of a style are found by it.
    """
    found: list[str] = []
    words = emoji_words.keywords_for(captions.normalise(prompt), language)
    for word in dict.fromkeys([keyword, *words] if keyword else words):
        fits = sum(map(len, found)) + len(word) <= StickerLimit.MAX_KEYWORD_LENGTH
        if fits and len(found) < StickerLimit.MAX_SEARCH_KEYWORDS:
            found.append(word)
    return found


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[rest] + digits
    return digits or "0"
