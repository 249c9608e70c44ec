"""Captions in the chat: a text, an edited message, /caption, and the drafts that a person keeps."""

from __future__ import annotations

import re

from telegram import Message

from bot import captioning
from bot.asking import ask
from bot.context import Context
from bot.english import English
from bot.errors import KeepForLater, UserError
from bot.handlers.sample_pages import numbered
from bot.handlers.styles import make
from bot.sample_lines import are_corrections, listed, number_alone, numbers_first, without_number
from bot.sample_words import KEPT, called, lacking, next_step, numbers
from bot.store import Store
from bot.tables import albums, changes, inbox, samples, styles
from bot.tables.samples import CaptionOrigin, Sample
from bot.tables.styles import Style
from bot.words import Html, clip
from lora.data import captions
from lora.data.translation.counting import may_count

MOST_NAMED = 10  # captions in one answer
DRAFT_SECONDS = 600  # so long after a picture the next text may still replace its drafted caption


async def text(context: Context) -> None:
    """A text is a caption: of the picture it replies to, else of the newest that wants one."""
    message = context.message
    assert message.text is not None
    if await waits_for_style(context):
        await _text_before_style(context, message.text)
        return
    await context.style()
    if not (words := captioning.without_links(message.text)):
        raise UserError("link")
    done = await samples.captioned_by(context.parts.store, context.person.id, message.message_id)
    if not done:  # else this very text was worked on before, and then the bot was killed
        await _caption(context, await _meant(context, message, words))
    await confirm(context)


async def edited(context: Context) -> None:
    """An edited message changes the captions that it gave. Other edits change nothing."""
    message, store = context.message, context.parts.store
    if await waits_for_style(context):
        raise KeepForLater
    words = captioning.without_links(message.text or without_number(message.caption or ""))
    if not words or words.startswith("/"):
        return
    if message.text is not None and are_corrections(words):
        raise UserError("edited-corrections")  # numbers may have changed since it was sent
    given = await samples.captioned_by(store, context.person.id, message.message_id)
    shown = await samples.by_message(store, context.person.id, message.message_id)
    if message.text is None and message.media_group_id is not None and shown:
        await _recaption_album(context, message.media_group_id, words)
    elif len(given) > 1:
        await _caption(context, _deal(given, words) or [(given[-1], words)])
        await confirm(context)
    elif about := given or [sample for sample in shown if sample.message_id == message.message_id]:
        await _caption(context, [(about[0], words)])
        await confirm(context)


async def _recaption_album(context: Context, album: str, words: str) -> None:
    """Deal out the new words of an album's picture, as its first words were dealt out, and name what has changed."""
    store, message, style = context.parts.store, context.message, await context.style()
    sent_at, before = message.date.timestamp(), await samples.of_style(store, style.id)
    await albums.add_album_item(store, context.person.id, message.message_id, album, words, sent_at)
    await captioning.deal_out(store, context.person.id, album, style.keyword)
    were = {sample.id: sample.caption for sample in before}
    now = await samples.of_style(store, style.id)
    changed = [sample for sample in now if sample.caption != were.get(sample.id)]
    uneven = await captioning.uneven_lines(store, context.person.id, [message.message_id])
    lines = [context.words("album-uneven", lines=uneven[0], n=uneven[1])] if uneven else []
    named = changed or await samples.by_message(store, context.person.id, message.message_id)
    lines += [called(context.words, sample) for sample in named if sample.caption][:MOST_NAMED]
    if lines:
        answer = await context.send("\n".join(lines), reply_to=message.message_id)
        items = await albums.albums_near(store, context.person.id, album) if uneven else []
        await samples.report(store, [item.sample for item in items if item.sample], answer)


async def _text_before_style(context: Context, words: str) -> None:
    """A text while pictures wait for a style: a valid keyword names the style, other words wait too.

    Of one word that cannot be a keyword, it is said why: it may have been meant as one.
    """
    word = words.strip().lower()
    problem = captions.keyword_problem(word)
    if problem is None:
        await make(context, word)
        return
    if len(word.split()) == 1 and context.message.reply_to_message is None:
        hint = Html(context.words("kept-as-words"))
        await context.say_once(f"keyword-{problem}", word=clip(word, 40), hint=hint)
    await keep_for_style(context)


