"""Prints a running chat as lines on a terminal."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Callable

from bot.playground.wire import Json

WIDTH = 100
EDIT_SECONDS = 30.0  # a message that is edited all the time is printed that often


class Transcript:
    """Prints a person's events with ``say``. Albums are one line, progress now and then."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._printed_at: dict[int, float] = {}
        self._album: list[Json] = []

    def __call__(self, event: Json) -> None:
        """Print one event."""
        message = event.get("message", {})
        if self._album and message.get("media_group_id") != self._album[0].get("media_group_id"):
            self._end_album()
        if event["kind"] == "edit":
            self._edit(message)
        if event["kind"] == "answer" and event["text"]:
            self._line("Bot", f"({event['text']})")
        if event["kind"] == "message" and message.get("media_group_id"):
            self._album.append(message)
        elif event["kind"] == "message":
            self._message(message)

    def press(self, label: str) -> None:
        """Print a press of a button, which is no event of the chat."""
        self._line("Ada", f"presses [{label}]")

    def _edit(self, message: Json) -> None:
        number, now = message["message_id"], time.monotonic()
        over = "reply_markup" not in message
        if over or now - self._printed_at.get(number, now) >= EDIT_SECONDS:
            self._line("Bot ~", " · ".join(_content(message).splitlines()))
            self._printed_at[number] = now

    def _message(self, message: Json) -> None:
        self._printed_at[message["message_id"]] = time.monotonic()
        self._line("Bot" if message["from"]["is_bot"] else message["from"]["first_name"], _content(message))
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        if rows:
            self._line("", "   ".join(" ".join(f"[{button['text']}]" for button in row) for row in rows))

    def _end_album(self) -> None:
        first = self._album[0]
        texts = [text for message in self._album for text in (message.get("caption") or "").splitlines()]
        shown = texts if len(texts) < 4 else [*texts[:3], f"… and {len(texts) - 3} more"]
        self._line(first["from"]["first_name"], f"[{len(self._album)} files] " + " | ".join(shown))
        self._album = []

    def _line(self, who: str, text: str) -> None:
        indent = " " * 7
        for number, line in enumerate(text.splitlines() or [""]):
            begin = f"{who:<7}" if number == 0 else indent
            self._say(
                textwrap.fill(line, WIDTH, initial_indent=begin, subsequent_indent=indent) or indent.rstrip()
            )


def _content(message: Json) -> str:
    text = str(message.get("text") or message.get("caption") or "")
    if "sticker" in message:
        return f"[sticker {message['sticker'].get('emoji', '')}]".replace(" ]", "]")
    if "document" in message:
        return f"[file {message['document']['file_name']}] {text}"
    return f"[photo] {text}" if "photo" in message else text
