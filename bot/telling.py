"""Marks a line of the log as one that ``bot.admins`` tells the admins of, too."""

from __future__ import annotations

import errno
import os
import sqlite3
from typing import Any

Extra = dict[str, Any]  # what the functions of logging take as ``extra``

_OF_ERRNO = {
    errno.ENOSPC: "admin-disk-full",
    errno.EDQUOT: "admin-disk-full",
    errno.EROFS: "admin-disk-read-only",
}
_OF_SQLITE = {
    sqlite3.SQLITE_FULL: "admin-disk-full",
    sqlite3.SQLITE_READONLY: "admin-disk-read-only",
    sqlite3.SQLITE_BUSY: "admin-database-locked",
    sqlite3.SQLITE_LOCKED: "admin-database-locked",
}
_OTHER = frozenset(  # what else is waited for (bot.waiting), and what a broken disk says
    [errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN]
)
_OTHER_OF_SQLITE = frozenset([sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_NOMEM])


def telling(key: str, **params: object) -> Extra:
    """``extra`` for a call that logs: the admins get the text ``key`` of the locales."""
    return {"admins": (key, params)}


def telling_of(error: BaseException) -> Extra | None:
    """``extra`` for an error of the machine: disk, database, memory, file handles; None for any other."""
    if isinstance(error, sqlite3.OperationalError):
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        return _told(_OF_SQLITE.get(code), str(error) if code in _OTHER_OF_SQLITE else "")
    if isinstance(error, MemoryError):
        return _told(None, os.strerror(errno.ENOMEM))
    if isinstance(error, OSError) and error.errno is not None:
        return _told(_OF_ERRNO.get(error.errno), os.strerror(error.errno) if error.errno in _OTHER else "")
    return None


def _told(key: str | None, other: str) -> Extra | None:
    """By a text of its own, else by what the machine calls the error."""
    if key is not None:
        return telling(key)
    return telling("admin-machine", error=other) if other else None
