"""An engine on a Ray cluster: an actor for each GPU runs the same ``Worker`` as the engine ``local``.

Jobs and events travel as frames (``lora.engine.wire``) through Ray's object store; the nodes share no disk. Nodes that
join get workers; the jobs of a node that leaves are lost like those of a dead process.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import queue
import re
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import ObjectStoreFullError, OutOfDiskError, RayActorError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from lora.engine import EngineSettings, WorkerGone, node_cache, wire
from lora.engine.deaths import Deaths
from lora.engine.openmp import waiting
from lora.engine.watchdog import TICK_SECONDS, Watchdog
from lora.engine.worker_process import FIRST_PAUSE, LONGEST_PAUSE
from lora.jobs import (
    Cancelled,
    Draw,
    Event,
    Failed,
    FileContent,
    Finished,
    Job,
    LeftOut,
    Lost,
    Ready,
    Trained,
)
from lora.models import sticker_nano

log = logging.getLogger(__name__)

MAX_WAITING_EVENTS = 8  # of a worker, while nobody takes them: a Checkpoint may be 100 MB
LOOK_SECONDS = 2.0  # between two looks at which nodes there are
KEPT_ADAPTERS = 64  # that stay in the object store for the next draw
BUNDLED = sticker_nano.NAME  # every node has it, as a part of the project


class WorkerActor:
    """One worker on one device of a node. The methods run in threads of their own."""

    def __init__(self, settings: EngineSettings, device: str, threads: int, base: Any) -> None:
        os.environ |= {**waiting(os.environ), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": str(threads)}
        self._settings = settings
        self._device = device
        self._threads = threads
        self._base = base  # (node of the bot, its BaseFiles); None: the bundled base
        self._out: queue.Queue[bytes] = queue.Queue(MAX_WAITING_EVENTS)
        self._in: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def events(self) -> Iterator[bytes]:
        """Start to work; all events and heartbeats as frames, until the actor ends."""
        from lora.engine.heartbeat import HeartbeatThread

        heartbeat = HeartbeatThread(self._beat)
        heartbeat.start()
        threading.Thread(target=self._work, args=(heartbeat,), daemon=True).start()
        while True:
            yield self._out.get()

    def submit(self, line: bytes, parts: list[Any]) -> None:
        """A frame whose parts are objects in the store."""
        self._in.put(wire.joined(line, ray.get(parts)))

    def cancel(self, job_id: int) -> None:
        """Stop a job."""
        self._in.put(wire.Cancel(job=job_id))

    def _work(self, heartbeat: Any) -> None:
        """Load the base and run jobs for ever. Any end of it is the end of this process."""
        try:
            from lora.engine import worker

            logging.basicConfig(level=logging.INFO, format="worker: %(message)s")
            worker.lower_priority(self._settings.nice)
            setup = worker.Setup(
                base=self._find_base(),
                cache_dir=self._cache_dir(),
                device=self._device,
                threads=self._threads,
                compile=self._settings.compile,
                cutout=self._settings.cutout,
                filter=self._settings.filter,
                threshold=self._settings.threshold,
                node=ray.util.get_node_ip_address(),
            )
            worker.work(setup, self._in, self._send, heartbeat.mark)
        except BaseException as error:
            log.error("the worker has ended: %s", error)
        os._exit(1)

    def _find_base(self) -> str:
        if self._base is None or self._on_the_bots_node():
            return self._settings.base
        _, files = self._base
        listed = ray.get(files.list.remote())
        folder = node_cache.fetch(
            listed, self._cache_dir(), lambda name, offset: ray.get(files.chunk.remote(name, offset))
        )
        return str(folder)

    def _cache_dir(self) -> Path:
        return self._settings.cache_dir if self._on_the_bots_node() else node_cache.default_cache()

    def _on_the_bots_node(self) -> bool:
        return self._base is not None and self._base[0] == ray.get_runtime_context().get_node_id()

    def _send(self, event: Event) -> None:
        self._out.put(wire.pack(event))

    def _beat(self, heartbeat: wire.Heartbeat) -> None:
        with contextlib.suppress(queue.Full):  # the bot takes nothing: it has other work
            self._out.put_nowait(wire.pack(heartbeat))


class RayWorker:
    """Keeps an actor running on one device of a node, as long as the node is there."""

    def __init__(self, engine: RayEngine, *, id: str, node: str, number: int, threads: int) -> None:
        self.id, self.node, self.number = id, node, number
        self.ready = False
        self.jobs: dict[int, int] = {}  # id -> attempt
        self.actor: Any = None
        self._engine = engine
        self._threads = threads
        self._heard = False  # the actor has a process; before, it waits for room on its node
        self._deaths = Deaths()
        self.keeper = asyncio.create_task(self._keep_running())

    async def _keep_running(self) -> None:
        pause = FIRST_PAUSE
        while self._engine.wants(self):
            await self._run()
            if self._deaths.too_many and self._engine.others_work(self):
                await self._engine.put(LeftOut(worker=self.id, device=self.id, deaths=len(self._deaths)))
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _run(self) -> None:
        """Use one actor until it ends, then report its jobs as lost."""
        settings = self._engine.settings
        dog = Watchdog(silent_seconds=settings.silent_seconds, stuck_seconds=settings.stuck_seconds)
        self._heard = False
        self.actor = self._engine.new_actor(self.node, self._threads)
        watching = asyncio.create_task(self._watch(dog))
        try:
            stream = self.actor.events.options(
                num_returns="streaming", _generator_backpressure_num_objects=MAX_WAITING_EVENTS
            ).remote()
            async for reference in stream:
                await self._take(wire.unpack(await reference), dog)
        except RayError as error:
            log.error("worker %s ended: %s", self.id, str(error).partition("\n")[0])
        finally:
            actor, self.actor, self.ready = self.actor, None, False
            watching.cancel()
            with contextlib.suppress(RayError, ValueError):
                ray.kill(actor)
        lost = tuple(self.jobs.items())
        if self._engine.wants(self):
            self._deaths.count(self.jobs)
        self.jobs.clear()
        await self._engine.put(Lost(worker=self.id, jobs=lost))

    async def _take(self, event: Any, dog: Watchdog) -> None:
        self._heard = True
        dog.hear(event)
        if isinstance(event, wire.Heartbeat):
            return
        if isinstance(event, Ready):
            self.ready, event = True, replace(event, worker=self.id)
        if isinstance(event, Trained | Finished | Cancelled | Failed):
            self.jobs.pop(event.job, None)
        await self._engine.put(event)

    async def _watch(self, dog: Watchdog) -> None:
        """Kill the actor when the watchdog says so, which ends ``_run``."""
        while True:
            await asyncio.sleep(TICK_SECONDS)
            if self._engine.full or not self._heard:
                dog.hear(None)
            elif wrong := dog.tick():
                log.error("worker %s %s and is replaced", self.id, wrong)
                with contextlib.suppress(RayError, ValueError):
                    ray.kill(self.actor)
                return


class RayEngine:
    """An Engine (see ``lora.engine``) on the cluster at ``settings.cluster``, or, if that is "", on this machine."""

    def __init__(self, settings: EngineSettings) -> None:
        self.settings = settings
        self.nodes: dict[str, int] = {}  # that are alive -> their number of devices
        self._events: asyncio.Queue[Event] = asyncio.Queue(MAX_WAITING_EVENTS)
        self._workers: dict[str, RayWorker] = {}
        self._adapters: OrderedDict[FileContent, Any] = OrderedDict()  # in the object store
        self._looking: asyncio.Task[None] | None = None
        self._base: Any = None
        self._gpus = False

    async def start(self) -> None:
        """Connect to the cluster. Workers are started as nodes are seen."""
        self._events = asyncio.Queue(MAX_WAITING_EVENTS)
        self._looking = asyncio.create_task(self._look())

    async def submit(self, job: Job, worker: str) -> None:
        """Put the job into the object store, file by file. Raises OSError, JobError, WorkerGone."""
        found = self._workers.get(worker)
        if found is None or found.actor is None:
            raise WorkerGone(worker)
        actor = found.actor
        line, parts = wire.split(job)
        stored = [await self._stored(part, keep=isinstance(job, Draw)) for part in parts]
        if found.actor is not actor:
            raise WorkerGone(worker)
        found.jobs[job.id] = job.attempt
        with contextlib.suppress(RayActorError):  # Lost names the job
            await actor.submit.remote(line, stored)

    async def cancel(self, job_id: int) -> None:
        """Ask the worker that has the job."""
        for worker in self._workers.values():
            if job_id in worker.jobs and worker.actor is not None:
                worker.actor.cancel.remote(job_id)

    async def events(self) -> AsyncIterator[Event]:
        """All events of the workers, and Lost when one dies."""
        while True:
            yield await self._events.get()

    async def close(self) -> None:
        """End all workers, and the cluster if it was started here."""
        tasks = [worker.keeper for worker in self._workers.values()] + [self._looking]
        for task in tasks:
            if task is not None:
                task.cancel()
        await asyncio.gather(*(task for task in tasks if task is not None), return_exceptions=True)
        self._workers.clear()
        self._adapters.clear()
        self._base = None
        self.nodes = {}
        await asyncio.to_thread(ray.shutdown)

    # for the workers

    @property
    def full(self) -> bool:
        """Whether nobody takes events just now."""
        return self._events.full()

    async def put(self, event: Event) -> None:
        """Pass an event on."""
        await self._events.put(event)

    def wants(self, worker: RayWorker) -> bool:
        """Whether the worker's node is alive and has a device for it."""
        return worker.number < self.nodes.get(worker.node, 0)

    def others_work(self, worker: RayWorker) -> bool:
        """Whether another worker is ready."""
        return any(one.ready for one in self._workers.values() if one is not worker)

    def new_actor(self, node: str, threads: int) -> Any:
        """An actor on this node, which has its device for itself."""
        device = "cuda:0" if self._gpus else "cpu"
        need = {"num_gpus": 1} if self._gpus else {"num_cpus": self.settings.worker_cpus}
        options = ray.remote(WorkerActor).options(
            **need,
            max_concurrency=4,  # the stream of events, a job, a cancel, and one to spare
            scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
        )
        return options.remote(self.settings, device, threads, self._base)

    # the cluster

    async def _look(self) -> None:
        """Keep as many workers on each node as it has devices."""
        while True:
            try:
                if not ray.is_initialized():
                    await asyncio.to_thread(self._connect)
                await self._match(await asyncio.to_thread(ray.nodes))
            except (RayError, OSError, RuntimeError) as error:  # RuntimeError: no such cluster
                log.error("the cluster cannot be used, trying again: %s", str(error).partition("\n")[0])
            await asyncio.sleep(LOOK_SECONDS)

    def _connect(self) -> None:
        """Join the cluster, or start one here. Its processes get no secrets; Ray is not to report its use."""
        secrets = {name: os.environ.pop(name) for name in list(os.environ) if _SECRET.search(name)}
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            ray.init(
                address=self.settings.cluster or "local",
                include_dashboard=None if self.settings.cluster else False,
                logging_level=logging.ERROR,
                namespace="stickersmith",
            )
        finally:
            os.environ |= secrets
        if self.settings.base != BUNDLED:
            here = ray.get_runtime_context().get_node_id()
            files = ray.remote(node_cache.BaseFiles).options(
                num_cpus=0,
                max_restarts=-1,
                scheduling_strategy=NodeAffinitySchedulingStrategy(here, soft=False),
            )
            self._base = here, files.remote(self.settings.base, self.settings.cache_dir)

    async def _match(self, nodes: list[dict[str, Any]]) -> None:
        alive = {node["NodeID"]: node for node in nodes if node["Alive"]}
        gpus = any(node["Resources"].get("GPU") for node in alive.values())
        if self.settings.devices != ("cpu",) and gpus and not self._gpus:
            self._gpus = True  # CPUs do no more work from now on
            for worker in self._workers.values():
                if worker.actor is not None:
                    ray.kill(worker.actor)
        self.nodes = {id: self._devices(node["Resources"]) for id, node in alive.items()}
        for id, node in alive.items():
            cpus = max(1, int(node["Resources"].get("CPU", 1)))
            each = self.settings.threads or (
                max(1, cpus // self.nodes[id]) if self._gpus and self.nodes[id] else self.settings.worker_cpus
            )
            for number in range(self.nodes[id]):
                name = f"{node['NodeManagerAddress']}-{id[:6]}-{number + 1}"
                if name not in self._workers:
                    self._workers[name] = RayWorker(self, id=name, node=id, number=number, threads=each)
        for name, worker in list(self._workers.items()):
            if worker.keeper.done() and not self.wants(worker):
                del self._workers[name]

    def _devices(self, resources: dict[str, float]) -> int:
        if self._gpus:
            return int(resources.get("GPU", 0))
        return int(resources.get("CPU", 0)) // self.settings.worker_cpus

    async def _stored(self, part: bytes | FileContent, *, keep: bool) -> Any:
        """A part of a frame in the object store. A draw's adapter is kept for the next draw with it."""
        if isinstance(part, FileContent) and part in self._adapters:
            self._adapters.move_to_end(part)
            return self._adapters[part]
        try:
            reference = await asyncio.to_thread(ray.put, await _content(part))
        except (ObjectStoreFullError, OutOfDiskError) as error:
            raise OSError(errno.ENOSPC, "the cluster's object store is full") from error
        if keep and isinstance(part, FileContent):
            self._adapters[part] = reference
            if len(self._adapters) > KEPT_ADAPTERS:
                self._adapters.popitem(last=False)
        return reference


async def _content(part: bytes | FileContent) -> bytes:
    """The bytes of a part of a frame. Raises OSError, also if a file's size has changed."""
    if isinstance(part, bytes):
        return part
    content = await asyncio.to_thread(part.path.read_bytes)
    if len(content) != part.size:
        raise part.changed()
    return content


_SECRET = re.compile("TOKEN|SECRET|PASSWORD")
