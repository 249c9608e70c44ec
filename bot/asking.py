"""Asks people for words: a row says what the answer is for, so that a restart does not forget it."""

from __future__ import annotations

from bot.context import Context
from bot.errors import Buttons
from bot.tables import questions

SURE = "sure"  # the kind of a question that buttons answer


async def ask(
    context: Context,
    kind: str,
    id: int,
    text: str,
    *,
    reply_to: int | None = None,
    view: int | None = None,
    buttons: Buttons | None = None,
) -> None:
    """Send a question (HTML). The next text of the private chat is the answer, in a group a reply to the question.

    ``bot.handlers.answers`` says what comes of an answer of this kind. ``buttons`` are shown above the one that
    ends the question.
    """
    if context.group is None:
        shown = [*(buttons or []), *context.words.buttons([[("button-unask", "unask:")]])]
    else:
        text, shown = f"{text} {context.words('ask-reply')}", []
    message_id = await context.send(text, buttons=shown, reply_to=reply_to)
    store, person = context.parts.store, context.person.id
    await questions.put(store, person, context.chat, message_id, kind, id, view)


async def ask_surely(context: Context, text: str, buttons: Buttons) -> None:
    """Ask (HTML) before something that cannot be undone: one of the buttons does it, the word for no ends it."""
    await ask(context, SURE, 0, text, buttons=buttons)


async def sure(context: Context) -> None:
    """One of these buttons was pressed: a later no is about something else."""
    found = await questions.of_message(
        context.parts.store, context.person.id, context.chat, context.message.message_id
    )
    if found is not None and found.answer is None:
        await questions.end(context.parts.store, context.person.id)
