"""The captions of the drawings for the base's training: many forms of one name, with and without its style."""

from __future__ import annotations

from random import Random

from lora.pretrain.acts.words import act_words
from lora.pretrain.looks import Look
from lora.pretrain.names.held_out_words import SYNONYMS
from lora.pretrain.scenes import Scene

ARTICLES = ("", "", "a ", "the ")
NUMBERS = {2: ("two", "2", "a pair of"), 3: ("three", "3", "many")}
Drawing = dict[str, object]  # a row of drawings.json


def name(drawing: Drawing, rng: Random) -> str:
    """The concept's own name most of the time, else one of its tags; never a held-out word (``SYNONYMS``)."""
    tags = [tag for tag in drawing["tags"] if tag not in SYNONYMS]  # type: ignore[attr-defined]
    if tags and rng.random() > 0.78:
        return str(rng.choice(tags))
    return str(drawing["concept"])


def subject(drawing: Drawing, rng: Random) -> str:
    """The caption of a drawing of one thing: its name with or without an article, or two of its tags."""
    tags: tuple[str, ...] = tuple(drawing["tags"])  # type: ignore[arg-type]
    if len(tags) > 1 and rng.random() < 0.1:
        return " ".join(rng.sample(tags, 2))
    return rng.choice(ARTICLES) + name(drawing, rng)


def described(drawing: Drawing, scene: Scene, drawings: list[Drawing], rng: Random) -> str:
    """The caption of a scene, without style and background."""
    if scene.act:
        return act_words(scene.act, drawings, rng)
    if scene.kind == "coloured":
        what = name(drawing, rng)
        forms = (f"{scene.colour} {what}", a(f"{scene.colour} {what}"), f"{what} in {scene.colour}")
        return rng.choice((*forms, f"{scene.colour} {drawing['concept']}"))
    if scene.kind == "several":
        return f"{rng.choice(NUMBERS[scene.count])} {plural(name(drawing, rng))}"
    if scene.kind in ("beside", "with", "wearing"):
        first, second = name(drawing, rng), str(drawings[scene.other]["concept"])
        return rng.choice(_JOINED[scene.kind]).format(first, second, a(first), a(second))
    return subject(drawing, rng)


_JOINED = {
    "beside": ("{0} and {1}", "{2} and {3}", "{0} beside {1}"),
    "with": ("{0} with {1}", "{2} with {3}", "{0} with {3}"),
    "wearing": ("{0} with {1}", "{0} wearing {1}", "{2} in {3}"),
}


def a(words: str) -> str:
    """With the article "a" or "an"."""
    return f"{'an' if words[:1] in 'aeiou' else 'a'} {words}"


def plural(words: str) -> str:
    """With the last word in the regular plural."""
    if words.endswith(("s", "x", "sh", "ch")):
        return f"{words}es"
    return f"{words}s"


def styled(style: str, what: str, background: str, rng: Random, look: Look | None = None) -> str:
    """A caption with style or look, and background. White, the name of the usual background, is mostly left out."""
    forms = _with_look(style, what, look.words(rng)) if look else _with_style(style, what)
    text = rng.choice(forms)
    if background != "white" or rng.random() < 0.3:
        text += f", {background} background"
    return text


def _with_style(style: str, what: str) -> tuple[str, ...]:
    return (
        f"{style} {what}",
        f"{style} {what}",
        f"{what}, {style}",
        f"{what} in {style} style",
        f"{style} sticker of {what}",
        what,
    )


def _with_look(style: str, what: str, words: str) -> tuple[str, ...]:
    """A look is always said; the set that was changed, in two of five captions."""
    return (
        f"{what}, {words}",
        f"{words}, {what}",
        f"{words} sticker of {what}",
        f"{style} {what}, {words}",
        f"{what} in {style} style, {words}",
    )
