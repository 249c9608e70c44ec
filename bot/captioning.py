"""Captions on their way to samples: in English, with the keyword, not too long; an album's lines one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from bot.english import English, in_english
from bot.sample_lines import without_number
from bot.store import Store
from bot.tables import albums, people, samples
from bot.tables.albums import AlbumItem
from bot.tables.samples import CaptionOrigin
from lora.data import captions

_LINK = re.compile(r"(?<!\S)(?:https?://|tg://|www\.|t\.me/|telegram\.me/)\S*", re.IGNORECASE)
_PACK_NAME = r"[A-Za-z][A-Za-z0-9_]{0,63}"
_PACK_LINK = re.compile(
    rf"(?:t|telegram)\.me/addstickers/({_PACK_NAME})|tg://addstickers/?\?set=({_PACK_NAME})", re.IGNORECASE
)
MOST_PACKS = 5  # in one message


class TooLong(Exception):
    """The caption has ``tokens`` tokens beside the keyword, more than ``captions.room`` leaves."""

    def __init__(self, tokens: int) -> None:
        super().__init__(f"{tokens} tokens")
        self.tokens = tokens


def without_links(text: str) -> str:
    """A text without the links that stand by themselves in it: they say nothing about a picture."""
    return _LINK.sub("", text).strip()


def names_pack(text: str) -> bool:
    """Whether a text holds the link of a sticker pack."""
    return bool(_PACK_LINK.search(text))


def pack_names(text: str) -> list[str]:
    """The names of the packs whose links are in a text, at most ``MOST_PACKS``."""
    found = [one or other for one, other in _PACK_LINK.findall(text)]
    return list(dict.fromkeys(found))[:MOST_PACKS]


def is_pack_name(text: str) -> bool:
    """Whether a text has the form of a pack's name."""
    return re.fullmatch(_PACK_NAME, text) is not None


def finish(text: str, keyword: str, language: str) -> English:
    """The caption as it will be trained, in English with its keyword. Raises TooLong."""
    english = in_english(text, keyword, language)
    if not (length := captions.length(english.text, keyword)).fits:
        raise TooLong(length.tokens)
    return replace(english, text=captions.with_keyword(english.text, keyword))


async def store_finished(
    store: Store, sample: int, caption: English, origin: CaptionOrigin, *, message_id: int | None = None
) -> None:
    """Store a caption that ``finish`` has made."""
    await samples.caption(
        store,
        sample,
        caption.text,
        origin,
        original=caption.original,
        unknown=caption.unknown,
        message_id=message_id,
    )


async def give(
    store: Store,
    sample: int,
    text: str,
    keyword: str,
    language: str,
    origin: CaptionOrigin,
    *,
    message_id: int | None = None,
) -> None:
    """Caption a sample, or remember that the caption was too long."""
    try:
        await store_finished(store, sample, finish(text, keyword, language), origin, message_id=message_id)
    except TooLong as error:
        await samples.refuse_caption(store, sample, error.tokens)


async def deal_out(store: Store, person: int, album: str, keyword: str) -> None:
    """Caption the pictures of an album from what was written to it, as far as they have arrived.

    An album comes as one update per picture, so this runs for each and may take back what it gave before.
    Telegram splits more than ten pictures into several albums: those of one moment are one here.
    """
    language = (await people.get(store, person)).writes_in
    async with store.transaction():
        items = await albums.albums_near(store, person, album)
        for item, text in zip(items, _texts(items), strict=True):
            if item.sample is None or item.caption_from == CaptionOrigin.PERSON:
                continue
            await albums.forget_album_caption(store, item.sample)
            if text is not None:
                await give(store, item.sample, without_number(text), keyword, language, CaptionOrigin.ALBUM)


def _texts(items: Sequence[AlbumItem]) -> list[str | None]:
    """A text for each picture: over all albums of the moment where the lines fit, else album by album."""
    together = _line_each([item.caption for item in items])
    if together is not None:
        return together
    albums = [list(album) for _, album in groupby(items, key=lambda item: item.album)]
    return [text for album in albums for text in lines_for([item.caption for item in album])]


def lines_for(written: Sequence[str | None]) -> list[str | None]:
    """What each picture of an album is called. One caption with a line per picture is one caption each.

    Other lines on the first picture are nobody's (``uneven_lines``). Any other caption belongs to the picture that
    carries it.
    """
    if (dealt := _line_each(written)) is not None:
        return dealt
    uneven = len(written) > 1 and not any(written[1:]) and len(lines_of(written[0])) > 1
    return [None] * len(written) if uneven else list(written)


def _line_each(written: Sequence[str | None]) -> list[str | None] | None:
    only = [text for text in written if text]
    lines = lines_of(only[0]) if len(only) == 1 else []
    return list(lines) if len(lines) == len(written) > 1 else None


def lines_of(text: str | None) -> list[str]:
    """The lines of a text that say something."""
    return [line.strip() for line in (text or "").splitlines() if line.strip()]


async def uneven_lines(store: Store, person: int, message_ids: Iterable[int]) -> tuple[int, int] | None:
    """(lines, pictures) of an album with one of these messages whose first picture has lines, but not one for each.

    None if there is no such album.
    """
    for album in await albums.of_messages(store, person, message_ids):
        items = await albums.albums_near(store, person, album)
        written = [item.caption for item in items if item.album == album]
        texts = [text for item, text in zip(items, _texts(items), strict=True) if item.album == album]
        if written[0] and not any(texts):
            alone = sum(1 for item in items if item.caption) == 1
            return len(lines_of(written[0])), len(items if alone else written)
    return None
