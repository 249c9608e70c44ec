"""The samples of a style: storing and captioning them, /samples, /caption."""

from __future__ import annotations

import asyncio
import re

from telegram import Document, Message, PhotoSize
from telegram import Sticker as TelegramSticker

from bot import captioning
from bot.context import Context
from bot.english import English
from bot.errors import Buttons, KeepForLater, UserError
from bot.handlers.styles import make
from bot.intake import Offer, Taken
from bot.sample_replies import KEPT, called, lacking, next_step
from bot.tables import inbox, samples, styles
from bot.tables.samples import CaptionOrigin, Sample
from bot.tables.styles import Style
from bot.words import clip
from lora.data import captions
from lora.sheets.sample_sheet import Entry, sample_sheet

PAGE = 20  # pictures on one contact sheet
DRAFT_SECONDS = 600  # so long after a picture the next text may still replace its drafted caption


async def sticker(context: Context) -> None:
    """A forwarded sticker is a sample; its emoji drafts the caption."""
    found = context.message.sticker
    assert found is not None
    if found.is_animated or found.is_video:
        await _refuse(context, UserError("sticker-moves"))
        return
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


async def text(context: Context) -> None:
    """A text is a caption: of the picture it replies to, else of the newest that wants one."""
    message = context.message
    assert message.text is not None
    if context.person.style is None and await inbox.kept(context.parts.store, context.person.id):
        await _text_before_style(context, message.text)
        return
    await context.style()
    if captioning.names_pack(message.text):
        raise UserError("pack-link")
    if not (words := captioning.without_links(message.text)):
        raise UserError("link")
    done = await samples.captioned_by(context.parts.store, context.person.id, message.message_id)
    if not done:  # else this very text was worked on before, and then the bot was killed
        await _caption(context, await _meant(context, message, words))
    await _confirm(context)


async def edited(context: Context) -> None:
    """An edited message changes the captions that it gave. Other edits change nothing."""
    message, store = context.message, context.parts.store
    if context.person.style is None and await inbox.kept(store, context.person.id):
        raise KeepForLater
    words = captioning.without_links(message.text or message.caption or "")
    if not words or words.startswith("/"):
        return
    given = await samples.captioned_by(store, context.person.id, message.message_id)
    shown = await samples.by_message(store, context.person.id, message.message_id)
    if message.text is None and message.media_group_id is not None and shown:
        await _recaption_album(context, message.media_group_id, words, shown)
    elif len(given) > 1:
        await _caption(context, _deal(given, words) or [(given[-1], words)])
        await _confirm(context)
    elif about := given or [sample for sample in shown if sample.message_id == message.message_id]:
        await _caption(context, [(about[0], words)])
        await _confirm(context)


async def _recaption_album(context: Context, album: str, words: str, shown: list[Sample]) -> None:
    """Deal out the new words of an album's picture, as its first words were dealt out."""
    store, message, style = context.parts.store, context.message, await context.style()
    sent_at = message.date.timestamp()
    await samples.add_album_item(store, context.person.id, message.message_id, album, words, sent_at)
    await captioning.deal_out(store, context.person.id, album, style.keyword)
    now = await samples.by_message(store, context.person.id, message.message_id)
    lines = [called(context.words, sample) for sample in now if sample.caption]
    await context.send("\n".join(lines), reply_to=message.message_id)


async def _text_before_style(context: Context, words: str) -> None:
    """A text while pictures wait for a style: a valid keyword names the style, other words wait too."""
    word = words.strip().lower()
    if captions.keyword_problem(word) is None:
        await make(context, word)
        return
    await context.parts.sample_replies.refuse(context.person.id, context.message.message_id, KEPT)
    raise KeepForLater


async def recaption(context: Context) -> None:
    """/caption 3 a fox: another caption for a picture by its number."""
    found = re.fullmatch(r"#?(\d{1,6})[:.)]?\s+(\S.*)", context.argument.strip(), re.DOTALL)
    if found is None:
        raise UserError("caption-usage")
    await _caption(context, [(await _numbered(context, int(found[1])), found[2])])
    await _confirm(context)


