"""Tells people about their jobs: progress in one message for each job, then its stickers and its end.

Everything that is sent comes from rows, so a restarted bot continues where it was killed. A message that was sent
just before a kill may be sent once more.
"""

from __future__ import annotations

import asyncio
import logging
import time

from telegram.error import BadRequest, Forbidden

from bot import advice, checkpoint_choice
from bot.blobs import Blobs
from bot.config import Config
from bot.errors import Buttons
from bot.estimates import Estimates
from bot.per_person import PerPerson
from bot.progress import number, over, under_way
from bot.sender import Sender
from bot.store import Store
from bot.tables import comparisons, drawings, findings, jobs, packs, people
from bot.tables.drawings import Drawing
from bot.tables.jobs import Job, JobKind, JobState
from bot.words import Words

log = logging.getLogger(__name__)

EDIT_SECONDS = 3.0  # at least, between two edits of one message
SWEEP = (3.0, 5.0, 8.0)  # CFG values that the buttons below a sticker offer


class Deliver:
    """Sends each person what is new about their jobs, oldest job first."""

    def __init__(
        self, *, store: Store, blobs: Blobs, sender: Sender, config: Config, estimates: Estimates
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._sender = sender
        self._config = config
        self._estimates = estimates
        self._shown: dict[
            int, tuple[str, float]
        ] = {}  # job -> its message's text, monotonic seconds of the edit
        self._per_person = PerPerson(self._serve)

    def wake(self, person: int) -> None:
        """Look for news of this person's jobs now."""
        self._per_person.wake(person)

    async def run(self) -> None:
        """Look at all jobs once a second until cancelled: places and times left change without an event."""
        try:
            while True:
                for person in await jobs.people_to_tell(self._store):
                    self.wake(person)
                await asyncio.sleep(1.0)
        finally:
            await self._per_person.close()

    async def _serve(self, person: int) -> None:
        words = Words((await people.get(self._store, person)).language)
        try:
            for job in await jobs.to_tell(self._store, person):
                if job.active:
                    await self._show(words, job)
                await self._send_drawings(words, job)
                if not job.active:
                    await self._end(words, job)
        except Forbidden:  # the person has blocked the bot; the rest is sent when they write again
            await people.block(self._store, person)

    async def _show(self, words: Words, job: Job) -> None:
        """Send or edit the message of an active job, if its text has changed and the last edit is long enough ago."""
        estimate = self._estimates.estimate(job, await jobs.active(self._store))
        text, buttons = under_way(words, job, estimate, self._config)
        text += await self._advice(words, job)
        old, at = self._shown.get(job.id, ("", float("-inf")))
        if text == old or (job.message_id and time.monotonic() - at < EDIT_SECONDS):
            return
        await self._put(job, text, buttons)  # before the stickers, which are replies to it
        self._shown[job.id] = (text, time.monotonic())

    async def _end(self, words: Words, job: Job) -> None:
        """Edit the message for the last time. A training's end is a new message too: edits do not notify."""
        text, buttons = over(words, job, await drawings.of_job(self._store, job.id))
        await self._put(job, text + await self._advice(words, job), buttons)
        self._shown.pop(job.id, None)
        if job.kind == JobKind.TRAIN and job.state in (JobState.DONE, JobState.FAILED):
            await self._announce(words, job)
        await jobs.mark_told(self._store, job.id)

    async def _advice(self, words: Words, job: Job) -> str:
        """What the worker has found on the samples of a training, as lines to add to its message."""
        lines = advice.worded(words, await findings.of_job(self._store, job.id))
        return "".join(f"\n\n{line}" for line in lines)

    async def _put(self, job: Job, text: str, buttons: Buttons) -> None:
        if job.message_id and await self._sender.edit(job.person, job.message_id, text, buttons=buttons):
            return
        await jobs.set_message(
            self._store, job.id, await self._sender.text(job.person, text, buttons=buttons)
        )

    async def _announce(self, words: Words, job: Job) -> None:
        if job.state == JobState.DONE:
            await self._announce_done(words, job)
            return
        again = words.buttons([[("button-train-again", "train:again")]])
        await self._sender.text(job.person, words("train-failed", keyword=job.keyword), buttons=again)

    async def _announce_done(self, words: Words, job: Job) -> None:
        """Say that the style is ready, with the sheet of its checkpoints if they were compared."""
        ready = words("train-announce", keyword=job.keyword)
        found = await comparisons.of_job(self._store, job.id)
        if found is None:
            await self._sender.text(job.person, ready)
            return
        text = f"{ready}\n\n{checkpoint_choice.caption(words, found)}"
        sheet = await self._blobs.read(found.sheet)
        await self._sender.sheet(job.person, sheet, text, buttons=checkpoint_choice.buttons(words, found))

    async def _send_drawings(self, words: Words, job: Job) -> None:
        for drawing in await drawings.of_job(self._store, job.id):
            if drawing.message_id is None:
                data = await self._blobs.read(drawing.blob)
                await drawings.sent(
                    self._store, drawing.id, await self._send(job, data, below(words, job, drawing))
                )

    async def _send(self, job: Job, sticker: bytes, buttons: Buttons) -> int:
        """Send a sticker; gives its message id, 0 if Telegram refuses it, so that it is not tried again."""
        try:
            return await self._sender.sticker(job.person, sticker, buttons=buttons, reply_to=job.message_id)
        except BadRequest as error:
            log.error("a sticker of job %d was refused: %s", job.id, error)
            return 0


def below(words: Words, job: Job, drawing: Drawing, pack: packs.Pack | None = None) -> Buttons:
    """The buttons below a sticker: add it to the pack, draw again with another seed, draw with another CFG."""
    add = (words.plain("button-add"), f"add:{drawing.id}")
    if pack is not None:
        add = (words.plain("button-added"), f"https://t.me/addstickers/{pack.name}")
    again = (words.plain("button-again"), f"again:{drawing.id}")
    sweep = [(_cfg_label(words, cfg, job.options.cfg), f"cfg:{drawing.id}:{number(cfg)}") for cfg in SWEEP]
    return [[add, again], sweep]


def _cfg_label(words: Words, cfg: float, current: float) -> str:
    return words.plain("button-cfg-current" if cfg == current else "button-cfg", cfg=words.number(cfg))
