"""What is said to the bot: taken away from an English prompt, and replies that ask for no drawing."""

from __future__ import annotations

import re

from bot.locales import LANGUAGES

_FRONT = re.compile(
    r"\A\s*(?:please\b,?\s*)?(?:(?:can|could|would|will) you\s+)?(?:please\s+)?"
    r"(?:i(?:'d| would) like|draw|paint|sketch|create|generate)(?:\s+me|\s+us)?\s+"
    r"(?=(?:a|an|some|one|two|three)\b)",
    re.IGNORECASE,
)
_END = re.compile(
    r"(?:,\s*(?:please|pls|plz|thanks|thank you|thx)"
    r"|(?<!\bsay)(?<!\bsays)(?<!\bsaying)(?<!\bpretty)(?<!\byes)(?<!\boh)(?<!\bword)(?<!\bwith)(?<!\bsign)\s+(?:please|pls|plz))[\s.!?]*\Z",
    re.IGNORECASE,
)


def without_politeness(text: str) -> str:
    """The prompt without "please", "could you draw" and the like around it. A text of nothing else stays."""
    without = _END.sub("", _END.sub("", _FRONT.sub("", text)))
    return without if any(map(str.isalnum, without)) else text


def small_talk(text: str) -> str | None:
    """The key of the answer to a reply that asks for no drawing, "thanks!" or "bigger"; None to another reply."""
    said = re.findall(r"\w+", text.casefold())
    for key, words in (("reply-thanks", "reply-thanks-words"), ("reply-talk", "reply-talk-words")):
        if said and any(set(said) <= set(one.TEXTS[words].split()) for one in LANGUAGES.values()):
            return key
    return None
