"""What is said to the bot: taken away from an English prompt, and words that ask for no drawing."""

from __future__ import annotations

import re

from bot.locales import LANGUAGES

_STICKER = r"(?:a|an|the|one)\s+(?:sticker|picture|drawing|image)\s+(?:of|with|where|showing)\s+"
_FRONT = re.compile(
    r"\A\s*(?:(?:hi|hello|hey)\b[\s,.!]*)?(?:please\b,?\s*)?(?:(?:can|could|would|will) you\s+)?(?:please\s+)?(?:"
    rf"(?:i(?:'d| would) like|draw|paint|sketch|create|generate)(?:\s+me|\s+us)?\s+(?:{_STICKER})?"
    r"(?=(?:a|an|some|one|two|three)\b)"
    rf"|(?:(?:i (?:want|need)|(?:make|give)(?:\s+me|\s+us)?)\s+)?{_STICKER})",
    re.IGNORECASE,
)
_STICKER_RU = (
    r"(?:стикер|картинк[ау]|рисунок|изображение|наклейк[ау])\s*(?:[:,]\s*)?"
    r"(?:(?:с|со|где|на котор(?:ом|ой))(?=\s)|(?<=[:,]\s))\s*"
)
_PLEASE_RU = r"(?:[\s,]*\b(?:мне|нам|теперь|пожалуйста|плиз)\b)*[\s,:]+"
_FRONT_RU = re.compile(
    r"\A\s*(?:(?:привет(?:ик)?|здравствуй(?:те)?|эй|ну|а|и)\b[\s,.!]*)*(?:пожалуйста\b,?\s*)?(?:(?:"
    rf"(?:(?:ты\s+)?(?:с?можешь|мог(?:ла)? бы){_PLEASE_RU}(?:нарисовать|сделать)|(?:теперь\s+)?нарисуй(?:те)?|нарисуешь"
    r"|сделай(?:те)?(?!\s+(?:его|её|ее|их|это)\b)|давай\s+нарисуем|попробуй\s+нарисовать|мне\s+(?:бы|нужен|нужн[аоы]))"
    rf"{_PLEASE_RU}(?:{_STICKER_RU})?)|(?:хочу\s+)?{_STICKER_RU})(?!(?:мне|нам|теперь|пожалуйста|плиз)\W*\Z)",
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
    without = _END.sub("", _END.sub("", _FRONT_RU.sub("", _FRONT.sub("", text))))
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
