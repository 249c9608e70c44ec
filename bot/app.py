"""Builds the parts of the bot and starts and stops them in order."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from telegram import Bot

from bot.access import Access
from bot.admins import Admins
from bot.blobs import Blobs
from bot.bursts import Bursts
from bot.config import Config
from bot.connect import connect
from bot.context import Parts
from bot.deliver import Deliver
from bot.disk import Disk, unusable
from bot.dispatch import Dispatch
from bot.erasure import Erasing
from bot.errors import ConfigError
from bot.estimates import Estimates
from bot.example_prompt import ExamplePrompt
from bot.exports import Exports
from bot.handlers import GROUP_ROUTES, ROUTES
from bot.imports import Imports
from bot.inbox import Inbox
from bot.intake import Intake
from bot.outbox import Outbox
from bot.packs import Packs
from bot.rate_limit import RateLimiter
from bot.reading import Json
from bot.ready_style import load
from bot.reports import Reports
from bot.request import Request
from bot.sample_replies import SampleReplies
from bot.secret import Token
from bot.sender import Sender
from bot.serve import apologise, serve
from bot.store import Store
from bot.supervise import keep_running, run_all
from bot.tidy import Tidy
from bot.waiting import waiting_helps
from bot.watching import Watching
from bot.webhook import Webhook
from lora.engine import ENGINES, Engine, EngineSettings

log = logging.getLogger(__name__)

CALL_SECONDS = 30.0  # timeout of a call; python-telegram-bot's default of 5 s gives up on calls that succeed


async def run(config: Config, token: Token) -> None:
    """Run the bot until cancelled. Raises ConfigError for an error that the operator has to fix.

    So is any other error at the start, unless it goes away by itself, as a full disk does. Later the part that it
    came from is started again.
    """
    os.umask(0o077)  # what people send is for this user's eyes only
    with _only_one(config.storage.dir):
        started = asyncio.Event()
        bot = partial(_run_parts, config, token, started)
        try:
            await bot()
        except ConfigError:
            raise
        except Exception as error:
            if started.is_set():
                log.error("the bot died of %s and is started again", type(error).__name__, exc_info=error)
            elif waiting_helps(error):
                log.error("the bot cannot start yet, trying again: %s", error)
            else:
                raise
        await keep_running("the bot", bot)


async def _run_parts(config: Config, token: Token, started: asyncio.Event) -> None:
    """Build all parts and run them. Each part is started again when it dies, but for the inbox: with it all are."""
    async with build(config, token) as (parts, inbox):
        started.set()
        log.info("the bot is running")
        watching = Watching(
            listen=config.metrics.listen,
            store=parts.store,
            disk=parts.disk,
            updates_come=lambda: inbox.updates_come,
            workers=lambda: len(parts.dispatch.devices),
        )
        tidy = Tidy(store=parts.store, blobs=parts.blobs, storage=config.storage)
        await run_all(
            {
                "updates": inbox.run,
                "jobs": partial(keep_running, "the part that runs jobs", parts.dispatch.run),
                "messages": partial(keep_running, "the part that tells of jobs", parts.deliver.run),
                "tidy": partial(keep_running, "the tidy", tidy.run),
                "disk": partial(keep_running, "the look at the disk", parts.disk.run),
                "watching": watching.run,
            }
        )


@asynccontextmanager
async def build(config: Config, token: Token) -> AsyncIterator[tuple[Parts, Inbox]]:
    """All parts, connected to Telegram. Work that a kill has interrupted is resumed first."""
    # The database and Telegram.
    store = await _open(config.storage.dir / "bot.sqlite")
    bot = _bot(config, token)
    try:
        await connect(bot, store, config.telegram)
        # The parts, each with what it needs.
        blobs = Blobs(config.storage.dir / "blobs", store)
        rate_limiter = RateLimiter()
        await rate_limiter.remember(store)
        sender = Sender(bot, rate_limiter)
        estimates = Estimates(store)
        example_prompt = ExamplePrompt(store)
        await example_prompt.remember()
        deliver = Deliver(
            store=store,
            blobs=blobs,
            sender=sender,
            config=config,
            estimates=estimates,
            example_prompt=example_prompt,
        )
        dispatch = Dispatch(
            engine=_engine(config),
            store=store,
            blobs=blobs,
            config=config,
            estimates=estimates,
            example_prompt=example_prompt,
            notify=deliver.wake,
        )
        outbox = Outbox(store=store, sender=sender)
        intake = Intake(store=store, blobs=blobs, sender=sender, limits_of=config.limits_of)
        admins = Admins(ids=config.access.admins, store=store, sender=sender, outbox=outbox)
        packs = Packs(bot=bot, rate_limiter=rate_limiter, sender=sender, store=store, blobs=blobs)
        access = Access(settings=config.access, store=store, sender=sender)
        await access.load()
        parts = Parts(
            config=config,
            store=store,
            blobs=blobs,
            sender=sender,
            intake=intake,
            sample_replies=SampleReplies(store=store, sender=sender, settings=config.train),
            dispatch=dispatch,
            deliver=deliver,
            outbox=outbox,
            admins=admins,
            reports=Reports(ids=config.access.admins, store=store, sender=sender),
            packs=packs,
            example_prompt=example_prompt,
            access=access,
            disk=Disk(folder=config.storage.dir, max_gb=config.storage.max_gb, blobs=blobs),
            imports=Imports(store=store, blobs=blobs, sender=sender, intake=intake, settings=config.train),
            erasing=Erasing(
                store=store, blobs=blobs, sender=sender, outbox=outbox, dispatch=dispatch, packs=packs
            ),
            ready=await load(store, blobs),
            exports=Exports(store=store, blobs=blobs, sender=sender, folder=config.storage.dir / "outgoing"),
        )
        bursts = Bursts(limits_of=config.limits_of, store=store, sender=sender)
        await bursts.load()

        async def sift(updates: Sequence[Json]) -> Sequence[Json]:
            return await bursts.sift(await access.sift(updates))

        inbox = Inbox(
            bot=bot,
            store=store,
            sift=sift,
            handle=partial(serve, parts, ROUTES, GROUP_ROUTES),
            give_up=partial(apologise, parts),
            webhook=Webhook(bot=bot, store=store, config=config.telegram)
            if config.telegram.webhook_url
            else None,
        )
        # What a kill has interrupted, then the work, then the end.
        try:
            await parts.erasing.resume()
            await parts.outbox.resume()
            await parts.packs.resume()
            await parts.sample_replies.resume()
            await parts.imports.resume()
            await parts.exports.resume()
            parts.reports.wake()
            async with admins.listening():
                yield parts, inbox
        finally:
            await parts.erasing.close()
            await parts.exports.close()
            await access.close()
            await parts.outbox.close()
            await parts.reports.close()
            await parts.packs.close()
            await parts.imports.close()
            await parts.sample_replies.close()
    finally:
        await bot.shutdown()
        await store.close()


async def _open(path: Path) -> Store:
    """The database. Raises ConfigError if it is damaged or was written by a newer version."""
    try:
        store = await Store.open(path)
    except sqlite3.OperationalError:
        raise
    except sqlite3.DatabaseError as error:
        raise ConfigError(
            f"the database {path} cannot be used: {error}. Restore it from a backup, or move it away to begin anew."
        ) from error
    await asyncio.to_thread(path.chmod, 0o600)
    await store.rows("PRAGMA secure_delete = ON")  # what is deleted is overwritten
    return store


def _bot(config: Config, token: Token) -> Bot:
    """The client of the Bot API server; it makes no call yet."""
    os.environ.setdefault("PTB_TIMEDELTA", "1")  # else the library prints a deprecation warning on each 429
    return Bot(
        token.reveal(),
        base_url=config.telegram.api_url,
        base_file_url=config.telegram.file_url,
        request=Request(connection_pool_size=64, seconds=CALL_SECONDS),
        get_updates_request=Request(connection_pool_size=1, seconds=CALL_SECONDS),
    )


def _engine(config: Config) -> Engine:
    settings = EngineSettings(
        base=config.base.name,
        cache_dir=config.storage.dir / "cache",
        devices=config.engine.devices,
        cluster=config.engine.cluster,
        worker_cpus=config.engine.worker_cpus,
        threads=config.engine.threads,
        compile=config.engine.compile,
        nice=config.engine.nice,
        cutout=config.cutout.model,
        filter=config.safety.filter,
        threshold=config.safety.threshold,
        silent_seconds=config.engine.silent_seconds,
        stuck_seconds=config.engine.stuck_seconds,
    )
    try:
        return ENGINES[config.engine.name](settings)
    except ModuleNotFoundError as error:
        name = config.engine.name
        raise ConfigError(f"the engine {name} needs {error.name}: see docs/cluster.md") from error


class _only_one:
    """Locks the data folder for this process. The kernel drops the lock when the process ends, also by a kill.

    Raises ConfigError if another bot has it, or if nothing can be written there.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "bot.lock"

    def __enter__(self) -> None:
        folder = self._path.parent
        if problem := unusable(folder):
            raise ConfigError(problem)
        try:
            folder.mkdir(
                parents=True, exist_ok=True
            )  # one that is there keeps its permissions: it may be /tmp
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"the folder {folder} cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._handle)
            raise ConfigError(f"another bot is running on {folder}") from error

    def __exit__(self, *_: object) -> None:
        os.close(self._handle)
