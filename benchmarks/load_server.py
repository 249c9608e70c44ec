"""A small Bot API server in a process of its own. It hands out commands, and notes when each chat gets its answer.

It speaks just enough HTTP for one client on this machine, so that it takes little of the second core.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection

BATCH = 100  # updates in one answer to getUpdates, as Telegram gives
LONG_POLL_SECONDS = 20.0
LIMIT_SECONDS = 600.0
ME = {"id": 7_000_000_001, "is_bot": True, "first_name": "x", "username": "x_bot"}

Reply = Callable[[object], None]


@dataclass(frozen=True, kw_only=True)
class Load:
    """What people send."""

    people: int
    rate: float  # commands a second; 0 = all at once
    total: int
    commands: Sequence[str] = ("/help",)  # in turn; the bot answers each with one message


@dataclass(frozen=True, kw_only=True)
class Found:
    """What the server has seen. Seconds are from an update's arrival, or from the first one's."""

    answers: Sequence[float]  # seconds of each
    unasked: int  # answers that nobody had asked for
    stored: float  # when the last update was confirmed
    done: float  # when the last answer came
    late: float  # the longest time that a command came after it was due: then this process is too slow
    cpu: float  # processor seconds of this process


@dataclass(kw_only=True)
class Server:
    """Updates that wait, and the questions without an answer."""

    load: Load
    waiting: deque[int] = field(default_factory=deque)  # update ids
    asked: dict[int, deque[float]] = field(default_factory=dict)  # chat -> arrivals
    answers: list[float] = field(default_factory=list)
    unasked: int = 0
    late: float = 0.0
    began: float = 0.0
    stored: float = 0.0
    confirmed: asyncio.Event = field(default_factory=asyncio.Event)  # the last update
    polled: asyncio.Event = field(default_factory=asyncio.Event)  # the bot is there
    done: asyncio.Event = field(default_factory=asyncio.Event)
    poll: Reply | None = None  # a call that waits for updates

    async def arrive(self) -> None:
        """Let the updates come."""
        self.began = time.monotonic()
        for number in range(self.load.total):
            if self.load.rate:
                due = self.began + number / self.load.rate
                if (pause := due - time.monotonic()) > 0:
                    await asyncio.sleep(pause)
                self.late = max(self.late, time.monotonic() - due)
            self.waiting.append(number + 1)
            self.asked.setdefault(1 + number % self.load.people, deque()).append(time.monotonic())
            if self.load.rate:
                self.give()
        self.give()

    def call(self, method: str, query: str, body: bytes, reply: Reply) -> None:
        """One of the few methods that the bot needs."""
        match method.lower():
            case "getupdates":
                self.polled.set()
                self._confirm(query)
                self.poll = reply
                asyncio.get_running_loop().call_later(LONG_POLL_SECONDS, self._give_nothing, reply)
                self.give()
            case "sendmessage":
                found = re.search(rb'chat_id"?[=:] ?"?(\d+)', body)
                assert found is not None
                chat = int(found[1])
                self._answered(chat)
                reply({"message_id": 1, "date": 1, "chat": {"id": chat, "type": "private"}})
            case "getme":
                reply(ME)
            case _:
                reply(True)

    def give(self) -> None:
        """Answer the call that waits for updates, if there are any."""
        if self.poll is not None and self.waiting:
            reply, self.poll = self.poll, None
            reply([self._update(number) for number in list(self.waiting)[:BATCH]])

    def _give_nothing(self, reply: Reply) -> None:
        if self.poll is reply:
            self.poll = None
            reply([])

    def _confirm(self, query: str) -> None:
        found = re.search(r"offset=(\d+)", query)
        offset = int(found[1]) if found else 0
        while self.waiting and self.waiting[0] < offset:
            self.waiting.popleft()
        if offset > self.load.total:
            self.stored = self.stored or time.monotonic()
            self.confirmed.set()

    def _answered(self, chat: int) -> None:
        if not self.asked.get(chat):
            self.unasked += 1
            return
        self.answers.append(time.monotonic() - self.asked[chat].popleft())
        if len(self.answers) == self.load.total:
            self.done.set()

    def _update(self, number: int) -> object:
        person = 1 + (number - 1) % self.load.people
        chat = {"id": person, "type": "private", "first_name": "x"}
        user = {"id": person, "is_bot": False, "first_name": "x", "language_code": "en"}
        text = self.load.commands[number % len(self.load.commands)]
        entity = {"type": "bot_command", "offset": 0, "length": len(text)}
        message = {"message_id": number, "date": 1, "chat": chat, "from": user, "text": text}
        return {"update_id": number, "message": message | {"entities": [entity]}}


class _Http(asyncio.Protocol):
    """HTTP/1.1 with keep-alive and Content-Length; nothing else is needed here."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].decode()
            length = re.search(r"content-length: (\d+)", head, re.I)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._data) < whole:
                return
            body, self._data = self._data[end + 4 : whole], self._data[whole:]
            method, _, query = head.split(" ", 2)[1].rpartition("/")[2].partition("?")
            self._server.call(method, query, body, self._reply)

    def _reply(self, result: object) -> None:
        body = json.dumps({"ok": True, "result": result}).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        assert isinstance(self._transport, asyncio.WriteTransport)
        self._transport.write(head.encode() + body)


def serve(pipe: Connection, load: Load) -> None:
    """The server's process: sends its port, then True when the load begins, then what it has found."""
    asyncio.run(_serve(pipe, load))


async def _serve(pipe: Connection, load: Load) -> None:
    server = Server(load=load)
    http = await asyncio.get_running_loop().create_server(lambda: _Http(server), "127.0.0.1", 0)
    pipe.send(http.sockets[0].getsockname()[1])
    await server.polled.wait()
    pipe.send(True)
    cpu = time.process_time()
    await server.arrive()
    async with asyncio.timeout(LIMIT_SECONDS):
        await server.done.wait()
        ended = time.monotonic()
        await server.confirmed.wait()
    pipe.send(
        Found(
            answers=server.answers,
            unasked=server.unasked,
            stored=server.stored - server.began,
            done=ended - server.began,
            late=server.late,
            cpu=time.process_time() - cpu,
        )
    )
