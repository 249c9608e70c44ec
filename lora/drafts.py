"""Drafts of captions: from emoji in a file's name, by a local BLIP, or as a prompt for any language model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lora.captions import draft_from_emoji, length
from lora.pictures import open_rgba

MAX_NEW_TOKENS = 30  # BLIP says what it sees in about ten


class DraftError(Exception):
    """No drafts can be made; the message says why and what to do."""


def from_name(file_name: str) -> str:
    """What the emoji in a file's name say, or nothing: ``01-🦊.png`` is a fox."""
    return draft_from_emoji(Path(file_name).stem)


class Blip:
    """BLIP (Li et al. 2022, arXiv 2201.12086) from a local folder such as a copy of ``blip-image-captioning-base``."""

    def __init__(self, folder: Path) -> None:
        from transformers import AutoTokenizer, BlipForConditionalGeneration

        from lora.blip_pixels import pixel_size

        if not (folder / "config.json").is_file():
            raise DraftError(f"{folder}: no BLIP folder: it has no config.json")
        local: dict[str, Any] = {"local_files_only": True}
        try:
            self._model = BlipForConditionalGeneration.from_pretrained(folder, use_safetensors=True, **local)
            self._tokenizer = AutoTokenizer.from_pretrained(folder, **local)
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            raise DraftError(f"{folder}: cannot be loaded as BLIP: {str(error).splitlines()[0]}") from error
        self._model.eval()
        self._side = pixel_size(folder, self._model.config.vision_config.image_size)

    def caption(self, picture: bytes) -> str:
        """What BLIP sees on a picture, its transparency on white. Raises PictureError."""
        import torch

        from lora.blip_pixels import pixels

        with torch.no_grad():
            ids = self._model.generate(
                pixel_values=pixels(open_rgba(picture), self._side), max_new_tokens=MAX_NEW_TOKENS
            )
        return str(self._tokenizer.decode(ids[0], skip_special_tokens=True)).strip()


def problem(caption: str, keyword: str) -> str | None:
    """Why a text cannot be a caption, or None."""
    if not caption.strip():
        return "it is empty"
    fit = length(caption, keyword)
    return None if fit.fits else f"it has {fit}"


def llm_prompt(file_names: Sequence[str], keyword: str) -> str:
    """What to paste, together with the pictures, into any language model that can see."""
    first = (
        f"Do not describe the style, for the word {keyword} will stand for it"
        if keyword
        else "Name the style"
    )
    listed = "\n".join(f"- {name}" for name in file_names)
    return f"""I am training an image model on the stickers that I attach, and need a caption for each.

Rules:
- Say in English, in 3 to 15 words, what is to be seen: who or what, doing what, with which face, colours, things.
- {first}, nor the background.
- Begin with “a” or “an”. No two captions may be the same: say what sets each picture apart.
- Do not quote lettering. If you cannot see a picture, leave its caption empty; never guess.

Answer with nothing but a table of this form, one row for each file, the names exactly as given:

| file_name | text |
| --- | --- |
| example.png | a red fox waving with its left paw |

The files:
{listed}
"""
