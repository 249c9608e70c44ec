"""Texts without characters that nobody sees: controls of direction, blanks without width, control characters."""

from __future__ import annotations

import re

# Categories Cc (but for line ends and tabs) and Cf of Unicode, and the fillers that are letters to it. What joins emoji
# and letters stays: U+200C, U+200D, variation selectors and tags (a flag of Wales has some).
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0001]"
)
_JOINERS = re.compile("[\u200c\u200d\u2800\ufe00-\ufe0f\U000e0020-\U000e007f\\s]*")


def visible(text: str) -> str:
    """The text as people see it; empty if there is nothing to see. So a text cannot turn the words around it."""
    if text.isascii() and text.isprintable():
        return text
    text = _UNSEEN.sub("", text)
    return "" if text.strip() and _JOINERS.fullmatch(text) else text
