"""Formatted text: HTML and MarkdownV2 into plain text with entities, and what Telegram marks without being asked.

After https://core.telegram.org/bots/api#formatting-options. Offsets and lengths count UTF-16 units.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from bot.playground.limits import bad_request
from bot.playground.wire import Json

TAGS = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler",
    "span": "spoiler", "a": "text_link", "code": "code", "pre": "pre", "blockquote": "blockquote",
}  # fmt: skip
TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)?((?:\s+[^<>]*)?)>?", re.DOTALL)
HREF = re.compile(r"""href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""")
LANGUAGE = re.compile(r"""class\s*=\s*["']?language-([^"'\s>]+)""")
REFERENCE = re.compile(r"&(?:#\d+|#x[0-9a-fA-F]+|lt|gt|amp|quot);")

MARKS = {"*": "bold", "_": "italic", "__": "underline", "~": "strikethrough", "||": "spoiler"}
NAMES = {"*": "Bold", "_": "Italic", "__": "Underline", "~": "Strikethrough", "||": "Spoiler"}
RESERVED = "_*[]()~`>#+-=|{}.!"

AUTOMATIC = (
    ("bot_command", re.compile(r"(?<![\w/@<>])/[A-Za-z0-9_]{1,64}(?:@\w{3,32})?(?![\w/<>])")),
    ("url", re.compile(r"(?<!\w)https?://[^\s<>\"]+[^\s<>\".,;:!?)\]]")),
    ("mention", re.compile(r"(?<!\w)@[A-Za-z][A-Za-z0-9_]{3,31}\b")),
    ("hashtag", re.compile(r"(?<!\w)#\w*[^\W\d]\w*")),
)


def units(text: str) -> int:
    """The length in UTF-16 units, which is how Telegram counts."""
    return len(text.encode("utf-16-le")) // 2


def formatted(text: str, parse_mode: str) -> tuple[str, list[Json]]:
    """Plain text and entities of ``text`` as a bot sends it. Raises ApiError where it is malformed."""
    parsers: dict[str, Callable[[str], tuple[str, list[Json]]]] = {
        "": lambda plain: (plain, []),
        "html": parse_html,
        "markdownv2": parse_markdown,
    }
    if parse_mode.lower() not in parsers:
        raise bad_request("unsupported parse_mode")
    return with_automatic(*stripped(*parsers[parse_mode.lower()](text)))


def stripped(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """The text without white space at both ends; entities are moved and cut to match."""
    body = text.strip()
    skipped, length = units(text[: len(text) - len(text.lstrip())]), units(body)
    kept = []
    for entity in entities:
        start = max(0, entity["offset"] - skipped)
        end = min(length, entity["offset"] + entity["length"] - skipped)
        if start < end:
            kept.append(entity | {"offset": start, "length": end - start})
    return body, sorted(kept, key=lambda entity: (entity["offset"], -entity["length"]))


def with_automatic(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Adds commands, links, mentions and hashtags, as Telegram does outside of code and links."""
    taken = [
        (e["offset"], e["offset"] + e["length"])
        for e in entities
        if e["type"] in ("code", "pre", "text_link")
    ]
    found = list(entities)
    for kind, pattern in AUTOMATIC:
        for match in pattern.finditer(text):
            start, length = units(text[: match.start()]), units(match.group())
            if any(start < end and begin < start + length for begin, end in taken):
                continue
            taken.append((start, start + length))
            found.append({"type": kind, "offset": start, "length": length})
    return text, sorted(found, key=lambda entity: (entity["offset"], -entity["length"]))


def parse_html(source: str) -> tuple[str, list[Json]]:
    """Reads the few HTML tags that Telegram knows. Raises ApiError "can't parse entities: ..."."""
    text, entities, place = "", list[Json](), 0
    open_tags: list[tuple[str, Json]] = []
    while (start := source.find("<", place)) >= 0:
        text += _unescaped(source[place:start])
        match = TAG.match(source, start)
        if match is None or not match.group(0).endswith(">") or not match.group(2):
            raise _unparsable(f'Unsupported start tag "{_name(match)}" at byte offset {_byte(source, start)}')
        closing, tag, attributes = match.group(1), match.group(2).lower(), match.group(3)
        place = match.end()
        if not closing:
            open_tags.append((tag, _start_tag(source, start, tag, attributes) | {"offset": units(text)}))
            continue
        entity = _end_tag(source, start, tag, open_tags)
        entity["length"] = units(text) - entity["offset"]
        entities.append(entity)
    if open_tags:
        raise _unparsable(f'Can\'t find end tag corresponding to start tag "{open_tags[-1][0]}"')
    return text + _unescaped(source[place:]), _merged(entities)


def _start_tag(source: str, start: int, tag: str, attributes: str) -> Json:
    if tag not in TAGS or (tag == "span" and "tg-spoiler" not in attributes):
        raise _unparsable(f'Unsupported start tag "{tag}" at byte offset {_byte(source, start)}')
    if tag == "a" and (href := HREF.search(attributes)):
        return {"type": "text_link", "url": html.unescape(next(filter(None, href.groups()), ""))}
    if tag == "code" and (language := LANGUAGE.search(attributes)):
        return {"type": "code", "language": language.group(1)}
    expandable = tag == "blockquote" and "expandable" in attributes
    return {"type": "expandable_blockquote" if expandable else TAGS[tag]}


def _end_tag(source: str, start: int, tag: str, open_tags: list[tuple[str, Json]]) -> Json:
    if not open_tags:
        raise _unparsable(f"Unexpected end tag at byte offset {_byte(source, start)}")
    expected, entity = open_tags.pop()
    if expected != tag:
        where = _byte(source, start)
        raise _unparsable(
            f'Unmatched end tag at byte offset {where}, expected "</{expected}>", found "</{tag}>"'
        )
    return entity


def _merged(entities: list[Json]) -> list[Json]:
    """``<pre><code class="language-x">`` is one entity; links without an address are none."""
    blocks = [entity for entity in entities if entity["type"] == "pre"]
    kept = []
    for entity in entities:
        span = (entity["offset"], entity["length"])
        outer = next((b for b in blocks if (b["offset"], b["length"]) == span), None)
        if entity["type"] == "code" and outer is not None:
            outer |= {"language": entity["language"]} if "language" in entity else {}
            continue
        if entity["type"] == "code":
            entity.pop("language", None)
        if entity["type"] != "text_link" or entity.get("url"):
            kept.append(entity)
    return kept


def parse_markdown(source: str) -> tuple[str, list[Json]]:
    """Reads MarkdownV2. Raises ApiError "can't parse entities: ..."."""
    text, entities, place = "", list[Json](), 0
    open_marks: list[tuple[str, int, int]] = []  # mark, offset in units, place in the source
    while place < len(source):
        mark = source[place : place + 2] if source[place : place + 2] in ("__", "||") else source[place]
        if mark == "\\" and place + 1 < len(source) and source[place + 1] < "\x7f":
            text, place = text + source[place + 1], place + 2
        elif mark == "`":
            content, place, entity = _code(source, place)
            entities.append(entity | {"offset": units(text), "length": units(content)})
            text += content
        elif mark in MARKS and open_marks and open_marks[-1][0] == mark:
            _, offset, _ = open_marks.pop()
            entities.append({"type": MARKS[mark], "offset": offset, "length": units(text) - offset})
            place += len(mark)
        elif mark in MARKS or mark == "[":
            open_marks.append((mark, units(text), place))
            place += len(mark)
        elif mark == "]" and open_marks and open_marks[-1][0] == "[":
            _, offset, begun = open_marks.pop()
            url, place = _link(source, place, begun)
            entities.append(
                {"type": "text_link", "url": url, "offset": offset, "length": units(text) - offset}
            )
        elif mark == ">" and (not text or text.endswith("\n")):
            place += 1  # a quotation's mark; the playground shows its text as plain
        elif mark in RESERVED:
            raise _unparsable(f"Character '{mark}' is reserved and must be escaped with the preceding '\\'")
        else:
            text, place = text + mark, place + 1
    if open_marks:
        mark, _, begun = open_marks[-1]
        name = NAMES.get(mark, "TextUrl")
        raise _unparsable(f"Can't find end of {name} entity at byte offset {_byte(source, begun)}")
    return text, entities


def _code(source: str, place: int) -> tuple[str, int, Json]:
    """The text of a code span or block at ``place``, where it ends, and its entity."""
    fence = "```" if source.startswith("```", place) else "`"
    end = source.find(fence, place + len(fence))
    if end < 0:
        name = "Pre" if fence == "```" else "Code"
        raise _unparsable(f"Can't find end of {name} entity at byte offset {_byte(source, place)}")
    content = re.sub(r"\\([`\\])", r"\1", source[place + len(fence) : end])
    if fence == "`":
        return content, end + 1, {"type": "code"}
    language, newline, code = content.partition("\n")
    if newline and language and re.fullmatch(r"[\w+-]+", language):
        return code, end + 3, {"type": "pre", "language": language}
    return content.removeprefix("\n"), end + 3, {"type": "pre"}


def _link(source: str, place: int, begun: int) -> tuple[str, int]:
    """The address after ``](`` and where the link ends."""
    match = re.compile(r"\]\(((?:\\.|[^)\\])*)\)").match(source, place)
    if match is None:
        raise _unparsable(f"Can't find end of a URL at byte offset {_byte(source, begun)}")
    return re.sub(r"\\(.)", r"\1", match.group(1)), match.end()


def _unescaped(text: str) -> str:
    return REFERENCE.sub(lambda match: html.unescape(match.group()), text)


def _name(match: re.Match[str] | None) -> str:
    return (match.group(2) or "").lower() if match else ""


def _byte(source: str, place: int) -> int:
    return len(source[:place].encode())


def _unparsable(text: str) -> Exception:
    return bad_request(f"can't parse entities: {text}")
