"""The captions of the drawings for the base's training: many forms of one name, with and without its style."""

from __future__ import annotations

from random import Random

from lora.pretrain.held_out_words import SYNONYMS
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


def styled(style: str, what: str, background: str, rng: Random) -> str:
    """A caption with style and background. White, the name of the usual background, is mostly left out."""
    text = rng.choice(
        (
            f"{style} {what}",
            f"{style} {what}",
            f"{what}, {style}",
            f"{what} in {style} style",
            f"{style} sticker of {what}",
            what,
        )
    )
    if background != "white" or rng.random() < 0.3:
        text += f", {background} background"
    return text
