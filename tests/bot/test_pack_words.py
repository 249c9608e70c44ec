"""What people write about their packs is read as Telegram takes it."""

from __future__ import annotations

import pytest

from bot.pack_words import MAX_NAME, emoji_in, keywords_in, next_title


def test_emoji_are_taken_whole() -> None:
    """Families and skin tones are one emoji; words and repeats are left out, and so is the 21st."""
    assert emoji_in("a fox 🦊 and 👨‍👩‍👧, 👍🏽 🦊!") == ["🦊", "👨‍👩‍👧", "👍🏽"]
    assert emoji_in("no emoji, 3") == []
    assert len(emoji_in("".join(map(chr, range(0x1F400, 0x1F420))))) == 20


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fox, red  fox,,Fox", ["fox", "red fox"]),
        ("лиса кофе", ["лиса", "кофе"]),
        (" , ", []),
        (f"{'x' * 60}, fox, tea", ["x" * 60, "fox"]),
        (", ".join(f"w{n}" for n in range(30)), [f"w{n}" for n in range(20)]),
    ],
)
def test_search_words_fit(text: str, words: list[str]) -> None:
    """Commas separate if there are any, else spaces; at most 20, at most 64 characters in all."""
    assert keywords_in(text) == words


def test_the_title_of_the_next_pack() -> None:
    """It has the next number and at most 64 characters."""
    assert next_title("Best of") == "Best of 2"
    assert next_title("Best of 9") == "Best of 10"
    assert next_title("1984") == "1984 2"
    assert len(next_title("x" * 64)) == MAX_NAME
