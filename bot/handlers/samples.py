"""Stickers, photos and files that a person sends: each is stored as a sample, or refused with a reason."""

from __future__ import annotations

import re

from telegram import Document, Message, PhotoSize
from telegram import Sticker as TelegramSticker

from bot import captioning
from bot.context import Context
from bot.errors import KeepForLater, UserError
from bot.handlers.captions import confirm
from bot.handlers.imports import take_packs
from bot.import_sources import moves
from bot.intake import Offer, Taken
from bot.sample_lines import without_number
from bot.sample_words import KEPT, Repeat
from bot.tables import samples, styles
from bot.tables.styles import Style
from lora.data import captions


async def sticker(context: Context) -> None:
    """A forwarded sticker is a sample, of one that moves a still picture; its emoji drafts the caption."""
    found = context.message.sticker
    assert found is not None
    await _take(context, found, kind="sticker", draft=captions.draft_from_emoji(found.emoji or ""))


async def photo(context: Context) -> None:
    """A photo is a sample; Telegram has taken its transparency."""
    await _take(context, context.message.photo[-1], kind="photo")


async def document(context: Context) -> None:
    """A file is a sample if it is a picture, whatever its name says."""
    found = context.message.document
    if found is None or context.message.animation or context.message.video:
        await _refuse(context, UserError("sticker-moves"))
    elif found.file_size is not None and found.file_size == 0:
        await _refuse(context, UserError("picture-empty"))
    else:
        await _take(context, found, kind="file")


async def _take(
    context: Context, found: TelegramSticker | PhotoSize | Document, *, kind: str, draft: str = ""
) -> None:
    """Store a picture. ``SampleReplies`` answers all that arrive together with one message."""
    parts, message = context.parts, context.message
    if (style := await styles.get(parts.store, context.person.id, context.person.style)) is None:
        if lent := await styles.usable(parts.store, context.person.id, context.person.style):
            await _refuse(context, UserError("style-lent", keyword=lent.keyword))
            return
        await parts.sample_replies.refuse(context.person.id, message.message_id, KEPT)
        raise KeepForLater
    offer = Offer(
        file_id=found.file_id,
        file_unique_id=found.file_unique_id,
        bytes=found.file_size or 0,
        kind=kind,
        message_id=message.message_id,
        sent_at=message.date.timestamp(),
        language=context.person.writes_in,
        album=message.media_group_id,
        caption=_words_of(message),
        draft=captions.with_keyword(draft, style.keyword) if draft else None,
        pack=found.set_name if isinstance(found, TelegramSticker) else None,
        moves=moves(found) if isinstance(found, TelegramSticker) else "",
        emoji=(found.emoji or "") if isinstance(found, TelegramSticker) else "",
    )
    try:
        taken, id = await parts.intake.take(style, offer, parts.config.train.max_samples)
    except UserError as error:
        await _refuse(context, error)
        return
    if message.caption and captioning.names_pack(message.caption):
        await take_packs(context, message.caption)
    if taken is Taken.RECAPTIONED:
        await _confirm_repeated(context, style)
        return
    repeated = None if taken is Taken.NEW else Repeat(sample=id, clearer=taken is Taken.CLEARER)
    parts.sample_replies.poke(context.person.id, repeated)


def _words_of(message: Message) -> str | None:
    """A picture's caption without links and the number of a list; None if nothing is left or it is a command.

    The lines of an album keep their numbers here.
    """
    words = without_number(captioning.without_links(message.caption or ""))
    return None if not words or re.match(r"/[^\W\d_]", words) else words


async def _refuse(context: Context, error: UserError) -> None:
    """Have ``SampleReplies`` say why a picture was not taken."""
    await context.parts.sample_replies.refuse(
        context.person.id, context.message.message_id, error.key, **error.params
    )


async def _confirm_repeated(context: Context, style: Style) -> None:
    """Say that a picture that was here before has its new words, or that they are too long."""
    message_id = context.message.message_id
    done = await samples.captioned_by(context.parts.store, context.person.id, message_id)
    if done:
        await confirm(context)
        return
    room = captions.room(style.keyword)
    await _refuse(context, UserError("repeated-caption-refused", room=room, keyword=style.keyword))