async def show(context: Context) -> None:
    """/samples: a contact sheet. /samples remove 3: one picture less."""
    if found := re.fullmatch(r"(?:remove|delete|rm)\s+#?(\d{1,6})", context.argument.strip().lower()):
        await _remove(context, await _numbered(context, int(found[1])))
        return
    await _send_page(context, 0)


async def page(context: Context) -> None:
    """Another page of the contact sheet."""
    await context.answer()
    await _send_page(context, int(context.data[0]))


async def remove_pressed(context: Context) -> None:
    """Show the numbers to choose from, or remove the chosen one. Buttons hold ids, because numbers change."""
    found = await samples.of_style(context.parts.store, (await context.style()).id)
    if context.data[0] == "page":
        shown = found[int(context.data[1]) * PAGE :][:PAGE]
        buttons = [(str(sample.number), f"remove:{sample.id}") for sample in shown]
        await context.say("remove-which", buttons=[buttons[i : i + 5] for i in range(0, len(buttons), 5)])
        return
    chosen = next((sample for sample in found if sample.id == int(context.data[0])), None)
    if chosen is None:
        raise UserError("sample-gone")
    await _remove(context, chosen)


async def keep_drafts(context: Context) -> None:
    """Keep the drafted captions as the person's own."""
    style = await styles.get(context.parts.store, context.person.id, int(context.data[0]))
    if style is None:
        raise UserError("style-gone")
    n = await samples.keep_drafts(context.parts.store, style.id)
    following = next_step(context.words, style.samples, context.parts.config.train)
    await context.send(f"{context.words('drafts-kept', n=n)}\n{following}")


async def _take(
    context: Context, found: TelegramSticker | PhotoSize | Document, *, kind: str, draft: str = ""
) -> None:
    """Store a picture. ``SampleReplies`` answers all that arrive together with one message."""
    parts, message = context.parts, context.message
    if (style := await styles.get(parts.store, context.person.id, context.person.style)) is None:
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
    )
    try:
        taken = await parts.intake.take(style, offer, parts.config.train.max_samples)
    except UserError as error:
        await _refuse(context, error)
        return
    if message.caption and captioning.names_pack(message.caption):
        await context.say("pack-link", reply_to=message.message_id)
    if taken is Taken.RECAPTIONED:
        await _confirm_repeated(context, style)
        return
    parts.sample_replies.poke(context.person.id, repeated=taken is Taken.AGAIN)


def _words_of(message: Message) -> str | None:
    """A picture's caption without links; None if nothing is left or it is a command."""
    words = captioning.without_links(message.caption or "")
    return None if not words or re.match(r"/[A-Za-z]", words) else words


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
        await _confirm(context)
        return
    room = captions.room(style.keyword)
    await _refuse(context, UserError("repeated-caption-refused", room=room, keyword=style.keyword))


async def _meant(context: Context, message: Message, words: str) -> list[tuple[Sample, str]]:
    """The pictures that a text captions, each with its words. As many lines as pictures: a line for each."""
    replied, store = message.reply_to_message, context.parts.store
    if replied is not None:
        about = await samples.by_message(store, context.person.id, replied.message_id)
        if len(about) == 1:
            return [(about[0], words)]
        if about and (dealt := _deal(about, words)):
            return dealt
    found = await samples.of_style(store, (await context.style()).id)
    if dealt := _deal(lacking(found), words):
        return dealt
    if (newest := _next_to_caption(found, message.date.timestamp())) is None:
        raise UserError("text-unclear")
    return [(newest, words)]


def _deal(found: list[Sample], words: str) -> list[tuple[Sample, str]]:
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return list(zip(found, lines, strict=True)) if len(lines) == len(found) > 1 else []


def _next_to_caption(found: list[Sample], now: float) -> Sample | None:
    """The newest picture if its caption is a recent draft, else the newest without a caption."""
    newest = found[-1] if found else None
    if newest and newest.caption_from == CaptionOrigin.DRAFT and now - newest.sent_at < DRAFT_SECONDS:
        return newest
    return lacking(found)[-1] if lacking(found) else None


