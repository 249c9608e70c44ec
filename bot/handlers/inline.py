"""Inline queries: in any chat, the person's own stickers that match, and a button that draws what they have typed."""

from __future__ import annotations

from telegram import InlineQuery, User

from bot import start_links
from bot.context import Parts
from bot.inline_search import matching
from bot.tables import people, wishes
from bot.words import Words, clip

PAGE = 50  # Telegram's limit of results in one answer
BUTTON = 30  # characters of the query in the button's label
PLAIN = "inline"  # the parameter of /start that only opens the chat


async def answer(parts: Parts, query: InlineQuery) -> None:
    """Offer stickers by their words or emoji. Somebody whom the bot does not know is offered its private chat."""
    user, text = query.from_user, " ".join(query.query.split())
    if not parts.access.admits(user.id, user.username):
        return  # banned after it was stored
    person = await people.find(parts.store, user.id)
    if person is None:
        await parts.sender.answer_inline(query.id, [], next_offset="", button=_begin(user))
        return
    words = Words(person.language)
    found = await matching(parts.store, person, text)
    start = int(query.offset) if query.offset.isascii() and query.offset.isdigit() else 0
    page = [(str(one.id), one.file_id) for one in found[start : start + PAGE]]
    button = (words.plain("inline-open"), PLAIN)
    if text:
        code = await wishes.put(parts.store, person.id, text)
        button = (
            words.plain("inline-draw", words=clip(text, BUTTON)),
            start_links.parameter(start_links.WISH, code),
        )
    after = str(start + PAGE) if len(found) > start + PAGE else ""
    await parts.sender.answer_inline(query.id, page, next_offset=after, button=button)


def _begin(user: User) -> tuple[str, str]:
    return Words(user.language_code or "en").plain("inline-begin"), PLAIN
