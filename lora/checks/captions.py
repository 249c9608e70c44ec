"""Checks of captions: the keyword, the length in CLIP's tokens, what they say and whether they differ."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from lora.checks.share import severity
from lora.data.captions import has_keyword, keyword_problem, length, normalise
from lora.data.translation.lexicon import is_english, kinds
from lora.jobs import Finding

ARTICLES = ("a", "an", "the")
LEAST_SHARED = 3  # captions that begin with the same unknown word
LEAST_LETTERS = 3  # of a word that says something, if it is no noun

_MEDIUM = re.compile(
    r"\b(stickers?|emojis?|illustrations?|cartoons?|clip ?art|line ?art|pixel ?art|watercolou?rs?|vector art"
    r"|flat design|chibi|anime|manga|doodles?|style)\b",
    re.IGNORECASE,
)


def check(texts: Sequence[str], keyword: str) -> list[Finding]:
    """All findings on captions. Without a keyword, the one that they share is taken, if any."""
    keyword = keyword or shared_keyword(texts)
    return [
        *_keyword(texts, keyword),
        *_length(texts, keyword),
        *_same(texts, keyword),
        *_medium(texts, keyword),
    ]


def other_keyword(texts: Sequence[str], keyword: str) -> tuple[str, tuple[int, ...]]:
    """The word that several captions begin with as with another style's keyword, and their numbers from 1.

    An article may stand before it. It is no English word and could be a keyword. ("", ()) if fewer than
    ``LEAST_SHARED`` begin with the same one.
    """
    words = ([word for word in _without(text, keyword).split() if word not in ARTICLES] for text in texts)
    first = [next(iter(said), "") for said in words]
    for word, count in Counter(first).most_common():
        if count >= LEAST_SHARED and keyword_problem(word) is None and not is_english(word):
            return word, _numbers(one == word for one in first)
    return "", ()


def shared_keyword(texts: Sequence[str]) -> str:
    """The first word that every caption says and that could be a keyword; empty if there is none."""
    if not texts:
        return ""
    words = re.findall(r"\w+(?:-\w+)*", texts[0].lower())
    return next((w for w in words if _may_be_one(w) and all(has_keyword(text, w) for text in texts)), "")


def _may_be_one(word: str) -> bool:
    """Whether a word of a caption could be meant as its keyword. English joins its own words by hyphens."""
    return keyword_problem(word) is None and any(keyword_problem(part) is None for part in word.split("-"))


def _keyword(texts: Sequence[str], keyword: str) -> list[Finding]:
    if not keyword:
        return [Finding(code="keyword-none", severity="warning")]
    found = []
    if problem := keyword_problem(keyword):
        found.append(Finding(code="keyword-unfit", severity="warning", detail=problem))
    missing = _numbers(not has_keyword(text, keyword) for text in texts)
    if missing:  # no more than advice: the training puts it in
        found.append(Finding(code="keyword-missing", severity="advice", samples=missing))
    other, numbers = other_keyword(texts, keyword)
    if other:  # no more than advice: it may be the name of whom the pictures show
        found.append(Finding(code="keyword-other", severity="advice", samples=numbers, detail=other))
    return found


def _length(texts: Sequence[str], keyword: str) -> list[Finding]:
    found = []
    for number, text in enumerate(texts, start=1):
        fit = length(text, keyword)
        if not fit.fits:
            found.append(
                Finding(code="caption-too-long", severity="error", samples=(number,), detail=str(fit))
            )
    rest = [_without(text, keyword) for text in texts]
    if empty := _numbers(not text for text in rest):
        found.append(Finding(code="caption-empty", severity=severity(len(empty), len(texts)), samples=empty))
    if short := _numbers(bool(text) and not any(map(_says_something, text.split())) for text in rest):
        found.append(Finding(code="caption-short", severity=severity(len(short), len(texts)), samples=short))
    return found


def _says_something(word: str) -> bool:
    """Whether a word may name what is to be seen: "fox" does as "a fox" does, "a" and "2" do not."""
    return word not in ARTICLES and (len(word) >= LEAST_LETTERS or kinds().get(word) == "noun")


def _same(texts: Sequence[str], keyword: str) -> list[Finding]:
    """One finding for each caption that several pictures have; empty ones are another check's."""
    groups: dict[str, list[int]] = {}
    for number, text in enumerate(texts, start=1):
        if rest := _without(text, keyword):
            groups.setdefault(rest, []).append(number)
    shared = [group for group in groups.values() if len(group) > 1]
    grave = severity(sum(map(len, shared)), len(texts))
    return [Finding(code="captions-same", severity=grave, samples=tuple(group)) for group in shared]


def _medium(texts: Sequence[str], keyword: str) -> list[Finding]:
    """Whether each caption says, by the keyword or in plain words, that it is a sticker of some look."""
    named = [_MEDIUM.search(text) is not None for text in texts]
    found = []
    unsaid = _numbers(
        not says and not (keyword and has_keyword(text, keyword))
        for says, text in zip(named, texts, strict=True)
    )
    if unsaid:
        found.append(Finding(code="style-unsaid", severity="advice", samples=unsaid))
    few = sum(named) <= len(named) / 2
    odd = _numbers(says == few for says in named)
    if odd:
        found.append(Finding(code="style-uneven", severity="advice", samples=odd))
    return found


def _without(text: str, keyword: str) -> str:
    """What a caption says beside the keyword, in lower case and without punctuation."""
    text = normalise(text).lower()
    if keyword:
        text = re.sub(rf"(?<!\w){re.escape(keyword.lower())}(?!\w)", " ", text)
    return " ".join(re.findall(r"\w+", text))


def _numbers(faults: Iterable[bool]) -> tuple[int, ...]:
    """The places of what is true, counted from 1."""
    return tuple(number for number, fault in enumerate(faults, start=1) if fault)