async def _caption(context: Context, meant: list[tuple[Sample, str]]) -> None:
    """Caption pictures, all or none."""
    store = context.parts.store
    async with store.transaction():
        for sample, words in meant:
            style = await styles.get(store, context.person.id, sample.style)
            assert style is not None
            caption = _finished(sample, words, style, context.person.writes_in)
            said_by = context.message.message_id
            await captioning.store_finished(
                store, sample.id, caption, CaptionOrigin.PERSON, message_id=said_by
            )


def _finished(sample: Sample, words: str, style: Style, language: str) -> English:
    try:
        caption = captioning.finish(words, style.keyword, language)
    except captioning.TooLong as error:
        raise UserError(
            "caption-too-long",
            number=sample.number,
            tokens=error.tokens,
            room=captions.room(style.keyword),
            keyword=style.keyword,
        ) from error
    if caption.text == style.keyword:
        raise UserError("caption-empty", number=sample.number)
    return caption


async def _confirm(context: Context) -> None:
    """Say how the captions of this message read now, and which picture still waits."""
    store, said_by = context.parts.store, context.message.message_id
    done = await samples.captioned_by(store, context.person.id, said_by)
    lines = [called(context.words, sample) for sample in done[:10]]
    style = await styles.get(store, context.person.id, done[0].style)
    said = context.message.text or context.message.caption or ""
    if style and not captions.has_keyword(said, style.keyword):
        lines.append(context.words("keyword-added", keyword=style.keyword))
    waiting = lacking(await samples.of_style(store, done[0].style))
    if waiting:
        lines.append(context.words("caption-next", number=waiting[-1].number, n=len(waiting)))
    about = waiting[-1] if waiting else done[-1]
    answer = await context.send("\n".join(lines), reply_to=about.message_id)
    await samples.report(store, [about.id, *(s.id for s in done if s.answer_id is None)], answer)


async def _numbered(context: Context, number: int) -> Sample:
    found = await samples.of_style(context.parts.store, (await context.style()).id)
    if not 1 <= number <= len(found):
        raise UserError("sample-number", number=number, n=len(found))
    return found[number - 1]


async def _remove(context: Context, sample: Sample) -> None:
    await samples.remove(context.parts.store, context.person.id, sample, context.origin)
    await context.parts.blobs.sweep([sample.blob])
    left = await samples.of_style(context.parts.store, sample.style)
    await context.say("sample-removed", number=sample.number, n=len(left))


async def _send_page(context: Context, number: int) -> None:
    """One contact sheet, its captions as text, and buttons to turn pages and to remove."""
    style = await context.style()
    found = await samples.of_style(context.parts.store, style.id)
    shown = found[number * PAGE :][:PAGE]
    if not shown:
        raise UserError("samples-none", keyword=style.keyword)
    entries = [
        Entry(number=s.number, picture=await context.parts.blobs.read(s.blob), caption=s.caption or "?")
        for s in shown
    ]
    picture = await asyncio.to_thread(sample_sheet, entries)
    lines = [context.words("samples-page", keyword=style.keyword, n=len(found))]
    lines += [_line(context, sample) for sample in shown]
    await context.answer()
    context.parts.sample_replies.close_burst(context.person.id)
    buttons = _page_buttons(context, number, len(found))
    await context.parts.sender.photo(context.person.id, picture, "\n".join(lines), buttons=buttons)


def _line(context: Context, sample: Sample) -> str:
    """At most 40 characters, so that a page's 20 fit into a picture's caption."""
    if sample.caption is None:
        return context.words("sample-line-none", number=sample.number)
    return context.words("sample-line", number=sample.number, caption=clip(sample.caption, 34))


def _page_buttons(context: Context, number: int, count: int) -> Buttons:
    turn = [("‹", f"samples:{number - 1}")] if number else []
    turn += [("›", f"samples:{number + 1}")] if (number + 1) * PAGE < count else []
    remove = context.words.buttons([[("button-remove", f"remove:page:{number}")]])
    return [*remove, turn] if turn else remove
