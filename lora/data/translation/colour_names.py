"""What colours are called in English, if they stand alone: a single word says little of its language."""

from __future__ import annotations

from collections.abc import Iterator

from lora.data.translation import table, translate
from lora.data.translation.language import CYRILLIC, USUAL, script
from lora.data.translation.lexicon import lexicon
from lora.data.translation.stems import fold


def colour_names(text: str, language: str) -> Iterator[str]:
    """What a colour may be called in English, the likeliest first: in the person's language, then in others."""
    yield translate(text, language).english
    likely = (language, *(CYRILLIC[:2] if script(text) == "CYRILLIC" else USUAL))
    for one in dict.fromkeys(likely):
        for said in (text, text.replace("-", " ")) if one in table.languages() else ():
            if entry := lexicon(one).find(" ".join(fold(said).split())):
                yield entry.english
