"""One answer per burst of pictures, edited while the burst goes on; one more for those that are refused.

What has not been answered is known from the rows (``answer_id`` of samples and refusals), so a restart
answers it.
"""

from __future__ import annotations

import asyncio
import time

from telegram.error import Forbidden, TelegramError

from bot.captioning import uneven_lines
from bot.config import Train
from bot.errors import Buttons
from bot.per_person import PerPerson
from bot.sample_words import Repeat, refused, repeated, summary
from bot.sender import Sender
from bot.store import Store
from bot.tables import imports, inbox, people, refusals, samples, styles
from bot.tables.samples import Sample
from bot.tables.styles import Style
from bot.words import Words, clip

QUIET_SECONDS = 1.0  # without a new picture, after which a burst is answered
LONGEST_SECONDS = 5.0  # after which a burst is answered even if it goes on
PACKS_OFFERED = 3  # by buttons below one answer
PACKS_REMEMBERED = 100
BURST_SECONDS = 10.0  # after an answer, during which more pictures edit it


class SampleReplies:
    """Answers pictures. ``poke`` after each; ``close_burst`` when something else has been said meanwhile."""

    def __init__(self, *, store: Store, sender: Sender, settings: Train) -> None:
        self._store = store
        self._sender = sender
        self._settings = settings
        self._poked: dict[int, float] = {}
        self._repeats: dict[int, list[Repeat]] = {}
        self._bursts: dict[int, tuple[int, int, float]] = {}  # person -> (style, message id, when)
        self._refused: dict[int, tuple[int, float]] = {}  # person -> (message id, when)
        self._packs: dict[str, tuple[str, int]] = {}  # name -> title, number of stickers
        self._per_person = PerPerson(self._serve)

    def poke(self, person: int, repeated: Repeat | None = None) -> None:
        """A picture has come; ``repeated`` if it was here before."""
        self._poked[person] = time.monotonic()
        if repeated is not None:
            self._repeats.setdefault(person, []).append(repeated)
        self._per_person.wake(person)

    async def refuse(self, person: int, message_id: int, key: str, **params: object) -> None:
        """A picture was not taken. What ``key`` says is told once for all of the burst."""
        await refusals.add(self._store, person, message_id, key, params)
        self.poke(person)

    def close_burst(self, person: int) -> None:
        """The next answer is a new message."""
        self._bursts.pop(person, None)
        self._refused.pop(person, None)

    async def resume(self) -> None:
        """Answer what a kill left unanswered."""
        await refusals.forget_told(self._store)
        unanswered = await samples.people_to_answer(self._store)
        for person in {*unanswered, *await refusals.people_to_answer(self._store)}:
            self.poke(person)

    async def close(self) -> None:
        """Cancel all work. The rows keep what is not done."""
        await self._per_person.close()

    async def _serve(self, person: int) -> None:
        await self._wait_for_quiet(person)
        if await people.find(self._store, person) is None:
            return  # they had everything deleted
        repeats = self._repeats.pop(person, [])
        found = await samples.unreported(self._store, person)
        try:
            await self._tell_refusals(person)
            for id in dict.fromkeys(sample.style for sample in found):
                style = await styles.get(self._store, person, id)
                assert style is not None
                await self._answer(style, [sample for sample in found if sample.style == id], repeats)
            if repeats and not found:
                await self._tell_repeats(person, repeats)
        except Forbidden:
            await people.block(self._store, person)

    async def _tell_repeats(self, person: int, repeats: list[Repeat]) -> None:
        """All pictures of the burst were here before."""
        now = await people.get(self._store, person)
        everything = await samples.of_style(self._store, now.style) if now.style else []
        if lines := repeated(Words(now.language), everything, repeats):
            await self._sender.text(person, "\n".join(lines))

    async def _wait_for_quiet(self, person: int) -> None:
        """Wait until the burst is over and the inbox is empty, at most ``LONGEST_SECONDS``."""
        end = time.monotonic() + LONGEST_SECONDS
        while (now := time.monotonic()) < end:
            quiet = self._poked[person] + QUIET_SECONDS - now
            if quiet <= 0 and not await inbox.waiting(self._store, person):
                return
            await asyncio.sleep(max(0.1, quiet))

    async def _answer(self, style: Style, fresh: list[Sample], repeats: list[Repeat]) -> None:
        """Edit the burst's message, or begin one."""
        words = Words((await people.get(self._store, style.person)).language)
        everything = await samples.of_style(self._store, style.id)
        burst_style, message_id, at = self._bursts.get(style.person, (0, 0, 0.0))
        going_on = burst_style == style.id and time.monotonic() - at < BURST_SECONDS
        burst = [s for s in everything if going_on and s.answer_id == message_id] + fresh
        uneven = await uneven_lines(self._store, style.person, [sample.message_id for sample in burst])
        text, buttons = summary(words, style, everything, burst, self._settings, repeats, uneven=uneven)
        buttons += await self._pack_offers(words, style, burst)
        if not going_on or not await self._sender.edit(style.person, message_id, text, buttons=buttons):
            message_id = await self._sender.text(style.person, text, buttons=buttons)
        await samples.report(self._store, [sample.id for sample in burst], message_id)
        self._bursts[style.person] = (style.id, message_id, time.monotonic())

    async def _pack_offers(self, words: Words, style: Style, burst: list[Sample]) -> Buttons:
        """A button for each pack that a sticker of the burst is from, at most ``PACKS_OFFERED``."""
        newest = {sample.pack: sample for sample in burst if sample.pack}
        buttons: Buttons = []
        for name, sample in list(newest.items())[:PACKS_OFFERED]:
            assert name is not None
            if await imports.pack_taken(self._store, style.id, name):
                continue
            if (pack := await self._pack(style.person, name)) is not None:
                label = words.plain("button-take-pack", n=pack[1], title=clip(pack[0], 24))
                buttons.append([(label, f"takepack:{sample.id}")])
        return buttons

    async def _pack(self, person: int, name: str) -> tuple[str, int] | None:
        """A pack's title and number of stickers; None if Telegram does not tell, or if there is one only."""
        if name not in self._packs:
            try:
                found = await self._sender.sticker_set(person, name)
            except Forbidden:
                raise
            except TelegramError:
                return None
            self._packs[name] = (found.title, len(found.stickers))
            self._packs = dict(list(self._packs.items())[-PACKS_REMEMBERED:])
        title, count = self._packs[name]
        return (title, count) if count > 1 else None

    async def _tell_refusals(self, person: int) -> None:
        """Edit the burst's message about what was refused, or begin one."""
        fresh = await refusals.unreported(self._store, person)
        if not fresh:
            return
        words = Words((await people.get(self._store, person)).language)
        message_id, at = self._refused.get(person, (0, 0.0))
        burst = fresh
        if going_on := time.monotonic() - at < BURST_SECONDS:
            burst = await refusals.reported_by(self._store, person, message_id) + fresh
        text, buttons = refused(words, burst)
        if not going_on or not await self._sender.edit(person, message_id, text, buttons=buttons):
            about = fresh[0].message_id if len(fresh) == 1 else None
            message_id = await self._sender.text(person, text, buttons=buttons, reply_to=about)
        await refusals.report(self._store, person, burst, message_id)
        self._refused[person] = (message_id, time.monotonic())
