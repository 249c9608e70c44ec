"""The short forms of the campaigns: faults of a share of all calls, mutated updates, adapters and training states."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks import mutated_weights, mutations
from benchmarks.kills import Dice
from bot import config
from bot.playground.wire import Call
from bot.rate_limit import RateLimiter
from lora.engine import ENGINES


def test_a_share_of_all_calls_is_broken() -> None:
    """Polling and downloads too, in every way; nothing once the share is 0."""
    dice = Dice(0.2, random.Random(0))
    found = [dice.take(Call(method=method, params={})) for method in ("getupdates", "file") * 500]
    broken = [repr(fault) for fault in found if fault is not None]
    assert len(broken) == dice.broken
    assert 150 < dice.broken < 250
    assert len(set(broken)) == 9
    dice.share = 0.0
    assert dice.take(Call(method="sendmessage", params={})) is None


async def test_mutated_updates_reach_the_handlers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of 100 is dropped, many are worked off, none crashes. The limit of a minute would drop 80 of them."""
    monkeypatch.setitem(vars(config.Limits)["__init__"].__kwdefaults__, "updates_per_minute", 20)
    monkeypatch.setattr("bot.app.RateLimiter", RateLimiter)  # the benchmark changes both
    monkeypatch.setitem(ENGINES, "none", ENGINES["local"])
    found = await mutations.send_updates(100, tmp_path, ())
    assert sum(found["outcomes"].values()) == 100
    assert found["outcomes"]["done"] > 20
    assert found["errors"] == []


@pytest.mark.filterwarnings("ignore")
def test_mutated_weights() -> None:
    """15 of each kind end in a JobError or are used; both happen."""
    rng = random.Random(0)
    for kind, (whole, read, documented) in mutated_weights.readers().items():
        used = 0
        for _ in range(15):
            try:
                read(mutated_weights.mutated(whole[0], rng))
            except documented:
                continue
            used += 1
        assert 0 < used < 15, kind
