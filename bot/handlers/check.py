"""/check: what could be better about a style's pictures and captions."""

from __future__ import annotations

from bot import advice, fixes
from bot.context import Context
from bot.errors import UserError
from bot.sample_words import none_of
from bot.tables import findings, samples


async def check(context: Context) -> None:
    """Say what the quick checks find now, and what the last training saw."""
    store, style = context.parts.store, await context.style()
    found = await samples.of_style(store, style.id)
    if not found:
        raise UserError(none_of(style), keyword=style.keyword, min=context.parts.config.train.min_samples)
    quick = await advice.find(context.parts.blobs, found, style.keyword)
    seen = await findings.of_style(store, style.id)
    lines = [f"• {line}" for line in advice.worded(context.words, [*quick, *seen])]
    head = "check-found" if lines else "check-good"
    lines.insert(0, context.words(head, keyword=style.keyword, n=len(found)))
    if not seen:
        lines.append(context.words("check-later"))
    buttons = fixes.buttons(context.words, style.id, found, quick)
    await context.send("\n".join(lines), buttons=buttons)
