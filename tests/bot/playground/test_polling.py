"""getUpdates: real waiting, confirmation by offset, one poller at a time."""

from __future__ import annotations

import asyncio
import time

import aiogram
import pytest
import telegram
from aiohttp import web
from telegram.error import BadRequest, Conflict

from bot.playground import Person, Playground, serve
from tests.waiting import result_of, until_async


async def test_updates_stay_until_they_are_confirmed(ptb: telegram.Bot, ada: Person) -> None:
    """Asking again gives the same updates; only a higher offset removes those before it."""
    await ada.send("one")
    await ada.send("two")
    first = await ptb.get_updates()
    assert [u.message.text for u in first if u.message] == ["/start", "one", "two"]
    assert await ptb.get_updates() == first
    left = await ptb.get_updates(offset=first[1].update_id + 1)
    assert left == first[2:]
    assert await ptb.get_updates(offset=0) == first[2:]


async def test_limit_and_negative_offset(ptb: telegram.Bot, ada: Person) -> None:
    """``limit`` cuts from the front; a negative offset keeps only the newest."""
    for text in "abc":
        await ada.send(text)
    assert len(await ptb.get_updates(limit=2)) == 2
    newest = await ptb.get_updates(offset=-1)
    assert [u.message.text for u in newest if u.message] == ["c"]
    assert await ptb.get_updates() == newest


async def test_a_poll_waits_and_is_woken(ptb: telegram.Bot, ada: Person) -> None:
    """A poll with a timeout ends when an update comes, long before the timeout, and else at it."""
    (old,) = await ptb.get_updates()
    began = time.monotonic()
    assert await ptb.get_updates(offset=old.update_id + 1, timeout=1) == ()
    assert time.monotonic() - began >= 0.9
    poll = asyncio.create_task(ptb.get_updates(offset=old.update_id + 1, timeout=50))
    await asyncio.sleep(0.2)
    began = time.monotonic()
    await ada.send("wake")
    (update,) = await result_of(poll)
    assert time.monotonic() - began < 50
    assert update.message is not None
    assert update.message.text == "wake"


async def test_two_pollers_conflict(ptb: telegram.Bot, aio: aiogram.Bot, ada: Person) -> None:
    """A second poller ends the first, which is told so with 409."""
    (old,) = await ptb.get_updates()
    first = asyncio.create_task(ptb.get_updates(offset=old.update_id + 1, timeout=50))
    await asyncio.sleep(0.2)
    assert await aio.get_updates(offset=old.update_id + 1) == []
    with pytest.raises(Conflict, match="terminated by other getUpdates"):
        await result_of(first)


async def test_unwanted_kinds_are_not_queued(ptb: telegram.Bot, ada: Person) -> None:
    """``allowed_updates`` holds for what happens after it, and until another list is given."""
    await ptb.get_updates(offset=-1, allowed_updates=["callback_query"])
    await ada.send("unheard")
    assert len(await ptb.get_updates()) == 1
    await ptb.get_updates(allowed_updates=[])
    await ada.send("heard")
    assert len(await ptb.get_updates()) == 2


async def test_a_webhook_gets_updates_in_place_of_polling(ptb: telegram.Bot, ada: Person) -> None:
    """In order, with the secret, again until it hears 2xx; polling is refused meanwhile, and goes on afterwards."""
    seen: list[tuple[str, str]] = []

    async def take(request: web.Request) -> web.Response:
        body = await request.json()
        seen.append((request.headers["X-Telegram-Bot-Api-Secret-Token"], body["message"]["text"]))
        return web.Response(status=503 if len(seen) < 3 else 200)

    app = web.Application()
    app.router.add_post("/hook", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    waits = asyncio.create_task(ptb.get_updates(offset=10**9, timeout=30))
    await asyncio.sleep(0.1)
    await ptb.set_webhook(f"http://127.0.0.1:{runner.addresses[0][1]}/hook", secret_token="s-1")
    with pytest.raises(Conflict, match="terminated by setWebhook"):
        await waits
    with pytest.raises(Conflict, match="while webhook is active"):
        await ptb.get_updates()
    await ada.send("one")
    await ada.send("two")
    await until_async(lambda: [text for _, text in seen][-2:] == ["one", "two"])
    info = await ptb.get_webhook_info()
    assert info.pending_update_count <= 1
    assert info.last_error_message == "Wrong response from the webhook: 503 Service Unavailable"
    assert {secret for secret, _ in seen} == {"s-1"}
    await runner.cleanup()
    await ada.send("three")

    async def refused() -> bool:
        return (await ptb.get_webhook_info()).last_error_message == "Connection refused"

    await until_async(refused)
    await ptb.delete_webhook()
    last = (await ptb.get_updates())[-1].message
    assert last is not None
    assert last.text == "three"
    await ptb.delete_webhook(drop_pending_updates=True)
    assert (await ptb.get_webhook_info()).pending_update_count == 0


@pytest.mark.parametrize("url", ["http://example.org/", "https://example.org:9000/"])
async def test_addresses_that_telegram_would_refuse(ptb: telegram.Bot, url: str) -> None:
    """HTTPS and four ports, but for this machine."""
    with pytest.raises(BadRequest, match=r"(?i)bad webhook"):
        await ptb.set_webhook(url)


async def test_waiting_polls_do_not_hold_up_the_end(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The server ends at once although a bot and a person wait for something to happen."""
    async with serve(tmp_path_factory.mktemp("state")) as playground:
        bot = telegram.Bot(playground.token, playground.api_url)
        async with bot, Person.join(playground.address) as bob:
            polls = [asyncio.create_task(bot.get_updates(timeout=30)), asyncio.create_task(bob.read(30))]
            await asyncio.sleep(0.2)
            began = time.monotonic()
            await _end(playground)
            assert await result_of(asyncio.gather(*polls)) == [(), []]
            assert time.monotonic() - began < 29


async def _end(playground: Playground) -> None:
    playground.world.release()
    await asyncio.sleep(0)
