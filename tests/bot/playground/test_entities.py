"""Formatted text: what Telegram makes of HTML and MarkdownV2, and where it says that it cannot."""

from __future__ import annotations

import pytest

from bot.playground.entities import formatted
from bot.playground.limits import ApiError


@pytest.mark.parametrize(
    ("mode", "source", "text", "entities"),
    [
        ("HTML", "a <b>b</b>", "a b", [("bold", 2, 1)]),
        ("HTML", "🦊<i>x</i>", "🦊x", [("italic", 2, 1)]),
        ("HTML", "&lt;b&gt; &amp;nbsp; &#33;", "<b> &nbsp; !", []),
        ("HTML", "<b>x<i>y</i></b>", "xy", [("bold", 0, 2), ("italic", 1, 1)]),
        ("HTML", '<a href="https://a.b/?x=1&amp;y">l</a>', "l", [("text_link", 0, 1)]),
        ("HTML", '<pre><code class="language-py">x</code></pre>', "x", [("pre", 0, 1)]),
        ("HTML", "  <b> x </b>  ", "x", [("bold", 0, 1)]),
        ("HTML", "<code>/start</code> /start", "/start /start", [("code", 0, 6), ("bot_command", 7, 6)]),
        ("MarkdownV2", "*b* _i_ __u__ ~s~ ||h||", "b i u s h",
         [("bold", 0, 1), ("italic", 2, 1), ("underline", 4, 1), ("strikethrough", 6, 1), ("spoiler", 8, 1)]),
        ("MarkdownV2", r"1\.5 \*", "1.5 *", []),
        ("MarkdownV2", "[l](https://a.b) `c*`", "l c*", [("text_link", 0, 1), ("code", 2, 2)]),
        ("", "<b>*plain*</b> #tag", "<b>*plain*</b> #tag", [("hashtag", 15, 4)]),
    ],
)  # fmt: skip
def test_text_becomes_entities(
    mode: str, source: str, text: str, entities: list[tuple[str, int, int]]
) -> None:
    """Markup is taken out, and stands in entities that count UTF-16 units."""
    plain, found = formatted(source, mode)
    assert plain == text
    assert [(e["type"], e["offset"], e["length"]) for e in found] == entities


@pytest.mark.parametrize(
    ("mode", "source", "error"),
    [
        ("HTML", "<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("HTML", "x</b>", "Unexpected end tag at byte offset 1"),
        ("HTML", "ä<x>", 'Unsupported start tag "x" at byte offset 2'),
        ("HTML", "1 < 2", "Unsupported start tag"),
        ("HTML", "<b", "Unsupported start tag"),
        ("MarkdownV2", "1.5", "Character '.' is reserved and must be escaped with the preceding '\\'"),
        ("MarkdownV2", "a *b", "Can't find end of Bold entity at byte offset 2"),
        ("MarkdownV2", "`a", "Can't find end of Code entity at byte offset 0"),
        ("MarkdownV2", "a-b", "Character '-' is reserved"),
        ("Textile", "x", "unsupported parse_mode"),
    ],
)
def test_malformed_markup_is_refused(mode: str, source: str, error: str) -> None:
    """A bot that forgets to escape is told so, as it would be on Telegram."""
    with pytest.raises(ApiError) as refused:
        formatted(source, mode)
    assert error in refused.value.description
