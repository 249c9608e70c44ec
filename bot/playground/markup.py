"""Inline keyboards: which ones Telegram accepts, and the data of their buttons."""

from __future__ import annotations

from typing import Any

from bot.playground import limits
from bot.playground.limits import bad_request
from bot.playground.wire import Call, Json

BUTTON_KINDS = (
    "callback_data",
    "url",
    "switch_inline_query",
    "switch_inline_query_current_chat",
    "copy_text",
)


def keyboard(call: Call) -> Json | None:
    """The checked inline keyboard of a call; None for none or an empty one."""
    markup = call.object("reply_markup")
    if not markup:
        return None
    if "inline_keyboard" not in markup:
        raise bad_request("the playground shows inline keyboards only")
    rows = markup["inline_keyboard"]
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request("can't parse inline keyboard: expected an Array of Array of InlineKeyboardButton")
    buttons = [[_button(button) for button in row] for row in rows if row]
    if sum(map(len, buttons)) > limits.BUTTONS:
        raise bad_request("REPLY_MARKUP_TOO_LONG")
    return {"inline_keyboard": buttons} if buttons else None


def _button(button: Any) -> Json:
    if not isinstance(button, dict) or not str(button.get("text") or "").strip():
        raise bad_request('can\'t parse inline keyboard button: Field "text" must be of type String')
    kinds = [kind for kind in BUTTON_KINDS if kind in button]
    if len(kinds) != 1:
        raise bad_request(
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )
    data = button.get("callback_data")
    if data is not None and not 1 <= len(str(data).encode()) <= limits.CALLBACK_DATA_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")
    return dict(button)


def callback_data(message: Json) -> list[str]:
    """The data of every button under a message that can be pressed."""
    rows = message.get("reply_markup", {}).get("inline_keyboard", [])
    return [button["callback_data"] for row in rows for button in row if "callback_data" in button]
