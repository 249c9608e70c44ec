"""Imports: a pack by its link, by /pack, or by the button below one of its stickers; a zip; and stopping one."""

from __future__ import annotations

from bot import captioning
from bot.asking import ask
from bot.context import Context
from bot.errors import KeepForLater, UserError
from bot.sample_words import KEPT
from bot.tables import imports, samples, styles
from bot.tables.imports import ImportKind
from bot.words import clip
from lora.data.pictures import MAX_BYTES

OTHER_ARCHIVES = ("rar", "7z", "tar", "gz", "tgz", "bz2", "xz", "zst")


async def link(context: Context) -> None:
    """A text with links of packs: each of these packs is imported."""
    await take_packs(context, context.message.text or "")


async def pack(context: Context) -> None:
    """/pack NAME: the pack with this name, or with this link, is imported. Without one, ask for it."""
    if context.argument.strip():
        await take_named(context, context.argument)
    else:
        await ask(context, "import", 0, context.words("pack-ask"))


async def take_named(context: Context, text: str) -> None:
    """Import the pack that a text is the name or the link of. Raises UserError."""
    asked = text.strip()
    if not (captioning.pack_names(asked) or captioning.is_pack_name(asked)):
        raise UserError("pack-usage")
    await take_packs(context, asked if captioning.pack_names(asked) else f"t.me/addstickers/{asked}")


async def take_packs(context: Context, text: str) -> None:
    """Ask for the packs whose links are in a text. Without a style the message waits for one."""
    parts, message = context.parts, context.message
    if await styles.get(parts.store, context.person.id, context.person.style) is None:
        await parts.sample_replies.refuse(context.person.id, message.message_id, KEPT)
        raise KeepForLater
    for name in captioning.pack_names(text):
        await _ask(context, f"{context.origin} {name}", ImportKind.PACK, name)


async def zip(context: Context) -> None:
    """A zip of pictures: all of them are taken, with the captions that are in it."""
    parts, message, found = context.parts, context.message, context.message.document
    assert found is not None
    if await styles.get(parts.store, context.person.id, context.person.style) is None:
        await parts.sample_replies.refuse(context.person.id, message.message_id, KEPT)
        raise KeepForLater
    if (found.file_size or 0) > MAX_BYTES:
        raise UserError("picture-too-many-bytes")
    await _ask(context, context.origin, ImportKind.ZIP, found.file_id, clip(found.file_name or "zip", 64))


async def other_archive(context: Context) -> None:
    """An archive of another kind."""
    raise UserError("archive-other")


async def take_pack_pressed(context: Context) -> None:
    """The button below a sticker: the pack that it is from. The button names the sample, a pack's name is too long."""
    style = await context.style()
    found = await samples.of_style(context.parts.store, style.id)
    sample = next((sample for sample in found if sample.id == int(context.data[0])), None)
    if sample is None or sample.pack is None:
        raise UserError("sample-gone")
    await _ask(context, context.origin, ImportKind.PACK, sample.pack)


async def stop_pressed(context: Context) -> None:
    """Stop an import. What was taken stays."""
    stopped = await imports.stop(context.parts.store, context.person.id, int(context.data[0]))
    await context.answer("notice-stopping" if stopped else "notice-import-over")
    context.parts.imports.wake(context.person.id)


async def _ask(context: Context, origin: str, kind: ImportKind, source: str, title: str = "") -> None:
    style = await context.style()
    await imports.ask(
        context.parts.store,
        person=context.person.id,
        style=style.id,
        origin=origin,
        kind=kind,
        source=source,
        title=title,
        message_id=context.message.message_id,
        sent_at=context.message.date.timestamp(),
    )
    await context.answer("notice-import")
    context.parts.sample_replies.close_burst(context.person.id)
    context.parts.imports.wake(context.person.id)
