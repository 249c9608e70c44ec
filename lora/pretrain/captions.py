"""What the drawings are called while the base is trained: many forms of one name, with and without its style."""

from __future__ import annotations

from random import Random

ARTICLES = ("", "", "a ", "the ")


def subject(concept: str, tags: tuple[str, ...], rng: Random) -> str:
    """The concept's own name most of the time, else one or two of its tags."""
    draw = rng.random()
    if draw < 0.62 or not tags:
        return rng.choice(ARTICLES) + concept
    if draw < 0.86:
        return rng.choice(ARTICLES) + rng.choice(tags)
    return " ".join(rng.sample(tags, min(2, len(tags))))


def caption(style: str, concept: str, tags: tuple[str, ...], ground: str, rng: Random) -> str:
    """One way to ask for this drawing. ``ground`` is the background's colour name; white is mostly left unsaid."""
    what = subject(concept, tags, rng)
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
    if ground != "white" or rng.random() < 0.3:
        text += f", {ground} background"
    return text
