"""/share, and the link that it gives: others draw in a style and see neither its samples nor their captions."""

from __future__ import annotations

from bot import sharing, start_links
from bot.context import Context
from bot.errors import UserError
from bot.tables import shares, styles
from bot.tables.styles import Style


async def share(context: Context) -> None:
    """Give a link to the current style; if there is one, tell how many use it."""
    style = await context.style()
    if style.adapter is None:
        raise UserError("share-untrained", keyword=style.keyword)
    if style.barred:
        raise UserError("share-barred", keyword=style.keyword)
    shared = await shares.shared(context.parts.store, style.id)
    text = await (_about(context, style) if shared else _new_link(context, style))
    await context.send(text, buttons=_buttons(context, style))


async def change(context: Context) -> None:
    """Give the link another token, or end all use of the style by it."""
    style, parts = await _pressed(context), context.parts
    if context.data[0] == "renew":
        await context.replace(await _new_link(context, style), _buttons(context, style))
        return
    n = await sharing.end(parts.store, parts.dispatch, parts.outbox, style)
    await context.replace(context.words("share-over", keyword=style.keyword, n=n))


async def open_link(context: Context, token: str) -> None:
    """Somebody follows a link: the style is among theirs, as one that is not their own."""
    store = context.parts.store
    found = await shares.style_of(store, token)
    if found is None:
        raise UserError("share-unknown")
    id, owner = found
    if owner == context.person.id:
        raise UserError("share-own")
    await shares.join(store, id, context.person.id)
    style = await styles.usable(store, context.person.id, id)
    assert style is not None
    await context.say("share-joined", name=context.person.name, keyword=style.keyword)


async def leave(context: Context) -> None:
    """Take a style that is not their own out of the person's list."""
    id, store = int(context.data[0]), context.parts.store
    style = await styles.usable(store, context.person.id, id)
    if style is None or not await shares.leave(store, id, context.person.id):
        raise UserError("style-gone")
    await context.replace(context.words("share-left", keyword=style.keyword))


async def _new_link(context: Context, style: Style) -> str:
    token = await shares.new_link(context.parts.store, style.id)
    link = context.parts.sender.start_link(start_links.STYLE, token)
    n = len(await shares.guests(context.parts.store, style.id))
    return context.words("share", keyword=style.keyword, link=link, n=n)


async def _about(context: Context, style: Style) -> str:
    n = len(await shares.guests(context.parts.store, style.id))
    return context.words("share-again", keyword=style.keyword, n=n)


def _buttons(context: Context, style: Style) -> list[list[tuple[str, str]]]:
    row = [("button-share-renew", f"share:renew:{style.id}"), ("button-share-end", f"share:end:{style.id}")]
    return context.words.buttons([row])


async def _pressed(context: Context) -> Style:
    """The person's own style of this button, if it is shared. Raises UserError."""
    style = await styles.get(context.parts.store, context.person.id, int(context.data[-1]))
    if style is None:
        raise UserError("style-gone")
    if not await shares.shared(context.parts.store, style.id):
        raise UserError("share-over-already", keyword=style.keyword)
    return style
