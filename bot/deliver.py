"""Tells people about their jobs: progress in one message for each job, then its stickers and its end.

Everything that is sent comes from rows, so a restarted bot continues where it was killed. A message that was sent
just before a kill may be sent once more.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from telegram.error import BadRequest, Forbidden

from bot import advice, checkpoint_choice, sweep
from bot.blobs import Blobs
from bot.config import Config
from bot.errors import Buttons
from bot.estimates import Estimates
from bot.example_prompt import ExamplePrompt
from bot.per_person import PerPerson
from bot.progress import cut_out_over, over, under_way
from bot.schedule import Schedule
from bot.sender import Sender, SentSticker
from bot.sticker_buttons import below
from bot.store import Store
from bot.tables import comparisons, cutouts, drawings, findings, jobs, people
from bot.tables.jobs import Job, JobKind, JobState
from bot.telling import telling
from bot.waiting import waiting_helps
from bot.words import Words

log = logging.getLogger(__name__)

EDIT_SECONDS = 3.0  # at least, between two edits of one message
LOOK_SECONDS = 1.0  # between two looks at all jobs: places and times left change without an event
GROUP_EDIT_SECONDS = 15.0  # in a group, which may get about 20 messages a minute
TRIES = 3  # to tell the news of a job, if the error is not one that passes


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """The text of a job's message and when it was put there (monotonic seconds)."""

    text: str = ""
    at: float = float("-inf")


