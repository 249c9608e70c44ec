"""With what a prompt is drawn: a person's own style, one shared with them, the ready-made one, or the base alone."""

from __future__ import annotations

from dataclasses import dataclass

from bot.context import Context
from bot.errors import UserError
from bot.tables.styles import Style


@dataclass(frozen=True, kw_only=True)
class Look:
    """What a draw's row gets. ``word`` is the keyword that the adapter was trained with: only the worker reads it.

    Of a person's own style, ``keyword`` is in the prompt that they see, and names the pack. Of a style of somebody else
    they see ``name``, and the stickers go where those without a style go.
    """

    style: int | None = None
    adapter: str | None = None
    keyword: str = ""
    word: str = ""
    name: str = ""
    lent: bool = False
    note: str | None = None

    @property
    def lent_keyword(self) -> str:
        """The word of a style that is not the person's own."""
        return self.word if self.lent else ""

    @property
    def trained_as(self) -> str:
        """The word of a style of the person's own, if it is called otherwise now."""
        return "" if self.lent or self.word == self.keyword else self.word


def look_of(context: Context, style: Style | None) -> Look:
    """The look of a style that the person may use; without one, the ready-made look if it fits the base.

    Raises UserError for a style that was trained on another base.
    """
    if style is None:
        return ready_look(context) or Look(note="note-no-style")
    lent = style.person != context.person.id
    if style.adapter is None:
        return Look(note="note-lent-untrained" if lent else "note-untrained")
    if context.parts.dispatch.draws_on_other_base(style.base):
        raise _other_base(style, lent=lent)
    note = "note-lent" if lent else None if style.finished else "note-unfinished"
    return Look(
        style=style.id,
        adapter=style.adapter,
        keyword="" if lent else style.keyword,
        word=style.trained_as or style.keyword,
        name=style.keyword,
        lent=lent,
        note=note,
    )


def ready_look(context: Context) -> Look | None:
    """The ready-made look; None if there is none for this base."""
    parts = context.parts
    ready = parts.ready
    if ready is None or not ready.fits(parts.dispatch.base, parts.config.base.name):
        return None
    return Look(adapter=ready.adapter, word=ready.keyword, name=ready.keyword, lent=True, note="note-ready")


def _other_base(style: Style, *, lent: bool) -> UserError:
    if lent:
        return UserError("other-base-lent", keyword=style.keyword)
    again = [[("button-train-again", f"train:again:{style.id}")]]
    return UserError("other-base", keyword=style.keyword, buttons=again)
