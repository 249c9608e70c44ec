"""The method that answers inline queries."""

from __future__ import annotations

import re

from bot.playground import limits
from bot.playground.limits import bad_request
from bot.playground.wire import Call, Json
from bot.playground.world import World


async def answer_inline_query(world: World, call: Call) -> bool:
    """Shows results to whoever has typed the query: stickers that Telegram has already, and a button."""
    results = [_result(world, result) for result in call.objects("results")]
    if len(results) > limits.INLINE_RESULTS:
        raise bad_request("RESULTS_TOO_MUCH")
    if len({result["id"] for result in results}) < len(results):
        raise bad_request("RESULT_ID_DUPLICATE")
    next_offset = call.text("next_offset", "")
    if len(next_offset.encode()) > limits.INLINE_OFFSET_BYTES:
        raise bad_request("NEXT_OFFSET_INVALID")
    query_id = call.text("inline_query_id")
    body: Json = {
        "query_id": query_id,
        "results": results,
        "next_offset": next_offset,
        "button": _button(call),
    }
    seconds = call.int("cache_time", limits.INLINE_CACHE_SECONDS)
    with world.change():
        person = world.inline.answer(query_id, body, seconds=seconds, personal=call.flag("is_personal"))
        world.log.add(person, {"kind": "inline"} | body)
    return True


def _result(world: World, result: Json) -> Json:
    """A cached sticker, the only kind of result that the playground shows."""
    id = str(result.get("id", ""))
    if not 1 <= len(id.encode()) <= limits.INLINE_ID_BYTES:
        raise bad_request("RESULT_ID_INVALID")
    if result.get("type") != "sticker":
        raise bad_request("can't parse inline query result: the playground shows cached stickers only")
    file = world.files.by_id(str(result.get("sticker_file_id", "")))
    if file.kind != "sticker":
        raise bad_request("STICKER_DOCUMENT_INVALID")
    return {"id": id, "sticker": world.sets.sticker_json(file, None)}


def _button(call: Call) -> Json | None:
    button = call.object("button")
    if not button:
        return None
    if not str(button.get("text") or "").strip():
        raise bad_request("SWITCH_PM_TEXT_EMPTY")
    parameter = str(button.get("start_parameter", ""))
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", parameter):
        raise bad_request("START_PARAM_INVALID")
    return {"text": button["text"], "start_parameter": parameter}
