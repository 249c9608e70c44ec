"""A .safetensors file becomes a style, if it is an adapter for the bot's base. Other files with weights are refused."""

from __future__ import annotations

import asyncio
import re

from telegram import Message
from telegram.ext import filters

from bot import quotas
from bot.context import Context
from bot.errors import UserError
from bot.routes import command_in
from bot.slots import without_slot
from bot.tables import inbox, jobs, styles
from bot.words import clip
from lora.adapters import fit
from lora.adapters.fit import About
from lora.adapters.layer_names import BadAdapter
from lora.data import captions

MAX_BYTES = 20 << 20  # what Telegram lets a bot fetch
PICKLES = ("ckpt", "pt", "pth", "bin", "pkl")  # files that may run a program when they are read
_PHRASE = re.compile(r"[\w -]{1,60}")  # a trigger phrase that can stand in a prompt
MAX_PHRASE_TOKENS = 8


class _NamedByNew(filters.MessageFilter):
    """A caption such as "/new zuvix": the file is that style, and no empty one is made."""

    def filter(self, message: Message) -> bool:
        """Whether the caption is this command."""
        return command_in(message.caption or "") == "new"


FILES = filters.Document.FileExtension("safetensors")
NAMED = FILES & _NamedByNew()


async def take(context: Context) -> None:
    """Make a style of the file. Its name is the caption, else the keyword in the file, else a suggested one."""
    store, parts, file = context.parts.store, context.parts, context.message.document
    assert file is not None
    if await jobs.by_origin(store, context.person.id, context.origin):
        return  # this message was handled before, and then the bot was killed; its answer is a row
    if not parts.dispatch.layers:
        raise UserError("adapter-later")
    if (file.file_size or 0) > MAX_BYTES:
        raise UserError("adapter-too-many-bytes")
    await quotas.check_style(context)
    await quotas.check_adapter(context, file.file_size or 0)
    async with without_slot():
        data = await parts.sender.sent_file(context.person.id, file.file_id, too_big="adapter-too-many-bytes")
    try:
        about = await asyncio.to_thread(fit.check, data, parts.dispatch.layers)
    except BadAdapter as error:
        raise UserError(f"adapter-{error.reason}") from error
    if parts.dispatch.draws_on_other_base(about.base_hash or None):
        raise UserError("adapter-other-base")
    keyword = await _keyword(context, about)
    async with parts.blobs.keep(data) as (name,), store.transaction():
        await styles.take_in(
            store,
            person=context.person.id,
            keyword=keyword,
            trained_as=_phrase(about) or keyword,
            adapter=name,
            bytes=len(data),
            base=parts.dispatch.base,
            origin=context.origin,
        )
        await inbox.release(store, context.person.id)
        lines = [context.words("adapter-taken", keyword=keyword), *_name_refused(context, keyword)]
        await context.send_surely("\n".join(lines))


async def pickle(context: Context) -> None:
    """Weights in a form that may hold a program: never read."""
    raise UserError("adapter-pickle")


async def _keyword(context: Context, about: About) -> str:
    """A keyword that is valid and that no other style of the person has."""
    taken = {style.keyword for style in await styles.all_of(context.parts.store, context.person.id)}
    wanted = (_written(context), about.keyword.strip().lower())
    suggested = captions.suggest_keywords(len(taken) + 1, seed=context.message.message_id)
    known = (word for word in wanted if captions.keyword_problem(word) is None)
    return next(word for word in (*known, *suggested) if word not in taken)


def _written(context: Context) -> str:
    """The style's name in the caption, also behind /new."""
    caption = context.message.caption or ""
    return (context.argument if command_in(caption) == "new" else caption).strip().lower()


def _name_refused(context: Context, keyword: str) -> list[str]:
    """Why the style is not called as the file's caption says; nothing if it is, or if there is no caption."""
    word = _written(context)
    if word in ("", keyword):
        return []
    if (problem := captions.keyword_problem(word)) is None:
        return [context.words("rename-taken", keyword=word)]
    return [context.words(f"keyword-{problem}", word=clip(word, 40), hint="")]


def _phrase(about: About) -> str:
    """The words that the adapter was trained with, if they can stand in a prompt; else nothing."""
    phrase = " ".join(about.keyword.split())
    fits = _PHRASE.fullmatch(phrase) is not None and captions.count_tokens(phrase) <= MAX_PHRASE_TOKENS + 2
    return phrase if fits else ""
