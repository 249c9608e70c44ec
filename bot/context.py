"""What every handler needs: the bot's parts, the person, their update, and how to answer."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field

from telegram import CallbackQuery, Message, Update
from telegram.constants import ChatType

from bot.access import Access
from bot.admins import Admins
from bot.blobs import Blobs
from bot.config import Config
from bot.deliver import Deliver
from bot.disk import Disk
from bot.dispatch import Dispatch
from bot.erasure import Erasing
from bot.errors import Buttons, UserError
from bot.example_prompt import ExamplePrompt
from bot.exports import Exports
from bot.imports import Imports
from bot.intake import Intake
from bot.outbox import Outbox
from bot.packs import Packs
from bot.ready_style import ReadyStyle
from bot.reports import Reports
from bot.sample_replies import SampleReplies
from bot.sender import Sender
from bot.store import Store
from bot.tables import outbox, people, styles
from bot.tables.people import Person
from bot.tables.styles import Style
from bot.words import Words

NAMELESS = "🙂"  # whose name nobody can see (bot.reading)
HELP_SECONDS = 60.0  # between two answers of one kind to what the bot cannot use
MOST_HELPED = 10_000  # people and texts that are remembered


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The bot's parts that handlers use. ``app.build`` makes them."""

    config: Config
    store: Store
    blobs: Blobs
    sender: Sender
    intake: Intake
    sample_replies: SampleReplies
    dispatch: Dispatch
    deliver: Deliver
    outbox: Outbox
    admins: Admins
    reports: Reports
    example_prompt: ExamplePrompt
    access: Access
    disk: Disk
    packs: Packs
    erasing: Erasing
    imports: Imports
    ready: ReadyStyle | None
    exports: Exports
    # (group, text) -> when it was sent there last, monotonic seconds
    declined: dict[tuple[int, str], float] = field(default_factory=dict)
    helped: dict[tuple[int, str], float] = field(default_factory=dict)  # (person, text) -> when, monotonic


@dataclass(kw_only=True)
class Context:
    """One update of one person, in their private chat or in a group."""

    parts: Parts
    person: Person
    words: Words
    message: Message  # what they wrote, or the bot's message whose button they pressed
    press: CallbackQuery | None
    answered: bool = False

    @classmethod
    async def of(cls, parts: Parts, update: Update) -> Context:
        """The context of an update, whose person is known from here on."""
        user, message = update.effective_user, update.effective_message
        assert user is not None
        assert isinstance(message, Message)
        language = user.language_code or "en"
        person = await people.see(
            parts.store,
            id=user.id,
            name=user.first_name or user.username or NAMELESS,
            username=user.username,
            language=language,
            at=time.time() if update.callback_query else message.date.timestamp(),
        )
        return cls(
            parts=parts,
            person=person,
            words=Words(person.language, example_prompt=parts.example_prompt.prompt),
            message=message,
            press=update.callback_query,
        )

    @property
    def chat(self) -> int:
        """Where they are answered."""
        return self.message.chat.id

    @property
    def group(self) -> int | None:
        """The group, None in the private chat."""
        return None if self.message.chat.type == ChatType.PRIVATE else self.chat

    @property
    def message_key(self) -> str:
        """Names the message among all messages of the person: groups count their messages themselves."""
        id = str(self.message.message_id)
        return id if self.group is None else f"{self.group}/{id}"

    @property
    def origin(self) -> str:
        """Names the message, its edit, or the press, so that a job which it asks for is asked for once."""
        if self.press:
            return f"press {self.press.id}"
        edited = self.message.edit_date
        key = self.message_key
        return f"edit {key} {edited.timestamp():.0f}" if edited else f"message {key}"

    @property
    def is_admin(self) -> bool:
        """Whether the person is in ``access.admins``."""
        return self.parts.access.is_admin(self.person.id)

    @property
    def argument(self) -> str:
        """What follows the command, in a text or in a picture's caption."""
        return re.sub(r"^\S+\s*", "", self.written)

    @property
    def written(self) -> str:
        """A message's text, or a picture's caption."""
        return self.message.text or self.message.caption or ""

    @property
    def data(self) -> list[str]:
        """What follows the name in a pressed button's data."""
        assert self.press is not None
        return (self.press.data or "").split(":")[1:]

    async def say(
        self, key: str, *, buttons: Buttons | None = None, reply_to: int | None = None, **values: object
    ) -> int:
        """Send a text of the locales; gives its message id."""
        return await self.send(self.words(key, **values), buttons=buttons, reply_to=reply_to)

    async def say_once(self, key: str, **params: object) -> None:
        """Send a text that helps with what the bot cannot use, at most once a minute: ten voices need one answer."""
        helped, now, about = self.parts.helped, time.monotonic(), (self.person.id, key)
        if now - helped.get(about, float("-inf")) < HELP_SECONDS:
            return
        if len(helped) >= MOST_HELPED:
            helped.clear()
        helped[about] = now
        await self.send(self.words(key, **params))

    async def send(self, text: str, *, buttons: Buttons | None = None, reply_to: int | None = None) -> int:
        """Send HTML."""
        await self.answer()
        self.parts.sample_replies.close_burst(self.person.id)
        return await self.parts.sender.text(self.chat, text, buttons=buttons, reply_to=reply_to)

    async def send_surely(self, text: str) -> None:
        """Store a text for the person, in the transaction that it tells of: a kill after that does not lose it."""
        await outbox.put(self.parts.store, self.person.id, text)
        self.parts.outbox.wake(self.person.id)

    async def replace(self, text: str, buttons: Buttons | None = None) -> None:
        """Put HTML in place of the message whose button was pressed."""
        await self.answer()
        await self.parts.sender.edit(self.chat, self.message.message_id, text, buttons=buttons)

    async def answer(self, key: str | None = None) -> None:
        """Answer the press, with a small notice if there is a text. Once; the first counts."""
        await self.notice(self.words.plain(key) if key else "")

    async def notice(self, text: str) -> None:
        """``answer`` with a plain text."""
        if self.press is not None and not self.answered:
            self.answered = True
            await self.parts.sender.answer(self.press.id, text)

    async def style(self) -> Style:
        """The person's own style that they work on. Raises UserError if there is none, or one of somebody else."""
        found = await styles.get(self.parts.store, self.person.id, self.person.style)
        if found is None:
            lent = await styles.usable(self.parts.store, self.person.id, self.person.style)
            raise UserError("style-lent", keyword=lent.keyword) if lent else UserError("no-style")
        return found
