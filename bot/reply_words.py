"""What a reply in words to a drawing says of its prompt: again, or something that is added to it."""

from __future__ import annotations

import re
from dataclasses import replace

from bot.english import English
from lora.data.translation.lexicon import ADJECTIVES, kinds
from lora.jobs import DrawOptions

AGAIN = frozenset(("again", "another", "more"))
BESIDE = AGAIN | {"one", "please", "once", "do", "it", "draw", "the", "same", "but", "and"}
JOINING = ("but", "and", "now")
ADDING = frozenset(("with", "in", "on", "under", "wearing", "holding", "behind", "near", "among"))

MAKE = frozenset(("make", "it", "its", "him", "his", "her", "them", "this", "more", "and"))

REMOVE = re.compile(
    r"\A\s*(?:now |а теперь |теперь )?(?:(remove|take off)|убери|убрать|сними)\s+", re.IGNORECASE
)


def removal_as_without(text: str) -> str:
    """ "Remove the hat" as "without the hat"; another text as it is."""
    return REMOVE.sub(lambda found: "without " if found[1] else "без ", text)


def asks_again(said: English) -> bool:
    """Whether a reply only asks for another drawing: "another one please"."""
    words = _words(said)
    return not AGAIN.isdisjoint(words) and BESIDE.issuperset(words)


def added(prompt: English, said: English) -> English:
    """The prompt with what a reply adds to it, as "now with a hat" and "make it red" do; else what the reply says."""
    words = said.text.split()
    while words and words[0].lower() in JOINING:
        words = words[1:]
    if looks := _adjectives(words):
        return _joined(prompt, said, f"{prompt.text}, {looks}", ", ")
    if len(words) < 2 or words[0].lower() not in ADDING:
        return said
    return _joined(
        prompt, said, f"{prompt.text} {' '.join(words)}", " " if words == said.text.split() else ", "
    )


def wanted_again(options: DrawOptions, prompt: English) -> DrawOptions:
    """The options without what their negative prompt leaves out and the prompt now shows."""
    things = options.negative_prompt.split(", ")
    written = (options.negative_written or options.negative_prompt).split(", ")
    if len(things) != len(written):
        return options
    pairs = zip(things, written, strict=True)
    kept = [(thing, said) for thing, said in pairs if not re.search(rf"\b{re.escape(thing)}\b", prompt.text)]
    text, said = (", ".join(each) for each in zip(*kept, strict=True)) if kept else ("", "")
    return replace(options, negative_prompt=text, negative_written=said if said != text else "")


def _joined(prompt: English, said: English, text: str, between: str) -> English:
    """``between`` stands between the person's words: "кот в лесу", "кот, а теперь с шапкой"."""
    original = None
    if prompt.original or said.original:
        original = f"{prompt.original or prompt.text}{between}{said.original or said.text}"
    unknown = ", ".join(filter(None, (prompt.unknown, said.unknown)))
    return English(text=text, original=original, unknown=unknown)


def _adjectives(words: list[str]) -> str:
    """The words of a reply that holds nothing but adjectives, and "make it"; "" if it holds another."""
    named = [word for word in words if word.lower().strip(",.!?") not in MAKE]
    bare = [word for word in (one.lower().strip(",.!?") for one in named) if word not in ("very", "too")]
    return " ".join(named) if bare and all(kinds().get(word) in ADJECTIVES for word in bare) else ""


def _words(said: English) -> list[str]:
    return re.findall(r"\w+", said.text.lower())
