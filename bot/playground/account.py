"""Methods about the bot itself: who it is, its commands and descriptions, and its updates."""

from __future__ import annotations

import json
import re

from bot.playground import limits
from bot.playground.limits import bad_request
from bot.playground.webhooks import check_url
from bot.playground.wire import Call, Json, Upload
from bot.playground.world import World

COMMAND = re.compile(r"[a-z0-9_]{1,32}")
SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")


async def get_me(world: World, call: Call) -> Json:
    """The bot as a User, with what only getMe tells."""
    return world.bot.json() | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": True,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


async def get_updates(world: World, call: Call) -> list[Json]:
    """Updates from ``offset`` on; those before it are confirmed and gone."""
    if call.has("allowed_updates"):
        world.updates.allow(call.strings("allowed_updates"))
    limit = min(max(call.int("limit", limits.POLL_UPDATES), 1), limits.POLL_UPDATES)
    seconds = min(max(call.int("timeout", 0), 0), limits.POLL_SECONDS)
    return await world.updates.poll(offset=call.int("offset", 0), limit=limit, seconds=seconds)


async def set_webhook(world: World, call: Call) -> bool:
    """Deliver updates to an address; what waits is delivered, too. An empty address is a deleteWebhook."""
    if not call.has("url"):
        return await delete_webhook(world, call)
    check_url(call.text("url"))
    secret = call.text("secret_token", "")
    if not SECRET.fullmatch(secret):
        raise bad_request("secret token contains unallowed characters")
    if call.flag("drop_pending_updates"):
        world.updates.drop()
    if call.has("allowed_updates"):
        world.updates.allow(call.strings("allowed_updates"))
    certificate = call.file("certificate") if "certificate" in call.files or call.has("certificate") else ""
    if isinstance(certificate, Upload):
        certificate = certificate.data.decode("ascii", "ignore")  # the text around the PEM block may be any
    world.delivery.reset()
    world.updates.set_webhook({"url": call.text("url"), "secret": secret, "certificate": certificate})
    return True


async def delete_webhook(world: World, call: Call) -> bool:
    """Nothing is delivered from now on; the waiting updates can be dropped."""
    world.updates.set_webhook({})
    if call.flag("drop_pending_updates"):
        world.updates.drop()
    return True


async def get_webhook_info(world: World, call: Call) -> Json:
    """The address, how many updates wait, and what went wrong last."""
    hook = world.updates.webhook
    found = {
        "url": hook.get("url", ""),
        "has_custom_certificate": bool(hook.get("certificate")),
        "pending_update_count": world.updates.waiting(),
    }
    return found | world.delivery.info if hook else found


async def set_my_commands(world: World, call: Call) -> bool:
    """The menu of commands, per scope and language."""
    commands = call.objects("commands")
    if len(commands) > limits.COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    clean = [_command(Call(method=call.method, params=command)) for command in commands]
    world.store_setting("commands", world.setting("commands") | {_audience(call): clean})
    return True


def _command(given: Call) -> Json:
    command, description = given.text("command", "").removeprefix("/"), given.text("description", "")
    if not COMMAND.fullmatch(command):
        raise bad_request("BOT_COMMAND_INVALID")
    if not 1 <= len(description) <= limits.COMMAND_DESCRIPTION_CHARACTERS:
        raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    return {"command": command, "description": description}


async def get_my_commands(world: World, call: Call) -> list[Json]:
    """The menu for exactly this scope and language."""
    return list(world.setting("commands").get(_audience(call), []))


async def delete_my_commands(world: World, call: Call) -> bool:
    """Forget the menu for this scope and language."""
    left = {k: v for k, v in world.setting("commands").items() if k != _audience(call)}
    world.store_setting("commands", left)
    return True


def menu(world: World, language: str) -> list[Json]:
    """What a person who speaks ``language`` sees in a private chat: the nearest scope and language."""
    commands = world.setting("commands")
    scopes = ("all_private_chats", "default")
    keys = [f"{scope} {spoken}" for scope in scopes for spoken in (language, "")]
    return next((commands[key] for key in keys if commands.get(key)), [])


async def set_my_name(world: World, call: Call) -> bool:
    """The bot's name, per language."""
    return _set_text(world, call, "name", limits.NAME_CHARACTERS)


async def get_my_name(world: World, call: Call) -> Json:
    """The bot's name."""
    return {"name": _get_text(world, call, "name") or world.bot.first_name}


async def set_my_description(world: World, call: Call) -> bool:
    """What an empty chat shows, per language."""
    return _set_text(world, call, "description", limits.DESCRIPTION_CHARACTERS)


async def get_my_description(world: World, call: Call) -> Json:
    """What an empty chat shows."""
    return {"description": _get_text(world, call, "description")}


async def set_my_short_description(world: World, call: Call) -> bool:
    """The line on the bot's profile, per language."""
    return _set_text(world, call, "short_description", limits.SHORT_DESCRIPTION_CHARACTERS)


async def get_my_short_description(world: World, call: Call) -> Json:
    """The line on the bot's profile."""
    return {"short_description": _get_text(world, call, "short_description")}


def _audience(call: Call) -> str:
    scope = call.object("scope") or {"type": "default"}
    if "type" not in scope:
        raise bad_request("can't parse BotCommandScope: expected an Object")
    kind = scope["type"] if set(scope) == {"type"} else json.dumps(scope, sort_keys=True)
    return f"{kind} {call.text('language_code', '')}"


def _set_text(world: World, call: Call, field: str, most: int) -> bool:
    text = call.text(field, "")
    if len(text) > most:
        raise bad_request(f"{field} is too long")
    world.store_setting(field, world.setting(field) | {call.text("language_code", ""): text})
    return True


def _get_text(world: World, call: Call, field: str) -> str:
    texts = world.setting(field)
    return str(texts.get(call.text("language_code", "")) or texts.get("", ""))
