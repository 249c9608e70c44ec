"""Packs in plain words: /packs delete 3, and the same words in reply to a message of the bot about a pack."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import emoji
from telegram import InlineKeyboardButton, Message
from telegram.ext import filters

from bot.command_words import says
from bot.context import Context
from bot.errors import UserError
from bot.handlers import pack_stickers, undo
from bot.handlers import packs as pack_handlers
from bot.locales import LANGUAGES
from bot.sample_lines import is_undo, removals_in_short
from bot.tables import pack_items
from bot.tables import packs as pack_rows
from bot.tables.pack_items import Item
from bot.tables.packs import Pack, PackKind

CANCELS = says("cancel")
Deed = Callable[[Context, Item, str], Awaitable[None]]


def _said(key: str) -> str:
    """A pattern of the words for something, in all languages of the bot."""
    return "|".join(word for language in LANGUAGES.values() for word in language.TEXTS[key].split())


@dataclass(frozen=True)
class Phrase:
    """Words that begin an order: a key of the locales. ``rest`` is a pattern of what follows the number."""

    key: str
    deed: Deed
    rest: str = r"(?P<rest>)"

    def match(self, text: str) -> re.Match[str] | None:
        """The order in a text, with its ``number`` and ``rest``."""
        pattern = rf"(?:{_said(self.key)})\s+#?(?P<number>\d{{1,3}}){self.rest}"
        return re.fullmatch(pattern, text, re.IGNORECASE | re.DOTALL)


async def _cover(context: Context, item: Item, _rest: str) -> None:
    await pack_stickers.cover(context, item)


async def _move(context: Context, item: Item, rest: str) -> None:
    await pack_stickers.move(context, item, int(rest))


PHRASES = (
    Phrase("pack-words-move", _move, rf"\s+(?:(?:{_said('pack-words-to')})\s+)?#?(?P<rest>\d{{1,3}})"),
    Phrase("pack-words-emoji", pack_stickers.emoji, r"[\s:]+(?P<rest>\S.*)"),
    Phrase("pack-words-keywords", pack_stickers.keywords, r"[\s:]+(?P<rest>\S.*)"),
    Phrase("pack-words-cover", _cover),
)
_NEW = re.compile(rf"(?:{_said('pack-words-new')})(?:\s+(\S.*))?", re.IGNORECASE | re.DOTALL)
EMOJI = next(phrase for phrase in PHRASES if phrase.key == "pack-words-emoji")
PACKS_ONLY = tuple(phrase for phrase in PHRASES if phrase.key in ("pack-words-move", "pack-words-cover"))
_TITLE = re.compile(rf"(?:{_said('pack-words-title')})[\s:]+(\S.*)", re.IGNORECASE | re.DOTALL)


async def packs(context: Context) -> None:
    """/packs lists them, /packs new TITLE makes one, /packs delete 3 and the like change the current one."""
    if found := _NEW.fullmatch(context.argument.strip()):
        await (pack_handlers.make(context, found[1]) if found[1] else pack_handlers.ask_new(context))
    elif context.argument.strip():
        await _obey(context, await _current(context), context.argument)
    else:
        await pack_handlers.show(context)


async def order(context: Context) -> None:
    """A text in reply to a shown pack, or an order in reply to the list of packs or to news of one."""
    text, named = context.message.text or "", _named_packs(context.message.reply_to_message)
    if len(named) > 1 and not _is_undo(text):
        raise UserError("pack-order-which")
    await _obey(context, await _named(context, named), text)


def _is_for_pack(said: str) -> bool:
    """Whether words can only be meant for a pack: "move 3 to 1", and "emoji 3 🦊" with nothing but emoji."""
    suggested = EMOJI.match(said)
    only_emoji = suggested is not None and not emoji.replace_emoji(suggested["rest"], "").strip(" ,")
    return only_emoji or any(phrase.match(said) for phrase in PACKS_ONLY)


class _PlainOrder(filters.MessageFilter):
    """A text that is no reply, and can only be meant for a pack."""

    def filter(self, message: Message) -> bool:
        said = (message.text or "").strip()
        return message.reply_to_message is None and _is_for_pack(said)


PLAIN = _PlainOrder()


async def plain(context: Context) -> None:
    """Words that only a pack can obey, without a reply."""
    await _obey(context, await _only(context), context.message.text or "")


async def _obey(context: Context, pack: Pack, text: str) -> None:
    """Do what the words say. Numbers are those that the person has seen last."""
    text = text.strip().lstrip("/")
    if _is_undo(text):
        await undo.of_packs(context)
        return
    if found := _TITLE.fullmatch(text):
        await pack_handlers.retitle(context, pack, found[1], None)
        return
    if numbers := removals_in_short(text):
        await pack_stickers.delete_all(context, [await _numbered(context, pack, one) for one in numbers])
        return
    for phrase in PHRASES:
        if match := phrase.match(text):
            await phrase.deed(context, await _numbered(context, pack, int(match["number"])), match["rest"])
            return
    raise UserError("pack-order-usage")


def _is_undo(text: str) -> bool:
    return is_undo(text) or CANCELS(text)


def _is_order(text: str) -> bool:
    """Whether ``_obey`` knows what a text asks for."""
    text = text.strip().lstrip("/")
    known = _is_undo(text) or _TITLE.fullmatch(text) or removals_in_short(text)
    return bool(known) or any(phrase.match(text) for phrase in PHRASES)


async def _numbered(context: Context, pack: Pack, number: int) -> Item:
    """The sticker that the person has seen last under this number."""
    items = await pack_items.of_pack(context.parts.store, pack.id)
    if number > len(items) or await pack_items.behind(context.parts.store, pack.id):
        await pack_handlers.look_or_gone(context, pack)
        items = await pack_items.of_pack(context.parts.store, pack.id)
    if number > len(items) and await pack_items.behind(context.parts.store, pack.id):
        raise UserError("pack-not-seen", title=pack.title)
    if not 1 <= number <= len(items):
        raise UserError("pack-number", number=number, title=pack.title, n=len(items))
    return items[number - 1]


async def _only(context: Context) -> Pack:
    """The person's pack, if there is one only. Raises UserError."""
    found = await pack_rows.all_of(context.parts.store, context.person.id)
    if len(found) > 1:
        raise UserError("pack-order-which")
    return await _current(context)


