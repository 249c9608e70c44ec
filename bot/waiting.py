"""Which errors go away by themselves. They are waited out and never counted against an update or a job."""

from __future__ import annotations

import errno
import sqlite3
from datetime import timedelta

from telegram.error import BadRequest, Conflict, InvalidToken, NetworkError, RetryAfter

# The machine lacks something for the moment: disk space, memory, file handles. EFBIG: a limit on file sizes.
_SHORTAGES = frozenset(
    [
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EFBIG,
        errno.EROFS,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.EAGAIN,
    ]
)
_BUSY_FILE = frozenset(
    [
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    ]
)
LONGEST_PAUSE = 30.0  # seconds


def waiting_helps(error: BaseException) -> bool:
    """Whether a later try may succeed although nothing was changed."""
    match error:
        case BadRequest():  # a NetworkError to python-telegram-bot, but a refusal
            return False
        case NetworkError() | RetryAfter() | Conflict() | InvalidToken() | MemoryError():
            return True
        case sqlite3.OperationalError():
            return file_is_busy(error)
        case OSError():
            return error.errno in _SHORTAGES
        case RuntimeError():
            return "can't start new thread" in str(error)
    return False


def file_is_busy(error: sqlite3.OperationalError) -> bool:
    """Whether the database's file, not the statement, is the cause: locked, full, read-only, unreadable."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    if code is None:  # raised by Python's module itself, not by SQLite
        return any(word in str(error) for word in ("locked", "full", "readonly", "disk I/O"))
    return code & 0xFF in _BUSY_FILE  # the low byte is the kind, the rest a detail


def pause_after(error: BaseException, number: int, *, longest: float | None = None) -> float:
    """Seconds to wait before the try after try ``number``, counted from 0. Telegram's own number goes first."""
    if isinstance(error, RetryAfter):
        return seconds(error.retry_after) + 0.2
    return min(0.2 * 2.0 ** min(number, 20), LONGEST_PAUSE if longest is None else longest)


def seconds(retry_after: int | timedelta) -> float:
    """An int today; a timedelta where PTB_TIMEDELTA is set."""
    return retry_after.total_seconds() if isinstance(retry_after, timedelta) else float(retry_after)
