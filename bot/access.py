"""Who may use the bot. It is decided on the raw update, before anything of it is stored or fetched.

A stranger's update is dropped: it is confirmed to Telegram, and no row, no file and no line of the log holds it. That
is safe, because nothing of it is to be done later. The stranger reads one sentence, at most once in
``REFUSAL_SECONDS``; when that was is kept in memory only. An update that was stored before its person was banned is
looked at again by ``bot.serve``.
"""

from __future__ import annotations

import asyncio
import html
import time
from collections.abc import Coroutine, Sequence

from bot import start_links
from bot.config import Access as Settings
from bot.reading import Author, Json, author
from bot.sender import Sender
from bot.store import Store
from bot.tables import access
from bot.words import Words

REFUSAL_SECONDS = 6 * 3600.0
REMEMBERED = 10_000  # strangers whose last answer is remembered


class Access:
    """The rules of ``[access]``. Bans, members and names are rows, and copied to memory: each update asks for them."""

    def __init__(self, *, settings: Settings, store: Store, sender: Sender) -> None:
        self._settings = settings
        self._store = store
        self._sender = sender
        self._ids = {entry for entry in settings.allow if isinstance(entry, int)}
        self._names = {entry[1:].lower() for entry in settings.allow if isinstance(entry, str)}
        self._banned: set[int] = set()
        self._members: set[int] = set()
        self._expected: set[str] = set()
        self._refused: dict[int, float] = {}  # stranger -> when they were told, monotonic seconds
        self._answers: set[asyncio.Task[None]] = set()

    async def load(self) -> None:
        """Read the rows, at the start and after a change."""
        self._banned = await access.banned(self._store)
        self._members = await access.members(self._store)
        self._expected = await access.names(self._store)

    async def close(self) -> None:
        """Cancel what is being said to strangers."""
        for task in self._answers:
            task.cancel()
        await asyncio.gather(*self._answers, return_exceptions=True)

    def is_admin(self, id: int) -> bool:
        """Whether they are in ``access.admins``."""
        return id in self._settings.admins

    def admits(self, id: int, username: str | None) -> bool:
        """Whether somebody may use the bot. Admins always may."""
        if self.is_admin(id):
            return True
        if id in self._banned:
            return False
        name = (username or "").lower()
        return self._settings.mode == "open" or id in self._ids | self._members or name in self._names

    async def sift(self, updates: Sequence[Json]) -> list[Json]:
        """The updates of people who may use the bot. The others get an answer, and are dropped."""
        found = []
        for update in updates:
            who = author(update)
            if await self._admits_update(update, who):
                found.append(update)
            elif who is not None:
                self._answer(update, who)
        return found

    async def _admits_update(self, update: Json, who: Author | None) -> bool:
        """Whether an update is from somebody who may use the bot, or who comes in with it."""
        if who is None:
            return self._settings.mode == "open"  # such as a channel's post
        if self.admits(who.id, who.username):
            return True
        return who.id not in self._banned and await self._comes_in(update, who)

    async def _comes_in(self, update: Json, who: Author) -> bool:
        """Let somebody in whom an admin has named, or who has an invite."""
        name = (who.username or "").lower()
        if name in self._expected:
            await access.let_in(self._store, who.id, name)
            await self.load()
            return True
        if self._settings.mode != "invite" or (token := _invite_token(update)) is None:
            return False
        if not await access.redeem(self._store, token, who.id):
            return False
        await self.load()
        return True

    def _answer(self, update: Json, who: Author) -> None:
        """Tell a stranger once in a while, in their private chat or on the button that they pressed."""
        press, inline = update.get("callback_query"), update.get("inline_query")
        if isinstance(inline, dict):
            self._start(self._sender.answer_inline_with_nothing(str(inline.get("id"))))
        elif isinstance(press, dict):
            text = self.refusal(who) if self._is_due(who.id) else ""
            self._start(self._sender.answer_once(str(press.get("id")), text))
        elif who.private and self._is_due(who.id):
            self._start(self._sender.text_once(who.id, html.escape(self.refusal(who), quote=False)))

    def refusal(self, who: Author) -> str:
        """What a stranger reads: the operator's text in their language, else in English, else any, else the bot's."""
        texts = self._settings.refusal
        code = who.language.split("-")[0].lower()
        if not texts:
            return Words(code).plain("access-refused", id=who.id)
        own = texts.get(code) or texts.get("en") or next(iter(texts.values()))
        return own.replace("{id}", str(who.id))

    def _is_due(self, id: int) -> bool:
        """Whether a stranger is to be told; from here on they count as told."""
        now = time.monotonic()
        if now - self._refused.get(id, float("-inf")) < REFUSAL_SECONDS:
            return False
        self._refused.pop(id, None)
        self._refused[id] = now
        while len(self._refused) > REMEMBERED:
            del self._refused[next(iter(self._refused))]
        return True

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)


def _invite_token(update: Json) -> str | None:
    message = update.get("message")
    return start_links.invite_token(message.get("text")) if isinstance(message, dict) else None