async def _current(context: Context) -> Pack:
    """The chosen pack, else the newest; one that waits for its first sticker counts."""
    found = await pack_rows.planned_too(context.parts.store, context.person.id)
    regular = [pack for pack in found if pack.kind == PackKind.REGULAR] or found
    if not regular:
        raise UserError("no-packs")
    return max(regular, key=lambda pack: (pack.chosen, pack.id))


async def _named(context: Context, named: set[str]) -> Pack:
    """The person's pack that a message names by its id or its name; the current one if it names several."""
    if len(named) > 1:
        return await _current(context)
    (one,) = named
    if one.isdecimal():
        return await pack_handlers.mine(context, int(one))
    found = await pack_rows.planned_too(context.parts.store, context.person.id)
    if (pack := next((pack for pack in found if pack.name == one), None)) is None:
        raise UserError("pack-is-gone", buttons=[[("button-packs", "packs:")]])
    return pack


class _ToPack(filters.MessageFilter):
    """A text in reply to a message that shows a pack, or an order in reply to one that names packs."""

    def filter(self, message: Message) -> bool:
        replied = message.reply_to_message
        if message.text is None or replied is None:
            return False
        return _shows_pack(replied) or (bool(_named_packs(replied)) and _is_order(message.text))


TO_PACK = _ToPack()


def _shows_pack(message: Message) -> bool:
    """Whether a message shows a pack: what its buttons do is done with that one."""
    return any(re.match(r"pack:\d{1,15}:", str(button.callback_data)) for button in _buttons(message))


def _named_packs(message: Message | None) -> set[str]:
    """The packs that the buttons of a message lead to: ids, or a name. A drawing's are about the drawing."""
    if message is None or message.sticker is not None:
        return set()
    found = set()
    for button in _buttons(message):
        opens = re.match(r"pack:(\d{1,15})(?::|\Z)", str(button.callback_data))
        link = re.fullmatch(r"https://t\.me/add(?:stickers|emoji)/(\w+)", button.url or "")
        found |= {match[1] for match in (opens, link) if match}
    return found


def _buttons(message: Message) -> list[InlineKeyboardButton]:
    keyboard = message.reply_markup
    return [button for row in (keyboard.inline_keyboard if keyboard else ()) for button in row]
