"""What is said to the bot: taken away from an English prompt, and words that ask for no drawing."""

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

MOST_SAID = 20  # words: nobody thanks at greater length
TALK = (("talk-hello", "talk-hello-words"), ("talk-how", "talk-how-words"), ("talk-help", "talk-help-words"))


def without_politeness(text: str) -> str:
    """The prompt without "please", "could you draw" and the like around it. A text of nothing else stays."""
    without = _END.sub("", _END.sub("", _FRONT.sub("", text)))
    return without if any(map(str.isalnum, without)) else text


def small_talk(text: str) -> str | None:
    """The key of the answer to words that ask for no drawing, "thanks!", "bigger" or "hello"; None to others."""
    said = re.findall(r"\w+", text.casefold().replace("’", "'").replace("'", ""))
    if not said or len(said) > MOST_SAID:
        return None
    for language in LANGUAGES.values():
        thanks = set(language.TEXTS["talk-thanks-words"].split())
        beside = set(language.TEXTS["talk-thanks-beside"].split())
        if thanks & set(said) and set(said) <= thanks | beside:
            return "talk-thanks"
        if set(said) <= set(language.TEXTS["talk-changes-words"].split()):
            return "talk-changes"
        hello = language.TEXTS["talk-hello-words"].split(", ")
        for key, words in TALK:
            if _consist(said, hello, language.TEXTS[words].split(", ")):
                return key
    return None


def _consist(said: list[str], before: list[str], phrases: list[str]) -> bool:
    """Whether the words are some of the phrases, perhaps with others before them."""
    first, then = ("|".join(map(re.escape, some)) for some in (before, phrases))
    return re.fullmatch(rf"(?:(?:{first}) )*(?:(?:{then})(?: |\Z))+", " ".join(said)) is not None
