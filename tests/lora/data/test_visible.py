"""What nobody sees is no text, and turns no words around."""

from __future__ import annotations

import pytest

from lora.data.visible import visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("a fox\n\ta cat ", "a fox\n\ta cat "),
        ("\u200b\u2060\ufeff", ""),
        ("\u200d\ufe0f \u3164", ""),
        ("\u202egpj.exe\u202c", "gpj.exe"),
        ("a\u2067b\u2069\x00c", "abc"),
        ("👩\u200d🚀 ❤\ufe0f", "👩\u200d🚀 ❤\ufe0f"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        (" ", " "),
    ],
)
def test_only_what_is_seen_stays(text: str, seen: str) -> None:
    """Emoji and letters that are joined by invisible signs stay joined."""
    assert visible(text) == seen
