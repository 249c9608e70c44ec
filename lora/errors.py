"""The error for the operator that is raised before any work begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class BaseError(Exception):
    """A base model cannot be found or loaded. The message tells the operator what to do."""


@contextmanager
def as_base_error() -> Iterator[None]:
    """Turn an error of the machine, such as a full disk, into a BaseError that names the file."""
    try:
        yield
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        raise BaseError(f"{where}{error.strerror or error}") from error
