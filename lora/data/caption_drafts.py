"""Drafts of captions: from emoji in a file's name, by a local BLIP, or as a prompt for any language model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lora.data.captions import draft_from_emoji, length


def from_name(file_name: str) -> str:
    """The words for the emoji in a file's name, or "": ``01-🦊.png`` gives a fox."""
    return draft_from_emoji(Path(file_name).stem)


def problem(caption: str, keyword: str) -> str | None:
    """Why a text cannot be a caption, or None."""
    if not caption.strip():
        return "it is empty"
    fit = length(caption, keyword)
    return None if fit.fits else f"it has {fit}"


def llm_prompt(file_names: Sequence[str], keyword: str) -> str:
    """A prompt that asks a language model for captions. It is sent with the pictures to a model that can see."""
    first = (
        f"Do not describe the style, for the word {keyword} will stand for it, nor the background."
        if keyword
        else "Name the style, but not the background."
    )
    listed = "\n".join(f"- {name}" for name in file_names)
    return f"""I am training an image model on the stickers that I attach, and need a caption for each.

Rules:
- Say in English, in 3 to 15 words, what is to be seen: who or what, doing what, with which face, colours, things.
- {first}
- Begin with “a” or “an”. No two captions may be the same: say what sets each picture apart.
- Do not quote lettering. If you cannot see a picture, leave its caption empty; never guess.

Answer with nothing but a table of this form, one row for each file, the names exactly as given:

| file_name | text |
| --- | --- |
| example.png | a red fox waving with its left paw |

The files:
{listed}
"""
