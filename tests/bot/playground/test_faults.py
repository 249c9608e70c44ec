"""What goes wrong on demand: rate limits, slowness, answers that are lost after the work was done."""

from __future__ import annotations

import time

import httpx
import pytest
import telegram
from telegram.error import NetworkError, RetryAfter, TelegramError, TimedOut

from bot.playground import Fault, Pace, Person, Playground, serve
from bot.playground.faults import Faults
from bot.playground.limits import ApiError
from bot.playground.wire import Call


async def test_a_method_is_rate_limited_so_many_times(
    playground: Playground, ptb: telegram.Bot, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The asked number of calls gets 429 with its seconds and does nothing; the next one works."""
    monkeypatch.setenv("PTB_TIMEDELTA", "1")  # without it the library warns of its own future
    playground.faults.add(Fault(method="sendMessage", times=2, retry_after=7))
    for _ in range(2):
        with pytest.raises(RetryAfter, match="Retry in 0:00:07"):
            await ptb.send_message(ada.id, "x")
    await ptb.send_message(ada.id, "y")
    await ada.wait_for("y")
    assert [m.text for m in ada.messages if m.from_bot] == ["y"]


async def test_a_lost_answer_leaves_the_work_done(
    playground: Playground, ptb: telegram.Bot, ada: Person
) -> None:
    """The bot sees a broken connection; the message is in the person's chat."""
    playground.faults.add(Fault(method="sendMessage", drop=True))
    with pytest.raises(NetworkError):
        await ptb.send_message(ada.id, "it happened")
    await ada.wait_for("it happened")


async def test_a_slow_answer_times_out_after_the_work(
    playground: Playground, ptb: telegram.Bot, ada: Person
) -> None:
    """A bot that does not wait long enough gives up on what was done at once."""
    playground.faults.add(Fault(method="sendMessage", slow_seconds=60.0))
    began = time.monotonic()
    with pytest.raises(TimedOut):
        await ptb.send_message(ada.id, "slow", read_timeout=0.2)
    await ada.wait_for("slow")
    assert time.monotonic() - began < 60


async def test_faults_over_http(playground: Playground, ptb: telegram.Bot, ada: Person) -> None:
    """Another process can ask for a fault, and end all of them."""
    async with httpx.AsyncClient(base_url=playground.address) as http:
        wish = {"method": "getMe", "times": 9, "skip": 1, "error": [500, "Internal Server Error"]}
        await http.post("/faults", json=wish)
        await ptb.get_me()
        with pytest.raises(TelegramError, match="Internal Server Error"):
            await ptb.get_me()
        await http.delete("/faults")
        await ptb.get_me()


async def test_control_needs_the_flag(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Without the flag, faults over HTTP are refused."""
    async with serve(tmp_path_factory.mktemp("state")) as playground, httpx.AsyncClient() as http:
        assert (await http.post(f"{playground.address}/faults", json={})).status_code == 404


def test_every_chat_has_a_pace() -> None:
    """A burst passes, then the next message must wait; another chat is not held up, nor are other methods."""
    now = [0.0]
    faults = Faults(Pace(per_second=1, burst=3), clock=lambda: now[0])

    def send(chat: int, method: str = "sendmessage") -> None:
        faults.check_pace(Call(method=method, params={"chat_id": chat}))

    for _ in range(3):
        send(1)
    with pytest.raises(ApiError) as refused:
        send(1)
    assert (refused.value.code, refused.value.retry_after) == (429, 1)
    send(2)
    send(1, "getchat")
    now[0] = 1.0
    send(1)


async def test_stopwatch_of_the_default_pace(playground: Playground, ptb: telegram.Bot, ada: Person) -> None:
    """Unless asked otherwise, forty messages at once pass."""
    began = time.monotonic()
    for number in range(40):
        await ptb.send_message(ada.id, str(number))
    assert time.monotonic() - began < 30  # at one message a second it would be over