class Deliver:
    """Sends each person what is new about their jobs, oldest job first."""

    def __init__(
        self,
        *,
        store: Store,
        blobs: Blobs,
        sender: Sender,
        config: Config,
        estimates: Estimates,
        example_prompt: ExamplePrompt,
    ) -> None:
        self._store = store
        self._blobs = blobs
        self._sender = sender
        self._config = config
        self._estimates = estimates
        self._example_prompt = example_prompt
        self._shown: dict[int, _Shown] = {}  # by job
        self._schedule = Schedule(estimates.line)
        self._failures: dict[int, int] = {}  # by job: tries in a row whose error waiting does not mend
        self._per_person = PerPerson(self._serve)

    def wake(self, person: int) -> None:
        """Look for news of this person's jobs now."""
        self._per_person.wake(person)

    async def run(self) -> None:
        """Look at all jobs again and again until cancelled."""
        self._per_person = PerPerson(self._serve)
        try:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            await self._per_person.close()

    async def look(self) -> None:
        """Wake all people who have to be told an end, and those whose waiting jobs may have another place."""
        await self._estimates.line.refresh()
        news = await jobs.people_with_news(self._store)
        for person in {*news, *self._schedule.due(time.monotonic())}:
            self.wake(person)

    async def _serve(self, person: int) -> None:
        if (known := await people.find(self._store, person)) is None:
            return  # they had everything deleted
        words = Words(known.language, example_prompt=self._example_prompt.prompt)
        try:
            for job in await jobs.to_tell(self._store, person):
                await self._tell(words, job)
        except Forbidden:  # the person has blocked the bot; the rest is sent when they write again
            await people.block(self._store, person)

    async def _tell(self, words: Words, job: Job) -> None:
        """Tell what is new about one job. After some tries in vain the job is left, so that later ones are told."""
        try:
            if job.active:
                await self._show(words, job)
            await self._send_drawings(words, job)
            if not job.active:
                await self._end(words, job)
        except Exception as error:
            if isinstance(error, Forbidden) and job.chat is not None:  # the group has removed the bot
                await self._over(job)
                return
            if isinstance(error, Forbidden) or waiting_helps(error):
                raise
            self._failures[job.id] = self._failures.get(job.id, 0) + 1
            if self._failures[job.id] < TRIES:
                raise
            if self._failures[job.id] == TRIES:
                log.error("the news of job %d cannot be told", job.id, exc_info=error)
            if not job.active:
                await self._over(job)
        else:
            self._failures.pop(job.id, None)

    async def _show(self, words: Words, job: Job) -> None:
        """Send or edit the message of an active job, if its text has changed and the last edit is long enough ago."""
        text, buttons = under_way(words, job, await self._estimates.estimate(job), self._config)
        text += await self._advice(words, job)
        shown = self._shown.get(job.id, _Shown())
        pause = EDIT_SECONDS if job.chat is None else GROUP_EDIT_SECONDS
        if text == shown.text or (job.message_id and time.monotonic() - shown.at < pause):
            return
        await self._put(job, text, buttons)  # before the stickers, which are replies to it
        self._shown[job.id] = _Shown(text=text, at=time.monotonic())

    async def _end(self, words: Words, job: Job) -> None:
        """Edit the message for the last time. A training's end is a new message too: edits do not notify."""
        if job.kind == JobKind.CUT_OUT:
            text, buttons = cut_out_over(words, job, *await cutouts.done(self._store, job))
        else:
            text, buttons = over(words, job, await drawings.of_job(self._store, job.id))
        await self._put(job, text + await self._advice(words, job), buttons)
        if job.kind == JobKind.DRAW and job.options.sweep:
            await self._send_sweep(words, job)
        if job.kind == JobKind.TRAIN and job.state in (JobState.DONE, JobState.FAILED):
            await self._announce(words, job)
        await self._over(job)

    async def _over(self, job: Job) -> None:
        self._shown.pop(job.id, None)
        self._failures.pop(job.id, None)
        await jobs.mark_told(self._store, job.id)

    async def _advice(self, words: Words, job: Job) -> str:
        """What the worker has found on the samples of a training, as lines to add to its message."""
        lines = advice.worded(words, await findings.of_job(self._store, job.id))
        return "".join(f"\n\n{line}" for line in lines)

    async def _put(self, job: Job, text: str, buttons: Buttons) -> None:
        if job.message_id and await self._sender.edit(job.where, job.message_id, text, buttons=buttons):
            return
        reply_to = job.asked_by if job.chat is not None else None
        message_id = await self._sender.text(job.where, text, buttons=buttons, reply_to=reply_to)
        await jobs.set_message(self._store, job.id, message_id)

    async def _announce(self, words: Words, job: Job) -> None:
        if job.state == JobState.DONE:
            await self._announce_done(words, job)
            return
        again = words.buttons([[("button-train-again", "train:again")]])
        await self._sender.text(job.person, words("train-failed", keyword=job.keyword), buttons=again)

    async def _announce_done(self, words: Words, job: Job) -> None:
        """Say that the style is ready, with the sheet of its checkpoints if they were compared."""
        ready = words("train-announce", keyword=job.keyword)
        if job.note:
            ready += "\n" + words(job.note)
        found = await comparisons.of_job(self._store, job.id)
        if found is None:
            await self._sender.text(job.person, ready)
            return
        text = f"{ready}\n\n{checkpoint_choice.caption(words, found)}"
        sheet = await self._read(job, found.sheet)
        if sheet is None:
            await self._sender.text(job.person, ready)
            return
        await self._sender.sheet(job.person, sheet, text, buttons=checkpoint_choice.buttons(words, found))

    async def _send_drawings(self, words: Words, job: Job) -> None:
        """Send the stickers that have not been sent. One whose file is lost is told, and the others are sent."""
        for drawing in await drawings.unsent(self._store, job.id):
            data = await self._read(job, drawing.blob)
            if data is None:
                await self._sender.text(job.where, words("sticker-file-lost"))
                await drawings.sent(self._store, drawing.id, 0)
                continue
            sent = await self._send(job, data, below(words, job, drawing))
            await drawings.sent(self._store, drawing.id, sent.message_id, sent.file_id)

    async def _send_sweep(self, words: Words, job: Job) -> None:
        """Send the sheet of a sweep whose stickers are all there."""
        drawn = await drawings.of_job(self._store, job.id)
        files = [await self._read(job, drawing.blob) for drawing in drawn]
        stickers = [file for file in files if file is not None]
        if job.state != JobState.DONE or len(stickers) < job.options.count:
            return
        sheet = await asyncio.to_thread(sweep.sheet, words, job, stickers)
        await self._sender.sheet(job.where, sheet, sweep.caption(words, job))

    async def _read(self, job: Job, blob: str) -> bytes | None:
        """The content of a blob, None if it cannot be read. Raises OSError if waiting may help."""
        try:
            return await self._blobs.read(blob)
        except OSError as error:
            if waiting_helps(error):
                raise
            text = "job %d: a stored file cannot be read: %s"
            log.error(text, job.id, error.strerror, extra=telling("admin-file-lost"))
            return None

    async def _send(self, job: Job, sticker: bytes, buttons: Buttons) -> SentSticker:
        """Send a sticker; its message id is 0 if Telegram refuses it, so that it is not tried again."""
        try:
            return await self._sender.sticker(job.where, sticker, buttons=buttons, reply_to=job.message_id)
        except BadRequest as error:
            log.error("a sticker of job %d was refused: %s", job.id, error)
            return SentSticker(0, None)