async def waits_for_style(context: Context) -> bool:
    """Whether the person has no style yet, and their pictures wait for one."""
    return context.person.style is None and await inbox.kept(context.parts.store, context.person.id) > 0


async def keep_for_style(context: Context) -> None:
    """Words about pictures that wait for a style wait, too, until it is there. Raises KeepForLater then."""
    if await waits_for_style(context):
        await context.parts.sample_replies.refuse(context.person.id, context.message.message_id, KEPT)
        raise KeepForLater


async def recaption(context: Context) -> None:
    """/caption 3 a fox: another caption for a picture by its number."""
    found = re.fullmatch(r"#?(\d{1,6})[:.)]?\s+(\S.*)", context.argument.strip(), re.DOTALL)
    if found is None:
        raise UserError("caption-usage")
    await keep_for_style(context)
    await _caption(context, [(await numbered(context, int(found[1])), found[2])])
    await confirm(context)


async def keep_drafts(context: Context) -> None:
    """Keep the drafted captions as the person's own."""
    style = await styles.get(context.parts.store, context.person.id, int(context.data[0]))
    if style is None:
        raise UserError("style-gone")
    n = await samples.keep_drafts(context.parts.store, style.id)
    following = next_step(context.words, style.samples, context.parts.config.train)
    await context.send(f"{context.words('drafts-kept', n=n)}\n{following}")


async def ask_words(context: Context) -> None:
    """A number without words, "3:": ask for the words of that picture."""
    await keep_for_style(context)
    number = number_alone(context.message.text or "")
    assert number is not None
    sample = await numbered(context, number)
    await ask(context, "caption", sample.id, context.words("caption-empty", number=number))


async def give(context: Context, id: int, text: str) -> None:
    """Caption the picture that was asked about."""
    sample = await samples.by_id(context.parts.store, context.person.id, id)
    if sample is None:
        raise UserError("sample-gone")
    await _caption(context, [(sample, captioning.without_links(text))])
    await confirm(context)


async def is_list(context: Context, text: str) -> bool:
    """Whether lines 1, 2, 3 … are a list for pictures that want words, not the numbers of pictures in the style."""
    lines, replied = captioning.lines_of(text), context.message.reply_to_message
    if not listed(lines):
        return False
    store, person = context.parts.store, context.person.id
    if replied is not None:
        return len(await _replied(store, person, replied.message_id, len(lines))) == len(lines)
    found = lacking(await samples.of_style(store, (await context.style()).id))
    return len(found) == len(lines) > 1 and found[0].number > len(lines)


async def _meant(context: Context, message: Message, words: str) -> list[tuple[Sample, str]]:
    """The pictures that a text captions, each with its words. As many lines as pictures: a line for each.

    Raises UserError if the lines are not as many as the pictures.
    """
    replied, store = message.reply_to_message, context.parts.store
    if replied is not None:
        lines = len(captioning.lines_of(words))
        about = await _replied(store, context.person.id, replied.message_id, lines)
        if len(about) == 1:
            return [(about[0], without_number(words))]
        if about and (dealt := _deal(about, words)):
            return dealt
    found = await samples.of_style(store, (await context.style()).id)
    without = {sample.number: sample for sample in lacking(found)}
    by_number = numbers_first(words)
    # Several lines with numbers name pictures. So does "5 coin", as long as pictures wait; "5 coins" may count coins.
    counts = [may_count(number, text, context.person.writes_in) for number, text in by_number.items()]
    sure = len(by_number) > 1 or (bool(without) and counts == [False])
    named = {sample.number: sample for sample in found} if sure else without
    if by_number and (sure or len(named) > 1) and by_number.keys() <= named.keys():
        return [(named[number], text) for number, text in by_number.items()]
    if dealt := _deal(list(without.values()), words):
        return dealt
    if (newest := _next_to_caption(found, message.date.timestamp())) is None:
        raise UserError("text-unclear")
    return [(newest, words)]


