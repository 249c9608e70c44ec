"""The people's side over HTTP: what a Telegram app does for a person, for the page and for ``person.py``."""

from __future__ import annotations

import mimetypes
import secrets
import time
from dataclasses import dataclass, field

from aiohttp import web

from bot.playground import content, limits, owner
from bot.playground.account import menu
from bot.playground.entities import stripped, with_automatic
from bot.playground.limits import ApiError, bad_request
from bot.playground.markup import callback_data
from bot.playground.messages import without_reply
from bot.playground.publish import publish, sticker_file
from bot.playground.wire import Call, Json, Upload, is_whole, read_call
from bot.playground.world import World

SHOWN_TYPES = ("image/png", "image/jpeg", "image/webp", "video/webm")  # others are only offered for download
EVENT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class Item:
    """One file that a person sends, and how."""

    upload: Upload
    kind: str  # photo, sticker or document
    caption: str = field(default="", repr=False)
    emoji: str | None = None


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where somebody writes, and who."""

    chat: int
    author: int


class Chat:
    """The routes under ``/chat``. Errors are JSON: ``{"error": "..."}``.

    What is done in a group has its id as ``chat``; without it, it is the private chat with the bot.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def routes(self) -> list[web.RouteDef]:
        """All of them; ``{person}`` is the person's id."""
        return [
            web.get("/chat/people", self.people),
            web.post("/chat/people", self.join),
            web.post("/chat/groups", self.group),
            web.get("/chat/bot", self.bot),
            web.get("/chat/{person:[0-9]+}/messages", self.messages),
            web.get("/chat/{person:[0-9]+}/events", self.events),
            web.get("/chat/{person:[0-9]+}/packs", self.packs),
            web.post("/chat/{person:[0-9]+}/send", self.send),
            web.post("/chat/{person:[0-9]+}/edit", self.edit),
            web.post("/chat/{person:[0-9]+}/language", self.language),
            web.post("/chat/{person:[0-9]+}/publish", self.publish),
            web.post("/chat/{person:[0-9]+}/move", self.move),
            web.post("/chat/{person:[0-9]+}/remove", self.remove),
            web.post("/chat/{person:[0-9]+}/delete_pack", self.delete_pack),
            web.post("/chat/{person:[0-9]+}/press", self.press),
            web.post("/chat/{person:[0-9]+}/block", self.block),
            web.post("/chat/{person:[0-9]+}/inline", self.inline),
            web.post("/chat/{person:[0-9]+}/choose", self.choose),
            web.get("/chat/{person:[0-9]+}/groups", self.groups),
            web.post("/chat/{person:[0-9]+}/remove_bot", self.remove_bot),
            web.get("/chat/packs/{name}", self.pack),
            web.get("/chat/files/{file_id}", self.file),
        ]

    async def people(self, request: web.Request) -> web.Response:
        """All people of the playground."""
        return web.json_response(self._world.people.all())

    async def join(self, request: web.Request) -> web.Response:
        """A new person: ``first_name``, and maybe ``username`` and ``language_code``."""
        call = await read_call(request, "join")
        name = call.text("first_name").strip()[:64]
        if not name:
            raise bad_request("a person needs a name")
        username, language = call.text("username", "") or None, call.text("language_code", "") or None
        person = self._world.people.add(name, username=username, language_code=language)
        return web.json_response(self._world.people.user(person))

    async def bot(self, request: web.Request) -> web.Response:
        """The bot: its user, its commands in ``?language=``, and its description."""
        language = request.query.get("language", "")
        texts = self._world.setting("description")
        description = texts.get(language) or texts.get("", "")
        commands = menu(self._world, language)
        return web.json_response(
            {"user": self._world.bot.json(), "commands": commands, "description": description}
        )

    async def messages(self, request: web.Request) -> web.Response:
        """The chat so far, and the number of the last event in it."""
        chat, seq = (
            self._chat(self._person(request), await read_call(request, "messages")),
            self._world.log.last(),
        )
        return web.json_response({"messages": self._world.messages(chat), "seq": seq})

    async def events(self, request: web.Request) -> web.Response:
        """What happened after event number ``after``, waiting up to ``timeout`` seconds for it."""
        seconds = min(EVENT_SECONDS, float(request.query.get("timeout", "0")))  # not a number: the first
        after = (await read_call(request, "events")).int("after", 0)
        events = await self._world.log.after(self._person(request), after, seconds)
        return web.json_response(events)

    async def packs(self, request: web.Request) -> web.Response:
        """The sticker sets that a person owns."""
        names = self._world.sets.owned(self._person(request))
        return web.json_response([self._pack(name) for name in names])

    async def pack(self, request: web.Request) -> web.Response:
        """One sticker set by name."""
        return web.json_response(self._pack(request.match_info["name"]))

    async def file(self, request: web.Request) -> web.StreamResponse:
        """A file's bytes. Only pictures and video stickers get a type that a browser would show."""
        file = self._world.files.by_id(request.match_info["file_id"])
        headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, max-age=86400"}
        shown = file.mime in SHOWN_TYPES
        headers["Content-Type"] = file.mime if shown else "application/octet-stream"
        headers["Content-Disposition"] = "inline" if shown else "attachment"
        return web.FileResponse(self._world.files.place(file), headers=headers)

    async def send(self, request: web.Request) -> web.Response:
        """A text, a sticker that exists already, or files; gives the messages that became of it.

        ``text``; or ``sticker`` (a file_id); or file parts with ``items``, a JSON list of
        ``{"as": "photo|sticker|document", "caption", "emoji"}`` in their order. ``reply_to`` is a message id.
        """
        person, call = self._person(request), await read_call(request, "send")
        place = Place(chat=self._chat(person, call), author=person)
        reply = self._reply(place.chat, call.int("reply_to", 0))
        if call.files:
            sent = await self._send_files(place, _items(call), reply)
        elif call.has("sticker"):
            body = await content.sticker(self._world, call.text("sticker"))
            sent = [self._say(place, reply | body)]
        else:
            sent = self._send_text(place, call.text("text"), reply)
        return web.json_response(sent)

    async def edit(self, request: web.Request) -> web.Response:
        """Change the ``text``, or the caption, of the person's own message ``message_id``; gives the message."""
        person, call = self._person(request), await read_call(request, "edit")
        chat = self._chat(person, call)
        message = self._world.message(chat, call.int("message_id"))
        if message is None or message["from"]["id"] != person:
            raise bad_request("message can't be edited")
        names = ("text", "entities") if "text" in message else ("caption", "caption_entities")
        kept = {name: value for name, value in message.items() if name not in names}
        new = kept | _text(*names, call.text("text")) | {"edit_date": int(time.time())}
        self._world.edited(chat, new)
        return web.json_response(new)

    async def publish(self, request: web.Request) -> web.Response:
        """Make a pack that no bot has made: ``name``, ``title``, and files with ``items`` as in ``send``."""
        person, call = self._person(request), await read_call(request, "publish")
        name = call.text("name")
        stickers = [(item.upload, item.emoji or "") for item in _items(call)]
        await publish(self._world, person, name, call.text("title"), stickers)
        return web.json_response(self._pack(name))

    async def language(self, request: web.Request) -> web.Response:
        """The person's Telegram speaks ``language_code`` from now on; gives the User."""
        person, call = self._person(request), await read_call(request, "language")
        self._world.people.speak(person, call.text("language_code"))
        return web.json_response(self._world.people.user(person))

    async def move(self, request: web.Request) -> web.Response:
        """Put the person's own ``sticker`` (a file_id) at the zero-based ``position`` of its pack."""
        person, call = self._person(request), await read_call(request, "move")
        owner.move(self._world, person, call.text("sticker"), call.int("position"))
        return web.json_response({})

    async def remove(self, request: web.Request) -> web.Response:
        """Remove the person's own ``sticker`` (a file_id) from its pack."""
        person, call = self._person(request), await read_call(request, "remove")
        owner.remove(self._world, person, call.text("sticker"))
        return web.json_response({})

    async def delete_pack(self, request: web.Request) -> web.Response:
        """Delete the person's own pack ``name``."""
        person, call = self._person(request), await read_call(request, "delete_pack")
        owner.delete(self._world, person, call.text("name"))
        return web.json_response({})

    async def press(self, request: web.Request) -> web.Response:
        """Press the button with ``data`` under the message ``message_id``; gives the query's id."""
        person, call = self._person(request), await read_call(request, "press")
        chat = self._chat(person, call)
        message = self._world.message(chat, call.int("message_id"))
        if message is None or call.text("data") not in callback_data(message):
            raise bad_request("there is no such button")
        with self._world.change():
            query_id = self._world.presses.add(person)
            query: Json = {"id": query_id, "from": self._world.people.user(person), "message": message}
            query |= {"chat_instance": str(chat), "data": call.text("data")}
            self._world.updates.add("callback_query", query)
        return web.json_response({"query_id": query_id})

    async def block(self, request: web.Request) -> web.Response:
        """The person blocks the bot, until the next message to it."""
        self._world.people.block(self._person(request))
        return web.json_response({})

    async def group(self, request: web.Request) -> web.Response:
        """A new group with the bot: its ``title``, and ``members``, a JSON list of people's ids; gives the Chat."""
        call = await read_call(request, "group")
        title, members = call.text("title").strip(), call.json("members")
        if not 1 <= len(title) <= limits.GROUP_TITLE_CHARACTERS:
            raise bad_request("chat title is empty or too long")
        known = self._world.people.known
        if not isinstance(members, list) or not all(is_whole(id) and known(id) for id in members):
            raise bad_request("members must be people's ids")
        with self._world.change():
            id = self._world.groups.add(title, members)
        return web.json_response(self._world.groups.chat(id))

    async def groups(self, request: web.Request) -> web.Response:
        """The groups that a person is in."""
        return web.json_response(self._world.groups.of(self._person(request)))

    async def remove_bot(self, request: web.Request) -> web.Response:
        """Remove the bot from the group ``chat``."""
        person, call = self._person(request), await read_call(request, "remove_bot")
        self._world.groups.remove_bot(self._chat(person, call))
        return web.json_response({})

    async def inline(self, request: web.Request) -> web.Response:
        """Type ``query`` after @bot; gives the query's id. The answer is an event of kind ``inline``.

        ``offset`` asks for the results that follow. An answer that may be shown again is, without asking the bot.
        """
        person, call = self._person(request), await read_call(request, "inline")
        text, offset = call.text("query", "")[: limits.INLINE_QUERY_CHARACTERS], call.text("offset", "")
        chat = self._chat(person, call)
        if (known := self._world.inline.cached(person, text, offset)) is not None:
            self._world.log.add(person, {"kind": "inline"} | known)
            return web.json_response({"query_id": known["query_id"]})
        with self._world.change():
            query_id = self._world.inline.add(person, text, offset)
            query: Json = {"id": query_id, "from": self._world.people.user(person), "query": text}
            kind = "sender" if chat == person else self._world.chat(chat)["type"]
            self._world.updates.add("inline_query", query | {"offset": offset, "chat_type": kind})
        return web.json_response({"query_id": query_id})

    async def choose(self, request: web.Request) -> web.Response:
        """Send the result ``result_id`` of the query ``query_id``; gives the message."""
        person, call = self._person(request), await read_call(request, "choose")
        place = Place(chat=self._chat(person, call), author=person)
        query, answer = self._world.inline.answered(person, call.text("query_id"))
        result = next((one for one in answer["results"] if one["id"] == call.text("result_id")), None)
        if result is None:
            raise bad_request("RESULT_ID_INVALID")
        with self._world.change():
            message = self._say(place, {"via_bot": self._world.bot.json(), "sticker": result["sticker"]})
            chosen: Json = {
                "result_id": result["id"],
                "from": self._world.people.user(person),
                "query": query,
            }
            self._world.updates.add("chosen_inline_result", chosen)
        return web.json_response(message)

    def _chat(self, person: int, call: Call) -> int:
        """The chat that is meant: a group that the person is in, or their private one."""
        id = call.int("chat", person)
        if id != person and person not in self._world.groups.members(id):
            raise ApiError(403, "the person is not in this chat")
        return id

    def _say(self, place: Place, body: Json) -> Json:
        return self._world.say(place.chat, body, from_bot=False, author=place.author)

    def _person(self, request: web.Request) -> int:
        person = int(request.match_info["person"])
        if not is_whole(person) or not self._world.people.known(person):
            raise ApiError(404, "there is no such person")
        return person

    def _pack(self, name: str) -> Json:
        pack = self._world.sets.json(name)
        for sticker, detail in zip(pack["stickers"], self._world.sets.details(name), strict=True):
            sticker["emoji_list"], sticker["keywords"] = detail["emoji"], detail["keywords"]
        return pack | {"owner": self._world.sets.owner(name)}

    def _reply(self, chat: int, message_id: int) -> Json:
        if not message_id:
            return {}
        message = self._world.message(chat, message_id)
        if message is None:
            raise bad_request("message to be replied not found")
        return {"reply_to_message": without_reply(message)}

    def _send_text(self, place: Place, text: str, reply: Json) -> list[Json]:
        """Apps split a text that is too long into several messages."""
        body = text.strip()
        if not body:
            raise bad_request("message text is empty")
        size = limits.TEXT_CHARACTERS
        parts = [body[start : start + size] for start in range(0, len(body), size)]
        return [self._say(place, reply | _text("text", "entities", part)) for part in parts]

    async def _send_files(self, place: Place, items: list[Item], reply: Json) -> list[Json]:
        bodies = [await self._body(item) for item in items]
        if len(items) == 1 or any(item.kind == "sticker" for item in items):
            return [self._say(place, reply | body) for body in bodies]
        most = limits.ALBUM_ITEMS[1]
        albums = [bodies[start : start + most] for start in range(0, len(bodies), most)]
        return [message for album in albums for message in self._send_album(place, album, reply)]

    def _send_album(self, place: Place, bodies: list[Json], reply: Json) -> list[Json]:
        group: Json = {"media_group_id": str(secrets.randbits(60))} if len(bodies) > 1 else {}
        with self._world.change():
            return [self._say(place, reply | body | group) for body in bodies]

    async def _body(self, item: Item) -> Json:
        if item.kind == "sticker":
            file = self._world.files.add(await sticker_file(item.upload))
            return {"sticker": self._world.sets.sticker_json(file, item.emoji)}
        made = await content.MAKERS[item.kind](self._world, item.upload)
        return made | (_text("caption", "caption_entities", item.caption) if item.caption.strip() else {})


def _items(call: Call) -> list[Item]:
    """The files of a call with what ``items`` says of each."""
    descriptions = call.objects("items")
    if len(descriptions) != len(call.files):
        raise bad_request("items must describe each file")
    items = []
    for upload, described in zip(call.files.values(), descriptions, strict=True):
        kind, caption = str(described.get("as", "photo")), str(described.get("caption") or "")
        if kind not in content.MEDIA:
            raise bad_request(f"as must be one of {', '.join(content.MEDIA)}")
        if len(caption) > limits.PREMIUM_CAPTION_CHARACTERS:
            raise bad_request("message caption is too long")
        named = Upload(
            name=upload.name, mime=mimetypes.guess_type(upload.name)[0] or upload.mime, data=upload.data
        )
        items.append(
            Item(upload=named, kind=kind, caption=caption, emoji=str(described.get("emoji") or "") or None)
        )
    if len({item.kind for item in items}) > 1:
        raise bad_request("an album is of one kind")
    return items


def _text(field_name: str, entities_name: str, text: str) -> Json:
    """A person's text with what Telegram marks in it: commands, links, mentions, hashtags."""
    plain, entities = with_automatic(*stripped(text, []))
    return {field_name: plain} | ({entities_name: entities} if entities else {})
