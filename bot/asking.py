"""Asks people for words: a row says what the answer is for, so that a restart does not forget it."""

from __future__ import annotations

from bot.context import Context
from bot.tables import questions


async def ask(
    context: Context,
    kind: str,
    id: int,
    text: str,
    *,
    reply_to: int | None = None,
    view: int | None = None,
    buttons: list[list[tuple[str, str]]] | None = None,
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
