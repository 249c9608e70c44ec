"""The error for the operator that is raised before any work begins."""

from __future__ import annotations


class BaseError(Exception):
    """A base model cannot be found or loaded. The message tells the operator what to do."""
