"""A person who is a program: tests and the demo's visit chat with the bot through it."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self

import httpx

from bot.playground.wire import Json

As = Literal["photo", "sticker", "document"]
POLL_SECONDS = 10.0
INLINE_SECONDS = 60.0  # a loaded machine takes its time


class ChatError(Exception):
    """The playground refused a call of the person."""


@dataclass(frozen=True, kw_only=True)
class Button:
    """An inline button. ``data`` is None for one that only opens a link."""

    label: str
    data: str | None


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message as the person sees it now. ``seq`` is the number of the event that made it so."""

    seq: int
    id: int
    from_bot: bool
    text: str = field(repr=False)  # the text or the caption
    buttons: tuple[Button, ...]
    file_id: str | None  # of the sticker, the document, or the photo in its largest size
    kind: Literal["text", "photo", "sticker", "document"]
    edited: bool
    raw: Json = field(repr=False)

    def button(self, wanted: str) -> Button | None:
        """The first button whose label holds ``wanted`` or whose data begins with it."""
        return next((b for b in self.buttons if wanted in b.label or (b.data or "").startswith(wanted)), None)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A file to send, and how."""

    data: bytes = field(repr=False)
    name: str = "picture.png"
    caption: str = field(default="", repr=False)
    as_: As = "photo"
    emoji: str | None = None


@dataclass(frozen=True, kw_only=True)
class InlineAnswer:
    """What the bot offers for an inline query: results as (id, sticker's file_id), and a button."""

    query_id: str
    results: tuple[tuple[str, str], ...]
    next_offset: str
    label: str | None  # of the button that opens the private chat
    parameter: str | None  # of the /start that it sends


class Person:
    """One person in one chat: ``messages`` is the chat as last read. Sending does not wait for answers.

    The chat is the private one with the bot, or a group. Somebody who is in several chats is several of these.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        user: Json,
        watch: Callable[[Json], None] | None = None,
        chat: int | None = None,
    ) -> None:
        self._http = http
        self._watch = watch
        self._group = chat
        self.user = user
        self.id = int(user["id"])
        self._offers: dict[str, InlineAnswer] = {}  # by the query's id
        self.notices: list[str] = []  # what the bot said to button presses
        self._messages: dict[int, Message] = {}
        self._seq = 0
        self._mark = 0  # the last event before the person's last action

    @classmethod
    @asynccontextmanager
    async def join(
        cls,
        address: str,
        name: str = "Ada",
        *,
        language_code: str = "en",
        username: str = "",
        id: int | None = None,
        chat: int | None = None,
        watch: Callable[[Json], None] | None = None,
    ) -> AsyncIterator[Self]:
        """A new person at the playground at ``address``, or the one with ``id`` coming back.

        With ``chat`` they are in that group, else in the private chat with the bot.
        ``watch`` is called with every event that is read, such as to print it.
        """
        plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # http only: loading certificates would take 0.1 s
        async with httpx.AsyncClient(base_url=address, timeout=60.0, verify=plain) as http:
            fields = {"first_name": name, "language_code": language_code, "username": username}
            user = await _post(http, "/chat/people", data=fields) if id is None else {"id": id}
            person = cls(http, user, watch, chat)
            await person._catch_up()
            yield person

    @property
    def seq(self) -> int:
        """The number of the last event that was read."""
        return self._seq

    @property
    def messages(self) -> list[Message]:
        """The chat, oldest first."""
        return [self._messages[key] for key in sorted(self._messages)]

    async def send(self, text: str, *, reply_to: Message | None = None) -> Message:
        """Write a text; gives its last part if it was too long for one message."""
        fields = {"text": text} | _reply(reply_to)
        return self._sent(await self._do("send", data=fields))[-1]

    async def send_picture(
        self,
        picture: bytes | Path,
        *,
        caption: str = "",
        as_: As = "photo",
        emoji: str | None = None,
        name: str | None = None,
        reply_to: Message | None = None,
    ) -> Message:
        """Send one file. A sticker can have an emoji but no caption."""
        data = picture if isinstance(picture, bytes) else picture.read_bytes()  # noqa: ASYNC240 - small and local
        name = name or ("picture.png" if isinstance(picture, bytes) else picture.name)
        one = Picture(data=data, name=name, caption=caption, as_=as_, emoji=emoji)
        return (await self._send_files([one], reply_to))[-1]

    async def album(self, pictures: Sequence[Picture]) -> list[Message]:
        """Send several photos, or several documents, as albums of at most ten."""
        return await self._send_files(pictures, None)

    async def send_sticker(self, file_id: str) -> Message:
        """Send a sticker that exists already, as from a pack."""
        return self._sent(await self._do("send", data={"sticker": file_id}))[-1]

    async def publish(self, name: str, title: str, stickers: Sequence[Picture]) -> Json:
        """Make a sticker pack that no bot has made; gives it. .webm and .tgs files move."""
        items = [{"as": "sticker", "emoji": one.emoji} for one in stickers]
        files = [(f"file{number}", (one.name, one.data)) for number, one in enumerate(stickers)]
        fields = {"name": name, "title": title, "items": json.dumps(items)}
        made: Json = await _post(self._http, f"/chat/{self.id}/publish", data=fields, files=files)
        return made

    async def press(self, message: Message, wanted: str) -> str:
        """Press the button whose label holds ``wanted`` or whose data begins so; gives the query's id."""
        button = self._messages[message.id].button(wanted)
        if button is None or button.data is None:
            raise ChatError(f"no button {wanted!r} among {[b.label for b in message.buttons]}")
        answer = await self._do("press", data={"message_id": str(message.id), "data": button.data})
        return str(answer["query_id"])

    async def edit(self, message: Message, text: str) -> None:
        """Change the text, or the caption, of a message that the person has sent."""
        await self._do("edit", data={"message_id": str(message.id), "text": text})

    async def group(self, title: str, *others: Person) -> int:
        """Make a group of the bot, the person and others; gives its id."""
        members = json.dumps([self.id, *(other.id for other in others)])
        made = await _post(self._http, "/chat/groups", data={"title": title, "members": members})
        return int(made["id"])

    async def remove_bot(self) -> None:
        """Remove the bot from the group."""
        await self._do("remove_bot", data={})

    async def inline(self, query: str, *, offset: str = "") -> InlineAnswer:
        """Type ``query`` after the bot's name, and wait for its offer. Raises TimeoutError."""
        asked = await self._do("inline", data={"query": query, "offset": offset})
        end = time.monotonic() + INLINE_SECONDS
        while asked["query_id"] not in self._offers:
            if (left := end - time.monotonic()) <= 0:
                raise TimeoutError(f"no answer to an inline query in {INLINE_SECONDS:.0f} s")
            await self.read(left)
        return self._offers[asked["query_id"]]

    async def choose(self, answer: InlineAnswer, result_id: str) -> Message:
        """Send one of the offered results to the chat."""
        fields = {"query_id": answer.query_id, "result_id": result_id}
        return self._sent([await self._do("choose", data=fields)])[0]

    async def block(self) -> None:
        """Block the bot. Any message to it ends that."""
        await self._do("block", data={})

    async def wait_for(
        self,
        wanted: Callable[[Message], bool] | str = "",
        timeout: float = 30.0,  # noqa: ASYNC109 - its error tells more than asyncio.timeout's would
        *,
        since: int | None = None,
    ) -> Message:
        """The bot's first message, new or edited after the person's last action, that is ``wanted``.

        ``wanted`` is a test or a part of the text. ``since`` is an event's number to look after instead.
        Raises TimeoutError, which tells how much the bot has said meanwhile.
        """
        test = wanted if callable(wanted) else lambda message: wanted.casefold() in message.text.casefold()
        mark, end = self._mark if since is None else since, time.monotonic() + timeout
        while (left := end - time.monotonic()) > 0:
            for message in self.heard(mark):
                if test(message):
                    return message
            await self.read(min(left, POLL_SECONDS))
        raise TimeoutError(f"no such answer in {timeout:.0f} s; {len(self.heard(mark))} others came")

    async def wait_for_notice(self, timeout: float = 30.0) -> str:  # noqa: ASYNC109 - as wait_for
        """The next notice that answers a press and has not been waited for."""
        end = time.monotonic() + timeout
        while not self.notices and (left := end - time.monotonic()) > 0:
            await self.read(min(left, POLL_SECONDS))
        if not self.notices:
            raise TimeoutError(f"no notice in {timeout:.0f} s")
        return self.notices.pop(0)

    def heard(self, since: int | None = None) -> list[Message]:
        """What the bot has said or edited since the person's last action, in the order it happened."""
        mark = self._mark if since is None else since
        return sorted((m for m in self.messages if m.from_bot and m.seq > mark), key=lambda m: m.seq)

    async def read(self, timeout: float = 0.0) -> list[Json]:  # noqa: ASYNC109 - the server waits
        """Take in what has happened, waiting up to ``timeout`` seconds for the first event."""
        query = {"after": str(self._seq), "timeout": str(timeout)}
        events: list[Json] = await _get(self._http, f"/chat/{self.id}/events", params=query)
        for event in events:
            self._take_in(event)
        return events

    async def packs(self) -> list[Json]:
        """The person's sticker sets."""
        found: list[Json] = await _get(self._http, f"/chat/{self.id}/packs")
        return found

    async def pack(self, name: str) -> Json:
        """A sticker set by name; each sticker with its ``emoji_list`` and ``keywords``."""
        found: Json = await _get(self._http, f"/chat/packs/{name}")
        return found

    async def bot(self) -> Json:
        """The bot as the person sees it: its user, commands in the person's language, description."""
        found: Json = await _get(
            self._http, "/chat/bot", params={"language": self.user.get("language_code", "")}
        )
        return found

    async def download(self, file_id: str) -> bytes:
        """The bytes of a file in the chat or in a pack."""
        response = await self._http.get(f"/chat/files/{file_id}")
        _check(response)
        return response.content

    async def _send_files(self, pictures: Sequence[Picture], reply_to: Message | None) -> list[Message]:
        items = [{"as": one.as_, "caption": one.caption, "emoji": one.emoji} for one in pictures]
        files = [(f"file{number}", (one.name, one.data)) for number, one in enumerate(pictures)]
        return self._sent(
            await self._do("send", data={"items": json.dumps(items)} | _reply(reply_to), files=files)
        )

    async def _do(
        self, what: str, *, data: dict[str, str], files: list[tuple[str, tuple[str, bytes]]] | None = None
    ) -> Any:
        await self.read()
        self._mark = self._seq
        return await _post(self._http, f"/chat/{self.id}/{what}", data=data | self._where(), files=files)

    def _where(self) -> dict[str, str]:
        return {} if self._group is None else {"chat": str(self._group)}

    def _sent(self, raw: list[Json]) -> list[Message]:
        return [_message(one, self._seq) for one in raw]

    async def _catch_up(self) -> None:
        known = await _get(self._http, f"/chat/{self.id}/messages", params=self._where())
        self._seq = self._mark = int(known["seq"])
        self._messages = {raw["message_id"]: _message(raw, self._seq) for raw in known["messages"]}

    def _take_in(self, event: Json) -> None:
        self._seq = int(event["seq"])
        if self._watch is not None:
            self._watch(event)
        if event["kind"] == "inline":
            self._offers[event["query_id"]] = _offer(event)
        of_chat, kind = event.get("chat"), event["kind"].removeprefix("group_")
        if of_chat == self._group and kind in ("message", "edit"):
            self._messages[event["message"]["message_id"]] = _message(event["message"], self._seq)
        if of_chat == self._group and kind == "delete":
            self._messages.pop(event["message_id"], None)
        if event["kind"] == "answer" and event["text"]:
            self.notices.append(event["text"])


def _offer(event: Json) -> InlineAnswer:
    button = event["button"] or {}
    return InlineAnswer(
        query_id=event["query_id"],
        results=tuple((one["id"], one["sticker"]["file_id"]) for one in event["results"]),
        next_offset=event["next_offset"],
        label=button.get("text"),
        parameter=button.get("start_parameter"),
    )


def _message(raw: Json, seq: int) -> Message:
    rows = raw.get("reply_markup", {}).get("inline_keyboard", [])
    kind, file_id = _content(raw)
    return Message(
        seq=seq,
        id=raw["message_id"],
        from_bot=raw["from"]["is_bot"],
        text=raw.get("text") or raw.get("caption") or "",
        buttons=tuple(Button(label=b["text"], data=b.get("callback_data")) for row in rows for b in row),
        file_id=file_id,
        kind=kind,
        edited="edit_date" in raw,
        raw=raw,
    )


def _content(raw: Json) -> tuple[Literal["text", "photo", "sticker", "document"], str | None]:
    if "photo" in raw:
        return "photo", raw["photo"][-1]["file_id"]
    if "sticker" in raw:
        return "sticker", raw["sticker"]["file_id"]
    if "document" in raw:
        return "document", raw["document"]["file_id"]
    return "text", None


def _reply(message: Message | None) -> dict[str, str]:
    return {"reply_to": str(message.id)} if message else {}


async def _get(http: httpx.AsyncClient, path: str, params: dict[str, str] | None = None) -> Any:
    response = await http.get(path, params=params)
    _check(response)
    return response.json()


async def _post(
    http: httpx.AsyncClient,
    path: str,
    data: dict[str, str],
    files: list[tuple[str, tuple[str, bytes]]] | None = None,
) -> Any:
    response = await http.post(path, data=data, files=files)
    _check(response)
    return response.json()


def _check(response: httpx.Response) -> None:
    if response.is_error:
        raise ChatError(f"{response.status_code}: {response.text[:200]}")
