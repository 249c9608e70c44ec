"""Marks a line of the log as one that ``bot.admins`` tells the admins of, too."""

from __future__ import annotations

import errno
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


def telling(key: str, **params: object) -> Extra:
    """``extra`` for a call that logs: the admins get the text ``key`` of the locales."""
    return {"admins": (key, params)}


def telling_of(error: BaseException) -> Extra | None:
    """``extra`` for an error of the disk or the database; None for any other."""
    key = None
    if isinstance(error, sqlite3.OperationalError):
        key = _OF_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    elif isinstance(error, OSError) and error.errno is not None:
        key = _OF_ERRNO.get(error.errno)
    return None if key is None else telling(key)
