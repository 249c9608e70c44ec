"""Inline queries in the playground: Telegram's limits and error texts, cached answers, and what is chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiogram
import pytest
import telegram
from aiogram.types import InlineQueryResultCachedSticker as AioSticker
from telegram import InlineQueryResultCachedSticker, InlineQueryResultsButton
from telegram.error import BadRequest

from bot.playground import Person
from tests.bot.playground.conftest import Drawing


async def next_query(get_updates: Callable[..., Awaitable[Any]]) -> Any:
    """The inline query that is waited for, as a library reads it."""
    offset = 0
    while True:
        updates = await get_updates(offset=offset, timeout=20)
        for update in updates:
            offset = update.update_id + 1
            if update.inline_query is not None:
                return update.inline_query


async def test_an_inline_query_is_answered_and_a_result_chosen(
    ada: Person, ptb: telegram.Bot, aio: aiogram.Bot, drawing: Drawing
) -> None:
    """Both libraries read the query; the sticker is sent in the person's name by way of the bot."""
    sticker = (await ptb.send_sticker(ada.id, drawing())).sticker
    assert sticker is not None
    file_id = sticker.file_id
    await aio.get_updates(offset=0, allowed_updates=["inline_query", "chosen_inline_result"])
    asking = asyncio.create_task(ada.inline("fox"))
    query = await next_query(aio.get_updates)
    assert (query.query, query.from_user.id, query.chat_type) == ("fox", ada.id, "sender")
    await aio.answer_inline_query(query.id, [AioSticker(id="1", sticker_file_id=file_id)], cache_time=60)
    offer = await asking
    assert offer.results == (("1", file_id),)
    assert (await ada.inline("fox")).query_id == offer.query_id, "Telegram answers from its cache"
    sent = await ada.choose(offer, "1")
    assert (sent.kind, sent.from_bot) == ("sticker", False)
    chosen = (await ptb.get_updates(offset=-1))[0].chosen_inline_result
    assert chosen is not None
    assert (chosen.result_id, chosen.query) == ("1", "fox")


@pytest.mark.parametrize(
    ("ids", "extra", "error"),
    [
        (["1"] * 2, {}, "RESULT_ID_DUPLICATE"),
        ([str(number) for number in range(51)], {}, "RESULTS_TOO_MUCH"),
        (["x" * 65], {}, "RESULT_ID_INVALID"),
        ([], {"next_offset": "x" * 65}, "NEXT_OFFSET_INVALID"),
        ([], {"button": InlineQueryResultsButton("Go", start_parameter="a b")}, "START_PARAM_INVALID"),
    ],
)
async def test_answers_that_telegram_refuses(
    ada: Person, ptb: telegram.Bot, drawing: Drawing, ids: list[str], extra: dict[str, Any], error: str
) -> None:
    """In Telegram's words; the query can still be answered."""
    sticker = (await ptb.send_sticker(ada.id, drawing())).sticker
    assert sticker is not None
    file_id = sticker.file_id
    asking = asyncio.create_task(ada.inline("fox"))
    query = await next_query(ptb.get_updates)
    results = [InlineQueryResultCachedSticker(id, file_id) for id in ids]
    with pytest.raises(BadRequest, match=f"(?i){error}"):
        await ptb.answer_inline_query(query.id, results, **extra)
    await ptb.answer_inline_query(query.id, [])
    await asking
    with pytest.raises(BadRequest, match=r"[Qq]uery is too old"):
        await ptb.answer_inline_query(query.id, [])
