"""/new, /styles, /rename, /delete: a person's styles, and those that are shared with them."""

from __future__ import annotations

from bot import renaming, sharing
from bot.asking import ask, ask_surely, sure
from bot.context import Context
from bot.errors import Buttons, UserError
from bot.looks import ready_look
from bot.quotas import check_style
from bot.sample_words import pictures_of, undo_button
from bot.tables import changes, comparisons, inbox, jobs, people, questions, shares, styles
from bot.tables.styles import Style
from bot.words import Html, clip
from lora.data import captions

SUGGESTED = 3


async def new(context: Context) -> None:
    """Make a style, or go back to the one of that name; without a keyword, suggest some."""
    word = context.argument.strip().lower()
    if not word:
        await ask(context, "style", 0, context.words("new-suggest"), buttons=_suggestions(context))
        return
    await make(context, word)


async def new_pressed(context: Context) -> None:
    """A suggested keyword was pressed."""
    await questions.end(context.parts.store, context.person.id)
    await make(context, context.data[0])


async def show(context: Context) -> None:
    """All styles, with a button for each."""
    store, words = context.parts.store, context.words
    own, lent = await styles.all_of(store, context.person.id), await styles.lent_to(store, context.person.id)
    ready = ready_look(context)
    if not own and not lent and ready is None:
        raise UserError("no-style")
    lines = [words("styles" if own or lent else "no-style")]
    lines += [_line(context, style) + await _shared_with(context, style) for style in own]
    lines += [_lent_line(context, style) for style in lent]
    if ready is not None:
        lines.append(words("style-line-ready", keyword=ready.word))
    buttons = [await _row(context, style) for style in own]
    buttons += [
        [(f"🔗 {style.keyword}", f"style:{style.id}"), _leave(context, style), _report(context, style)]
        for style in lent
    ]
    await context.send("\n".join(lines), buttons=buttons)


async def switch(context: Context) -> None:
    """Work on another style."""
    store = context.parts.store
    style = await styles.usable(store, context.person.id, int(context.data[0]))
    if style is None:
        raise UserError("style-gone")
    own = style.person == context.person.id
    async with store.transaction():
        await people.work_on(store, context.person.id, style.id)
        if own:
            await inbox.release(store, context.person.id)
    key = "style-switched" if own else "style-switched-lent"
    await context.say(key, keyword=style.keyword, pictures=pictures_of(context.words, style))


async def rename(context: Context) -> None:
    """Give the current style another keyword; without one, ask for it."""
    style = await context.style()
    if context.argument.strip():
        await rename_to(context, style, context.argument)
    else:
        await ask(context, "rename", style.id, context.words("rename-ask", keyword=style.keyword))


async def rename_to(context: Context, style: Style, text: str) -> None:
    """Give a style another keyword, in its captions too. Raises UserError."""
    word = text.strip().lower()
    if (problem := captions.keyword_problem(word)) is not None:
        raise UserError(f"keyword-{problem}", word=clip(word, 40), hint="", buttons=None)
    store, old = context.parts.store, style.keyword
    done = await changes.by_origin(store, style.id, context.origin)
    if done is None and word == old:
        raise UserError("rename-same", keyword=old)
    if done is None:
        await renaming.rename(store, style, word, context.origin)
        done = await changes.by_origin(store, style.id, context.origin)
    key = "renamed-captions" if style.samples else "renamed"
    await context.say(key, old=old, keyword=word, buttons=undo_button(context.words, done))


async def delete(context: Context) -> None:
    """Ask before a style is deleted."""
    style = await context.style()
    buttons = context.words.buttons([[("button-delete", f"delete:{style.id}")]])
    key = "delete-sure" if style.samples else "delete-sure-empty"
    await ask_surely(context, context.words(key, keyword=style.keyword, n=style.samples), buttons)


async def delete_pressed(context: Context) -> None:
    """Delete a style with its samples and adapters; its packs stay on Telegram."""
    style, store, parts = await mine(context, int(context.data[0])), context.parts.store, context.parts
    await sure(context)
    await sharing.end(store, parts.dispatch, parts.outbox, style)
    for job in await jobs.active_of(store, context.person.id):
        if job.style == style.id:
            await context.parts.dispatch.cancel(context.person.id, job.id)
    await context.parts.blobs.sweep(await styles.remove(store, style))
    await context.replace(context.words("delete-done", keyword=style.keyword))


async def make(context: Context, word: str) -> None:
    """Make a style, or switch to the one with that keyword. Updates that waited for a style are released."""
    if (problem := captions.keyword_problem(word)) is not None:
        hint = Html(context.words("keyword-hint"))
        raise UserError(f"keyword-{problem}", word=clip(word, 40), hint=hint, buttons=None)
    known = await styles.all_of(context.parts.store, context.person.id)
    if word not in [style.keyword for style in known]:
        await check_style(context)
    async with context.parts.store.transaction():
        made = await styles.add(context.parts.store, context.person.id, word)
        await inbox.release(context.parts.store, context.person.id)
    least, most = context.parts.config.train.advised_samples
    if made:
        await context.say("new-made", keyword=word, least=least, most=most)
        return
    found = next(style for style in known if style.keyword == word)
    await context.say("style-switched", keyword=word, pictures=pictures_of(context.words, found))


async def mine(context: Context, id: int) -> Style:
    """The person's own style with this id. Raises UserError if it is gone."""
    style = await styles.get(context.parts.store, context.person.id, id)
    if style is None:
        raise UserError("style-gone")
    return style


def _suggestions(context: Context) -> Buttons:
    words = captions.suggest_keywords(SUGGESTED, seed=context.message.message_id)
    return [[(word, f"new:{word}") for word in words]]


async def _row(context: Context, style: Style) -> list[tuple[str, str]]:
    """The button that switches to a style, and one to choose its checkpoint if it has several."""
    row = [(style.keyword, f"style:{style.id}")]
    if await comparisons.of_style(context.parts.store, style.id):
        row.append((context.words.plain("button-checkpoints"), f"looks:{style.id}"))
    return row


async def _shared_with(context: Context, style: Style) -> str:
    """How many people draw in a style by its link, if it has one."""
    if not await shares.shared(context.parts.store, style.id):
        return ""
    return context.words("style-line-shared", n=len(await shares.guests(context.parts.store, style.id)))


def _lent_line(context: Context, style: Style) -> str:
    """One style of somebody else: no pictures are told of it."""
    current = "▸" if style.id == context.person.style else "•"
    outdated = context.parts.dispatch.draws_on_other_base(style.base)
    state = context.words.plain("style-outdated-lent" if outdated else "style-ready")
    return context.words("style-line-lent", mark=current, keyword=style.keyword, state=state)


def _leave(context: Context, style: Style) -> tuple[str, str]:
    return context.words.plain("button-leave"), f"leave:{style.id}"


def _report(context: Context, style: Style) -> tuple[str, str]:
    return context.words.plain("button-report"), f"report:{style.id}"


def _line(context: Context, style: Style) -> str:
    """One style: its keyword, its pictures, whether it can draw; the current one marked."""
    current = "▸" if style.id == context.person.style else "•"
    state = "style-ready" if style.adapter else "style-untrained"
    if context.parts.dispatch.draws_on_other_base(style.base):
        state = "style-outdated"
    words = context.words
    pictures, state = pictures_of(words, style), words.plain(state)
    return words("style-line", mark=current, keyword=style.keyword, pictures=pictures, state=state)
