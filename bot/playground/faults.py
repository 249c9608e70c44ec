"""What can go wrong between a bot and Telegram, on demand: rate limits, slowness, lost and odd answers."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.playground.limits import ApiError, too_many_requests
from bot.playground.wire import Call

WRITES = ("send", "edit", "delete")  # the methods that Telegram counts per chat


@dataclass(kw_only=True)
class Fault:
    """A failure of the next ``times`` calls of ``method``.

    ``*`` is any method but getUpdates, ``file`` is a download. ``skip`` calls go through before it begins.
    """

    method: str = "*"
    times: int = 1
    skip: int = 0
    retry_after: int | None = None  # refused with 429 and these seconds
    error: tuple[int, str] | None = None  # refused with this code and description
    slow_seconds: float = 0.0  # answered that late; the work is done at once
    drop: bool = False  # the work is done, then the connection breaks without an answer
    page: tuple[int, str] | None = None  # nothing is done; this code and this body come back, as from a proxy
    cut: bool = False  # the work is done, then the connection breaks in the middle of the answer
    done: int = field(
        default=0, init=False
    )  # calls whose work is done, though they may wait for their answer

    def applies_to(self, call: Call) -> bool:
        """Whether this call fails. Counts it."""
        if self.method.lower() != call.method and (self.method != "*" or call.method == "getupdates"):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How much one chat may get: ``burst`` messages at once, then ``per_second`` of them.

    Telegram itself lets about 1 a second through. The default is lenient.
    """

    per_second: float = 5.0
    burst: int = 60


class Faults:
    """The faults of coming calls, and the most messages that a chat may get."""

    def __init__(self, pace: Pace | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self.pace = pace
        self._clock = clock
        self._coming: list[Fault] = []
        self._tokens: dict[int, tuple[float, float]] = {}  # chat -> (tokens left, at)

    def add(self, fault: Fault) -> Fault:
        """Add a fault; it is used from the next call on."""
        self._coming.append(fault)
        return fault

    def clear(self) -> None:
        """Remove all faults; the pace stays."""
        self._coming.clear()

    def take(self, call: Call) -> Fault | None:
        """The fault of this call, if it has one."""
        self._coming = [fault for fault in self._coming if fault.times > 0]
        return next((fault for fault in self._coming if fault.applies_to(call)), None)

    def check_pace(self, call: Call) -> None:
        """Raise 429 if this message is one too many for its chat."""
        if self.pace is None or not call.method.startswith(WRITES) or not call.has("chat_id"):
            return
        chat, now = call.int("chat_id"), self._clock()
        tokens, at = self._tokens.get(chat, (float(self.pace.burst), now))
        tokens = min(self.pace.burst, tokens + (now - at) * self.pace.per_second)
        if tokens < 1:
            self._tokens[chat] = (tokens, now)
            raise too_many_requests(math.ceil((1 - tokens) / self.pace.per_second))
        self._tokens[chat] = (tokens - 1, now)


def check_refusal(fault: Fault | None) -> None:
    """Raise the error of the fault, before the call changes anything."""
    if fault is not None and fault.retry_after is not None:
        raise too_many_requests(fault.retry_after)
    if fault is not None and fault.error is not None:
        raise ApiError(*fault.error)
