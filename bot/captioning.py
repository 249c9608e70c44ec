"""Captions on their way to samples: the keyword put in, the length judged, an album's lines dealt out."""

from __future__ import annotations

from collections.abc import Sequence

from bot.store import Store
from bot.tables import samples
from lora.data import captions


class TooLong(Exception):
    """The caption has ``tokens`` tokens beside the keyword, more than ``captions.room`` leaves."""

    def __init__(self, tokens: int) -> None:
        super().__init__(f"{tokens} tokens")
        self.tokens = tokens


def finish(text: str, keyword: str) -> str:
    """The caption as it will be trained, with its keyword. Raises TooLong."""
    text = captions.normalise(text)
    if not (length := captions.length(text, keyword)).fits:
        raise TooLong(length.tokens)
    return captions.with_keyword(text, keyword)


async def give(store: Store, sample: int, text: str, keyword: str, origin: str) -> None:
    """Caption a sample, or remember that the caption was too long."""
    try:
        await samples.caption(store, sample, finish(text, keyword), origin)
    except TooLong as error:
        await samples.refuse_caption(store, sample, error.tokens)


async def deal_out(store: Store, person: int, album: str, keyword: str) -> None:
    """Caption an album's pictures from what was written to it, as far as they have arrived.

    An album comes as one update per picture, so this runs for each and may take back what it gave before.
    """
    async with store.transaction():
        items = await samples.album(store, person, album)
        for item, text in zip(items, lines_for([item.caption for item in items]), strict=True):
            if item.sample is None or item.caption_from == "person":
                continue
            await samples.forget_album_caption(store, item.sample)
            if text is not None:
                await give(store, item.sample, text, keyword, "album")


def lines_for(written: Sequence[str | None]) -> list[str | None]:
    """What each picture of an album is called. One caption with a line per picture is one caption each;
    any other belongs to the picture that carries it.
    """
    only = [text for text in written if text]
    lines = [line.strip() for line in only[0].splitlines() if line.strip()] if len(only) == 1 else []
    if len(lines) == len(written) > 1:
        return list(lines)
    return list(written)
