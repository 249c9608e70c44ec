"""Methods that send, edit and delete messages."""

from __future__ import annotations

import secrets
import time

from bot.playground import content, limits
from bot.playground.limits import bad_request
from bot.playground.markup import keyboard
from bot.playground.wire import Call, Json, is_whole
from bot.playground.world import World

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as"
    " a current content and reply markup of the message"
)
CONTENT = ("text", "entities", "caption", "caption_entities", *content.MEDIA)


async def send_message(world: World, call: Call) -> Json:
    """A text."""
    _reachable(world, call)
    return _send(world, call, content.text_of(call))


async def send_photo(world: World, call: Call) -> Json:
    """A photo with an optional caption."""
    _reachable(world, call)
    caption = content.caption_of(call)
    return _send(world, call, await content.photo(world, call.file("photo")) | caption)


async def send_document(world: World, call: Call) -> Json:
    """Any file, unchanged, with an optional caption."""
    _reachable(world, call)
    caption = content.caption_of(call)
    return _send(world, call, await content.document(world, call.file("document")) | caption)


async def send_sticker(world: World, call: Call) -> Json:
    """A static sticker; stickers have no captions."""
    _reachable(world, call)
    emoji = call.text("emoji", "") or None
    return _send(world, call, await content.sticker(world, call.file("sticker"), emoji))


async def send_media_group(world: World, call: Call) -> list[Json]:
    """An album of photos or of documents."""
    _reachable(world, call)
    items = call.objects("media")
    least, most = limits.ALBUM_ITEMS
    if not least <= len(items) <= most:
        raise bad_request("wrong number of items in the album; must be 2-10")
    if len({str(item.get("type")) for item in items}) > 1:
        raise bad_request("documents and photos can't be mixed in one album")
    made = [await _media(world, call, item) for item in items]
    group = {"media_group_id": str(secrets.randbits(60))}
    with world.change():
        return [_send(world, call, one | group) for one in made]


async def send_chat_action(world: World, call: Call) -> bool:
    """Shows "typing..." and the like for five seconds."""
    person = _reachable(world, call)
    if call.text("action") not in limits.CHAT_ACTIONS:
        raise bad_request("wrong parameter action in request")
    world.show(person, {"kind": "action", "action": call.text("action")})
    return True


async def edit_message_text(world: World, call: Call) -> Json:
    """New text and a new keyboard. Without a keyboard the old one is removed."""
    message = _own(world, call)
    if "text" not in message:
        raise bad_request("there is no text in the message to edit")
    return _edit(world, message, content.text_of(call) | _markup(call))


async def edit_message_caption(world: World, call: Call) -> Json:
    """New caption under a photo or document, and a new keyboard."""
    message = _own(world, call)
    media = {kind: message[kind] for kind in ("photo", "document") if kind in message}
    if not media:
        raise bad_request("there is no caption in the message to edit")
    return _edit(world, message, media | content.caption_of(call) | _markup(call))


async def edit_message_reply_markup(world: World, call: Call) -> Json:
    """A new keyboard, or none."""
    message = _own(world, call)
    kept = {name: message[name] for name in CONTENT if name in message}
    return _edit(world, message, kept | _markup(call))


async def edit_message_media(world: World, call: Call) -> Json:
    """Another photo or document with its caption in the place of the old one."""
    _own(world, call)
    made = await _media(world, call, call.object("media"))
    return _edit(world, _own(world, call), made | _markup(call))


async def delete_message(world: World, call: Call) -> bool:
    """Removes a message of the bot, and in a private chat also one of the person."""
    chat, message_id = call.int("chat_id"), call.int("message_id")
    message = world.message(chat, message_id)
    if message is not None and not _may_delete(message):
        raise bad_request("message can't be deleted")
    if not world.delete(chat, message_id):
        raise bad_request("message to delete not found")
    return True


def _may_delete(message: Json) -> bool:
    """The bot is no admin of any group."""
    return bool(message["chat"]["id"] > 0 or message["from"]["is_bot"])


async def delete_messages(world: World, call: Call) -> bool:
    """Removes up to 100 messages; those that do not exist are skipped."""
    ids = call.json("message_ids")
    if (
        not isinstance(ids, list)
        or not 1 <= len(ids) <= limits.DELETE_MESSAGES
        or not all(map(is_whole, ids))
    ):
        raise bad_request("message identifiers are not specified")
    for message_id in ids:
        world.delete(call.int("chat_id"), message_id)
    return True


async def answer_callback_query(world: World, call: Call) -> bool:
    """Answers a pressed button, with an optional notice."""
    text = call.text("text", "")
    if len(text) > limits.CALLBACK_ANSWER_CHARACTERS:
        raise bad_request("MESSAGE_TOO_LONG")
    query_id = call.text("callback_query_id")
    person = world.presses.answer(query_id)
    alert = call.flag("show_alert")
    world.log.add(person, {"kind": "answer", "query_id": query_id, "text": text, "alert": alert})
    return True


async def get_file(world: World, call: Call) -> Json:
    """Where to download a file of at most 20 MB from."""
    file = world.files.by_id(call.text("file_id"))
    if file.size > limits.DOWNLOAD_BYTES:
        raise bad_request("file is too big")
    return file.json() | {"file_path": file.path}


def _reachable(world: World, call: Call) -> int:
    chat = call.int("chat_id")
    world.check_reachable(chat)
    return chat


def _send(world: World, call: Call, body: Json) -> Json:
    markup = keyboard(call)
    extra: Json = {"reply_markup": markup} if markup else {}
    return world.say(call.int("chat_id"), _reply(world, call) | body | extra, from_bot=True)


def _reply(world: World, call: Call) -> Json:
    """The message that is replied to, without its own reply_to_message."""
    wanted = Call(method=call.method, params=call.object("reply_parameters"))
    message_id = wanted.int("message_id", 0) or call.int("reply_to_message_id", 0)
    if not message_id:
        return {}
    message = world.message(call.int("chat_id"), message_id)
    if message is None and not wanted.flag("allow_sending_without_reply"):
        raise bad_request("message to be replied not found")
    return {"reply_to_message": without_reply(message)} if message else {}


def without_reply(message: Json) -> Json:
    """A message in the form in which a reply holds it."""
    return {name: value for name, value in message.items() if name != "reply_to_message"}


def _markup(call: Call) -> Json:
    markup = keyboard(call)
    return {"reply_markup": markup} if markup else {}


async def _media(world: World, call: Call, item: Json) -> Json:
    """The content that an InputMedia describes."""
    maker = content.MAKERS.get(str(item.get("type")))
    if maker is None:
        raise bad_request("can't parse InputMedia: the playground takes photo and document")
    source = call.attached(str(item.get("media", "")))
    caption = content.caption_of(Call(method=call.method, params=item))
    return await maker(world, source) | caption


def _own(world: World, call: Call) -> Json:
    """The bot's own message that is to be edited."""
    message = world.message(_reachable(world, call), call.int("message_id"))
    if message is None:
        raise bad_request("message to edit not found")
    if not message["from"]["is_bot"]:
        raise bad_request("message can't be edited")
    return message


def _edit(world: World, message: Json, new: Json) -> Json:
    """Put new content and a new keyboard into a message. Raises ApiError if both are as before."""
    old = {name: message[name] for name in (*CONTENT, "reply_markup") if name in message}
    if old == new:
        raise bad_request(NOT_MODIFIED)
    kept = {name: value for name, value in message.items() if name not in old}
    return world.revise(message["chat"]["id"], kept | new | {"edit_date": int(time.time())})