async def _replied(store: Store, person: int, message_id: int, count: int) -> list[Sample]:
    """The pictures that a message is about; of several, those without words if there are so many of them."""
    about = await samples.by_message(store, person, message_id)
    without = lacking(about)
    return without if len(about) > 1 and len(without) == count > 1 else about


def _deal(found: list[Sample], words: str) -> list[tuple[Sample, str]]:
    """A line for each picture; nothing if the text has one line or there is one picture. Raises UserError."""
    lines = captioning.lines_of(words)
    if len(lines) < 2 or len(found) < 2:
        return []
    if len(lines) != len(found):
        raise UserError("lines-uneven", lines=len(lines), n=len(found), numbers=numbers(found))
    lines = [without_number(line) for line in lines] if listed(lines) else lines
    return list(zip(found, lines, strict=True))


def _next_to_caption(found: list[Sample], now: float) -> Sample | None:
    """The newest picture if its caption is a recent draft, else the newest without a caption."""
    newest = found[-1] if found else None
    if newest and newest.caption_from == CaptionOrigin.DRAFT and now - newest.sent_at < DRAFT_SECONDS:
        return newest
    return lacking(found)[-1] if lacking(found) else None


async def _caption(context: Context, meant: list[tuple[Sample, str]]) -> None:
    """Caption pictures, all or none. It can be taken back."""
    store, noted = context.parts.store, []
    async with store.transaction():
        for style_id in {sample.style for sample, _ in meant}:
            ids = [sample.id for sample, _ in meant if sample.style == style_id]
            noted.append(await changes.note(store, style_id, context.origin, ids))
        for sample, words in meant:
            style = await styles.get(store, context.person.id, sample.style)
            assert style is not None
            caption = finished(sample, words, style, context.person.writes_in)
            said_by = context.message.message_id
            await captioning.store_finished(
                store, sample.id, caption, CaptionOrigin.PERSON, message_id=said_by
            )
        for change in noted:
            if change is not None:
                await changes.forget_if_same(store, change)


def finished(sample: Sample, words: str, style: Style, language: str) -> English:
    """A caption for this sample as it is stored. Raises UserError if it is too long or says nothing."""
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


async def confirm(context: Context) -> None:
    """Say how the captions of this message read now, and which picture still waits."""
    store, said_by = context.parts.store, context.message.message_id
    done = await samples.captioned_by(store, context.person.id, said_by)
    lines = [called(context.words, sample) for sample in done[:MOST_NAMED]]
    style = await styles.get(store, context.person.id, done[0].style)
    said = context.written
    if style and not captions.has_keyword(said, style.keyword):
        lines.append(context.words("keyword-added", keyword=style.keyword))
    everything = await samples.of_style(store, done[0].style)
    lines += _of_number(context, done, len(everything))
    waiting = lacking(everything)
    if waiting:
        lines.append(context.words("caption-next", number=waiting[-1].number, n=len(waiting)))
    about = waiting[-1] if waiting else done[-1]
    answer = await context.send("\n".join(lines), reply_to=about.message_id)
    await samples.report(store, [about.id, *(s.id for s in done if s.answer_id is None)], answer)


def _of_number(context: Context, done: list[Sample], count: int) -> list[str]:
    """How a number in front of a text was understood, and how to say the other thing."""
    first = numbers_first(context.message.text or "")
    if context.message.reply_to_message is not None or len(first) != 1 or len(done) != 1:
        return []
    number, words = next(iter(first.items()))
    taken = done[0].number == number and str(number) not in (done[0].caption or "").split()
    if taken:
        return [context.words("number-taken", number=number, words=clip(words, 40))]
    other = number != done[0].number and number <= count
    return [context.words("number-not-taken", number=number, words=clip(words, 40))] if other else []
