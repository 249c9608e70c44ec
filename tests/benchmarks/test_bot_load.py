"""The short form of ``benchmarks.bot_load``: nothing is lost, nothing is answered twice, and it costs little.

Processor time is asserted, with room for a slow machine; seconds would depend on what else runs there.
"""

from __future__ import annotations

import pytest

from benchmarks.bot_load import measure
from benchmarks.load_server import Load
from bot.rate_limit import RateLimiter
from lora.engine import ENGINES

MOST_CPU_MS = 5.0  # of an update; measured: 1.0 to 1.8


@pytest.fixture(autouse=True)
def put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``measure`` puts in place of the bot's own, for the time of a test."""
    monkeypatch.setattr("bot.app.RateLimiter", RateLimiter)
    monkeypatch.setitem(ENGINES, "none", ENGINES["local"])


@pytest.mark.parametrize(
    "load",
    [
        Load(people=200, rate=100.0, total=200, commands=("/help", "/start", "/status")),
        Load(people=50, rate=0.0, total=1000),
    ],
    ids=["rate", "backlog"],
)
async def test_each_command_is_answered_once(load: Load) -> None:
    """200 commands at 100 a second; 1,000 of 50 people that waited while the bot was down."""
    found = await measure(load)
    assert (found["answers"], found["lost"], found["unasked"]) == (load.total, 0, 0)
    assert found["cpu_ms_per_update"] < MOST_CPU_MS
