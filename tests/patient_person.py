"""A person in the chat who waits for an answer for as long as the bot makes progress."""

from __future__ import annotations

from collections.abc import Callable

from bot.playground import Message, Person
from tests.waiting import LIMIT_SECONDS, Patience, cpu_seconds, result_of


class PatientPerson(Person):
    """Waits until the bot, its worker and this test's process have been idle for a while: see ``tests.waiting``."""

    async def wait_for(
        self,
        wanted: Callable[[Message], bool] | str = "",
        timeout: float | None = None,  # noqa: ASYNC109 - as Person has it
        *,
        since: int | None = None,
    ) -> Message:
        """As Person's; a ``timeout`` that is given is the clock's and fixed."""
        if timeout is not None:
            return await super().wait_for(wanted, timeout, since=since)
        return await result_of(super().wait_for(wanted, LIMIT_SECONDS, since=since), self._patience())

    async def wait_for_notice(self, timeout: float | None = None) -> str:  # noqa: ASYNC109 - as Person has it
        """As Person's; a ``timeout`` that is given is the clock's and fixed."""
        if timeout is not None:
            return await super().wait_for_notice(timeout)
        return await result_of(super().wait_for_notice(LIMIT_SECONDS), self._patience())

    def _patience(self) -> Patience:
        def said() -> str:
            return " | ".join(message.text for message in self.heard()[-3:])

        return Patience(cpu_seconds(), lambda: self.seq, said=said)
