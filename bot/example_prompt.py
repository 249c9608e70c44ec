"""The prompt that the bot gives as an example: one that its base draws well. The base's profile names it."""

from __future__ import annotations

from bot.store import Store
from bot.tables import settings

SETTING = "example prompt of the base"
DRAWN_BY_ALL = "a bear riding a bicycle"  # until a worker has reported its base for the first time


class ExamplePrompt:
    """In English; ``Words`` says it in the person's language."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.prompt = DRAWN_BY_ALL

    async def remember(self) -> None:
        """Take the one that a worker reported before this start."""
        self.prompt = await settings.read(self._store, SETTING) or DRAWN_BY_ALL

    async def take(self, prompt: str) -> None:
        """Take and store the one that a worker reports."""
        if prompt != self.prompt:
            self.prompt = prompt
            await settings.write(self._store, SETTING, prompt)
