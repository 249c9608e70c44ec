"""What is counted for Prometheus. No label and no value comes from people: no ids, no words, no paths.

Parts count where something happens. What the database and the disk know is asked when ``bot.watching`` is asked.
"""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
)
from telegram.error import BadRequest, Forbidden, NetworkError, TelegramError, TimedOut

from bot.reading import Json
from bot.tables.jobs import Job, JobKind
from bot.tables.reports import Reason
from lora.jobs import Progress

# Else a second series stands beside each counter, which nothing here reads.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no types for it
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)

KINDS = ("message", "edited_message", "callback_query", "inline_query")
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_WAITS = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"stickersmith_{name}", text, labels, registry=REGISTRY)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(f"stickersmith_{name}", text, labels, registry=REGISTRY)


def _histogram(name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return Histogram(f"stickersmith_{name}", text, labels, buckets=buckets, registry=REGISTRY)


UPDATES = _counter("updates", "Updates that Telegram has delivered, strangers' too.", "kind")
ANSWER_SECONDS = _histogram("answer_seconds", "From an update's row to the end of its handler.", _SECONDS)
WAITING_UPDATES = _gauge("waiting_updates", "Stored updates that are not worked off.")
QUEUE_JOBS = _gauge("queue_jobs", "Jobs by kind and state: queued or running.", "kind", "state")
QUEUE_OLDEST = _gauge("queue_oldest_seconds", "How long the oldest queued job has waited.", "kind")
QUEUE_WAIT = _histogram("queue_wait_seconds", "From the question to a job's first start.", _WAITS, "kind")
JOBS_ENDED = _counter("jobs_ended", "Jobs that have ended, by kind and state.", "kind", "state")
STEPS = _counter("steps", "Training steps and denoising steps that workers have reported.", "kind")
PICTURES = _counter("pictures", "Stickers drawn.")
WORKERS = _gauge("workers", "Workers that take jobs.")
WORKER_LOSSES = _counter("worker_losses", "Workers that died or were replaced because they hung.")
WORKER_RESTARTS = _counter("worker_restarts", "Workers that take jobs again after a loss.")
REPORTS = _counter("reports", "Reports of shared styles, by reason.", "reason")
TELEGRAM_ERRORS = _counter("telegram_errors", "Calls to Telegram that failed, by kind.", "kind")
DATA_BYTES = _gauge("data_bytes", "Bytes of the data folder.")
DATA_BUDGET = _gauge("data_budget_bytes", "Bytes that the data folder may take.")
DATABASE_BYTES = _gauge("database_bytes", "Bytes of the database.")

_OF_CODE = {400: "bad request", 401: "token", 403: "forbidden", 404: "token", 409: "conflict", 429: "429"}
_OF_ERROR: tuple[tuple[type[TelegramError], str], ...] = (
    (Forbidden, "forbidden"),
    (BadRequest, "bad request"),
    (TimedOut, "timeout"),
    (NetworkError, "network"),
    (TelegramError, "other"),
)

# A series that is not there yet looks like a gap to Prometheus: all of them begin with 0.
for _kind in (*KINDS, "other"):
    UPDATES.labels(_kind)
for _kind in {*_OF_CODE.values(), *(kind for _, kind in _OF_ERROR), "server"}:
    TELEGRAM_ERRORS.labels(_kind)
for _reason in Reason:
    REPORTS.labels(_reason.value)
for _kind in JobKind:
    QUEUE_WAIT.labels(_kind.value)
    STEPS.labels(_kind.value)


def count_update(update: Json) -> None:
    """Count an update by its kind."""
    UPDATES.labels(next((kind for kind in KINDS if kind in update), "other")).inc()


def count_error(error: TelegramError) -> None:
    """Count a call without an answer of Telegram's, or with one that ``bot.request`` makes an error of."""
    TELEGRAM_ERRORS.labels(next(name for kind, name in _OF_ERROR if isinstance(error, kind))).inc()


def count_refusal(code: int) -> None:
    """Count a call that Telegram has refused with this code."""
    TELEGRAM_ERRORS.labels(_OF_CODE.get(code, "server" if code >= 500 else "other")).inc()


class Steps:
    """Counts the steps of running jobs, whose reports say how far each is."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[int, int]] = {}  # job -> attempt, step

    def count(self, job: Job, event: Progress) -> None:
        """Add the steps since the last report. An attempt that resumes begins at the job's stored step."""
        attempt, step = self._last.get(job.id, (-1, 0))
        before = step if attempt == event.attempt else job.step if job.step <= event.step else 0
        self._last[job.id] = (event.attempt, event.step)
        STEPS.labels(job.kind.value).inc(max(0, event.step - before))

    def forget(self, job: int) -> None:
        """A job has ended."""
        self._last.pop(job, None)
