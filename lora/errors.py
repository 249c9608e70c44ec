"""What goes wrong before any work begins, told to the operator: a base model that cannot be had."""

from __future__ import annotations


class BaseError(Exception):
    """A base model cannot be loaded; the message tells the operator what to do."""
