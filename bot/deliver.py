"""Finished work to the people who asked, and how unfinished work goes, in one message per job.

All of it comes from rows, so a restart goes on where a kill ended it. A message that was sent just before a
kill may be sent once more; a sticker is never added to a pack twice (``packs.py``).
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
from bot.tables.jobs import Job
from bot.words import Words

log = logging.getLogger(__name__)

EDIT_SECONDS = 3.0  # between two edits of one message
SWEEP = (3.0, 5.0, 8.0)  # CFG values that the buttons below a sticker offer


class Deliver:
    """Per person, in order: job messages, stickers, ends."""

    def __init__(self, *, store: Store, blobs: Blobs, sender: Sender, config: Config) -> None:
        self._store = store
        self._blobs = blobs
        self._sender = sender
        self._config = config
        self._shown: dict[int, tuple[str, float]] = {}  # job -> (its message's text, when it was put there)
        self._per_person = PerPerson(self._serve)
        self.estimates: Estimates | None = None  # dispatch's, once there is one

    def wake(self, person: int) -> None:
        """There may be something to tell."""
        self._per_person.wake(person)

    async def run(self) -> None:
        """Look after all open jobs once a second until cancelled: places and times change by themselves."""
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
        except Forbidden:  # blocked: it waits until they write again
            await people.block(self._store, person)

    async def _show(self, words: Words, job: Job) -> None:
        """Send or edit the message of a job that is under way, not too often and only if it says more."""
        assert self.estimates is not None
        standing = self.estimates.standing(job, await jobs.active(self._store))
        text, buttons = under_way(words, job, standing, self._config)
        text += await self._seen(words, job)
        old, at = self._shown.get(job.id, ("", float("-inf")))
        if text == old or (job.message_id and time.monotonic() - at < EDIT_SECONDS):
            return
        await self._put(job, text, buttons)  # its stickers are replies to it: it comes first
        self._shown[job.id] = (text, time.monotonic())

    async def _end(self, words: Words, job: Job) -> None:
        """The last edit, and for a training a message of its own, because edits ring no bell."""
        text, buttons = over(words, job, await drawings.of_job(self._store, job.id))
        await self._put(job, text + await self._seen(words, job), buttons)
        self._shown.pop(job.id, None)
        if job.kind == "train" and job.state in ("done", "failed"):
            await self._announce(words, job)
        await jobs.tell(self._store, job.id)

    async def _seen(self, words: Words, job: Job) -> str:
        """What the worker saw on the samples of a training, as lines to add to its message."""
        lines = advice.worded(words, await findings.of_job(self._store, job.id))
        return "".join(f"\n\n{line}" for line in lines)

    async def _put(self, job: Job, text: str, buttons: Buttons) -> None:
        if job.message_id and await self._sender.edit(job.person, job.message_id, text, buttons=buttons):
            return
        await jobs.show_in(self._store, job.id, await self._sender.text(job.person, text, buttons=buttons))

    async def _announce(self, words: Words, job: Job) -> None:
        if job.state == "done":
            await self._announce_done(words, job)
            return
        again = words.buttons([[("button-train-again", "train:again")]])
        await self._sender.text(job.person, words("train-failed", keyword=job.keyword), buttons=again)

    async def _announce_done(self, words: Words, job: Job) -> None:
        """With the sheet of its checkpoints, if they were compared."""
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
        """The message id; 0 for a sticker that Telegram refuses, which no later try would change."""
        try:
            return await self._sender.sticker(job.person, sticker, buttons=buttons, reply_to=job.message_id)
        except BadRequest as error:
            log.error("a sticker of job %d was refused: %s", job.id, error)
            return 0


def below(words: Words, job: Job, drawing: Drawing, pack: packs.Pack | None = None) -> Buttons:
    """The buttons below a sticker: into the pack, again with another seed, the same with another CFG."""
    add = (words.plain("button-add"), f"add:{drawing.id}")
    if pack is not None:
        add = (words.plain("button-added"), f"https://t.me/addstickers/{pack.name}")
    again = (words.plain("button-again"), f"again:{drawing.id}")
    sweep = [(_cfg_label(words, cfg, job.cfg), f"cfg:{drawing.id}:{number(cfg)}") for cfg in SWEEP]
    return [[add, again], sweep]


def _cfg_label(words: Words, cfg: float, current: float) -> str:
    return words.plain("button-cfg-current" if cfg == current else "button-cfg", cfg=number(cfg))
