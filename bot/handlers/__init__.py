"""The routes: every command, button and message that the bot reacts to. The first one that matches is taken."""

from __future__ import annotations

from telegram.ext import filters

from bot.captioning import names_pack
from bot.handlers import (
    access,
    captions,
    check,
    checkpoints,
    corrections,
    imports,
    jobs,
    language,
    packs,
    privacy,
    sample_pages,
    samples,
    sharing,
    start,
    sticker,
    styles,
    train,
)
from bot.routes import Command, Edited, Kind, Press, Route, Text
from bot.sample_lines import are_corrections, is_undo

ROUTES: tuple[Route, ...] = (
    Command("start", start.start),
    Command("help", start.help),
    Command("new", styles.new),
    Command("styles", styles.show),
    Command("rename", styles.rename),
    Command("share", sharing.share),
    Command("delete", styles.delete),
    Command("samples", sample_pages.show),
    Command("caption", captions.recaption),
    Command("check", check.check),
    Command("train", train.train),
    Command("sticker", sticker.sticker),
    Command("packs", packs.show),
    Command("pack", imports.pack),
    Command("status", jobs.status),
    Command("cancel", jobs.cancel),
    Command("language", language.ask),
    Command("privacy", privacy.privacy),
    Command("forgetme", privacy.forget),
    Press("new", styles.new_pressed, r"[a-z0-9_-]{1,40}"),
    Press("style", styles.switch),
    Press("delete", styles.delete_pressed),
    Press("share", sharing.change, r"(renew|end):\d{1,15}"),
    Press("leave", sharing.leave),
    Press("drafts", captions.keep_drafts),
    Press("samples", sample_pages.page),
    Press("remove", sample_pages.remove_pressed, r"(page:)?\d{1,15}"),
    Press("takepack", imports.take_pack_pressed),
    Press("stopimport", imports.stop_pressed),
    Press("undo", corrections.undo_pressed),
    Press("train", train.train_pressed, r"[a-z]{1,10}(:\d{1,15})?"),
    Press("look", checkpoints.choose, r"\d{1,15}:\d{1,15}"),  # these two names are in old messages' buttons
    Press("looks", checkpoints.show),
    Press("again", sticker.again),
    Press("cfg", sticker.other_cfg, r"\d{1,15}:\d{1,2}(\.\d{1,3})?"),
    Press("add", packs.add),
    Press("addall", packs.add_all),
    Press("cancel", jobs.cancel_pressed),
    Press("language", language.choose, r"[a-z]{2,3}"),
    Press("forget", privacy.forget_pressed, r"rows|packs"),
    Command("allow", access.allow, admins_only=True),
    Command("ban", access.ban, admins_only=True),
    Command("unban", access.unban, admins_only=True),
    Command("invite", access.invite, admins_only=True),
    Command("invites", access.invites, admins_only=True),
    Press("allow", access.allow_pressed, admins_only=True),
    Press("ban", access.ban_pressed, admins_only=True),
    Press("revoke", access.revoke, admins_only=True),
    Edited(captions.edited),
    Text(names_pack, imports.link),
    Text(is_undo, corrections.undo),
    Text(are_corrections, corrections.correct),
    # After the commands: a picture is a sample, a text is a caption, anything else is not used.
    Kind(filters.Sticker.ALL, samples.sticker),
    Kind(filters.PHOTO, samples.photo),
    Kind(filters.Document.ZIP | filters.Document.FileExtension("zip"), imports.zip),
    Kind(filters.Document.ALL | filters.ANIMATION | filters.VIDEO, samples.document),
    Kind(filters.COMMAND, start.unknown),
    Kind(filters.TEXT & filters.FORWARDED, access.forwarded, admins_only=True),
    Kind(filters.TEXT, captions.text),
    Kind(filters.StatusUpdate.ALL, start.nothing),
    Kind(filters.ALL, start.other),
)

COMMANDS = tuple(route.name for route in ROUTES if isinstance(route, Command) and not route.admins_only)

# The commands in the menu of the app, in this order. Each has a text "menu-<name>".
MENU = (
    "new",
    "samples",
    "check",
    "train",
    "sticker",
    "packs",
    "styles",
    "status",
    "cancel",
    "language",
    "privacy",
    "help",
)
