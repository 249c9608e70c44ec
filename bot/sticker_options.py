"""Reads the text after /sticker: a prompt and options such as --cfg, --seed and --n."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import Any

from bot.config import CFG_RANGE, Sticker
from bot.errors import UserError
from bot.locales import LANGUAGES
from lora import option_text
from lora.data.translation.colour_names import colour_names
from lora.jobs import NO_OUTLINE, DrawOptions

MAX_SEED = 2**31 - 1
Changes = dict[str, Any]  # fields of DrawOptions, and the values that an option gives them
Parser = Callable[[str, Sticker], Changes]


@dataclass(frozen=True, kw_only=True)
class StickerRequest:
    """A prompt and how to draw it. The prompt is empty if the text holds only options.

    ``without`` is the negative prompt as it was written, None if the text has none. ``style`` is the name of a style
    other than the current one.
    """

    prompt: str = field(repr=False)
    options: DrawOptions
    without: str | None = field(default=None, repr=False)
    style: str | None = None


def defaults(settings: Sticker, *, seed: int) -> DrawOptions:
    """The options of a text that gives none."""
    return DrawOptions(
        cfg=settings.cfg,
        steps=settings.steps or None,
        seed=seed,
        outline=DrawOptions.outline if settings.outline_px else NO_OUTLINE,
        outline_px=settings.outline_px or DrawOptions.outline_px,
    )


def read(text: str, settings: Sticker, options: DrawOptions, language: str = "en") -> StickerRequest:
    """The prompt and options in ``text``. What it does not give comes from ``options``.

    ``language`` is that of who wrote it: colours have names in it.

    Raises UserError, which shows an example, for an unknown option or a wrong value.
    """
    prompt, given, typed = _split(text, language)
    changes: Changes = {}
    for name, value in given.items():
        if name in EXAMPLES and not value:
            raise UserError("option-empty", name=_own_names(language).get(name, name), example=EXAMPLES[name])
        if name == "outline":
            changes["outline_written"] = value
            value = _colour(value, language) or value
        if name in OPTIONS:
            changes |= _value(name, typed[name], value, settings)
    if changes.get("sweep"):
        changes["count"] = changes.get("count", 1) * len(changes["sweep"])
        if changes["count"] > settings.max_count:
            raise UserError("option-sweep", most=settings.max_count)
    options = replace(options, **changes)
    _check_last_seed(options)
    for name in WORDS:
        if name in given and not given[name]:
            raise UserError(f"option-{name}", option=typed[name])
    return StickerRequest(
        prompt=prompt,
        options=options,
        without=given.get("no"),
        style=given.get("style"),
    )


def _value(name: str, typed: str, value: str, settings: Sticker) -> Changes:
    """What a value sets. Raises UserError, which calls the option as the person did."""
    try:
        return OPTIONS[name](value, settings)
    except UserError as error:
        error.params["option"] = typed
        raise


def outline_first(text: str, language: str) -> str:
    """ "red outline" as the option that it means in reply to a sticker; another text as it is."""
    found = _RED_OUTLINE.fullmatch(text.strip())
    return f"--outline {found[1]}" if found and _colour(found[1], language) else text


def has_options(text: str) -> bool:
    """Whether a text without a command speaks of a drawing: it names an option, or begins like one."""
    names = [_named(mark) for mark in _marks(text)]
    return any(name in KNOWN for name in names) or bool(names and text.startswith("--"))


def has_prompt(text: str, language: str) -> bool:
    """Whether a text holds more than options. Raises UserError option-unknown."""
    return bool(_split(text, language)[0])


def _split(text: str, language: str) -> tuple[str, dict[str, str], dict[str, str]]:
    """The text without its options, the text of each option's value, and each option as it was typed.

    Raises UserError option-unknown.
    """
    marks = _marks(text)
    words = [text[: marks[0].start()] if marks else text]
    given: dict[str, str] = {}
    typed: dict[str, str] = {}
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    for mark, end in zip(marks, ends, strict=False):  # without a mark there is one end
        name = _named(mark)
        if name not in KNOWN:
            raise _unknown(name, language)
        after = text[mark.end() : end]
        value = re.compile(_VALUES.get(name, r"\s*(\S*)"), re.DOTALL).match(after)
        assert value is not None
        if name == "outline":
            value = _both_words(after) or value
        given[name], typed[name] = " ".join(value[1].split()), _typed(mark)
        words.append(after[value.end() :])
    return " ".join(" ".join(words).split()), given, typed


def _unknown(name: str, language: str) -> UserError:
    """Tells all options by their names in a language, and the one whose name in any language is the nearest."""
    own = _own_names(language)
    known = ", ".join(f"--{own.get(one, one)}" for one in KNOWN)
    if near := get_close_matches(name, [*KNOWN, *_OTHER_NAMES], n=1):
        meant = (
            near[0]
            if near[0] in _words_of(language)
            else own.get(_OTHER_NAMES.get(near[0], near[0]), near[0])
        )
        return UserError("option-unknown-meant", name=name[:20], meant=meant, known=known)
    return UserError("option-unknown", name=name[:20], known=known)


def _own_names(language: str) -> dict[str, str]:
    """Option -> what it is called in a language of the bot other than English."""
    words = LANGUAGES[language].OPTION_WORDS if language in LANGUAGES and language != "en" else {}
    return {name: said.split()[0] for name, said in words.items()}


def _words_of(language: str) -> set[str]:
    """All words for options in a language of the bot."""
    words = LANGUAGES[language].OPTION_WORDS if language in LANGUAGES else {}
    return {word for said in words.values() for word in said.split()}


def _marks(text: str) -> list[re.Match[str]]:
    """Where options begin. A dash before a word that is like no option, and has no value, is punctuation."""
    return [mark for mark in _MARK.finditer(text) if mark["name"] or _is_meant(mark, text)]


def _named(mark: re.Match[str]) -> str:
    """The option that is named, or what stands in its place."""
    return _OTHER_NAMES.get(_typed(mark), _typed(mark))


def _typed(mark: re.Match[str]) -> str:
    return str(mark["name"] or mark["dashed"] or mark["bare"]).lower()


def _is_meant(mark: re.Match[str], text: str) -> bool:
    """Whether a name behind a dash, or without one, is an option's and no word of the prompt."""
    if mark["bare"]:
        return _named(mark) != "outline" or _colour(text[mark.end() :].strip(), "") is not None
    near = get_close_matches(mark["dashed"].lower(), [*KNOWN, *_OTHER_NAMES], n=1, cutoff=0.75)
    return bool(near) or re.match(r"[#\d]", text[mark.end() :].lstrip()) is not None or "=" in mark[0]


def _cfg(text: str, settings: Sticker) -> Changes:
    values = _read("cfg", text, lambda found: option_text.read_cfg(found, *CFG_RANGE))
    return {"cfg": values[0], "sweep": values if len(values) > 1 else ()}


def _seed(text: str, settings: Sticker) -> Changes:
    seed, near = _read("seed", text, lambda found: option_text.read_seed(found, MAX_SEED), most=MAX_SEED)
    return {"seed": seed, "near": near}


def _check_last_seed(options: DrawOptions) -> None:
    """Of several pictures the last one's seed is told, too: it must be one that can be asked for again."""
    beyond = options.of_picture(options.count - 1).newest_seed - MAX_SEED
    if options.count > 1 and beyond > 0:
        seed = option_text.seed_text(options.seed, options.near)
        raise UserError("option-seed", option="seed", value=seed[:20], most=MAX_SEED - beyond)


def _count(text: str, settings: Sticker) -> Changes:
    if not re.fullmatch("[0-9]{1,12}", text) or not 1 <= int(text) <= settings.max_count:
        raise UserError("option-n", value=text[:20], most=settings.max_count)
    return {"count": int(text)}


def _strength(text: str, settings: Sticker) -> Changes:
    return {"strength": _read("strength", text, option_text.read_strength)}


def _outline(text: str, settings: Sticker) -> Changes:
    return {"outline": _read("outline", text, option_text.read_outline)}


def _both_words(text: str) -> re.Match[str] | None:
    """The first two words as the value of an option, if they are a colour that the first alone is not."""
    found = re.match(r"\s*((\w+)\s+\w+)", text)
    colour = _colour(found[1], "") if found else None
    return found if found and colour and colour != _colour(found[2], "") else None


def _colour(text: str, language: str) -> str | None:
    """A colour as ``#rrggbb``, or that there is none; None if the text is no colour."""
    for name in (text, *colour_names(text, language)):
        with suppress(option_text.NotAnOption):
            return option_text.read_outline(name)
    return None


def _cutout(text: str, settings: Sticker) -> Changes:
    return {"cutout": _read("cutout", text, option_text.read_cutout)}


def _read(name: str, text: str, read: Callable[[str], Any], **params: int) -> Any:
    try:
        return read(text)
    except option_text.NotAnOption:
        raise UserError(f"option-{name}", buttons=None, value=text[:20], **params) from None


# Name of an option -> the fields of DrawOptions that it sets. Parsers raise UserError.
OPTIONS: dict[str, Parser] = {
    "cfg": _cfg,
    "seed": _seed,
    "n": _count,
    "strength": _strength,
    "outline": _outline,
    "cutout": _cutout,
}
EXAMPLES = {"cfg": "7", "seed": "42", "n": "2", "strength": "0.7", "outline": "white", "cutout": "network"}
WORDS = ("no", "style")  # options whose values are a person's words
KNOWN = [*OPTIONS, *WORDS]
# The value of an option is one word. That of "no" goes on to the next option; a list of numbers may have spaces.
_VALUES = {
    "no": r"(.*)",
    "cfg": r"\s*(\S*(?:(?<=[,;])\s+[\d.,;]+)*)",
}
# What people also call options -> the option, in all languages of the bot.
_OTHER_NAMES: dict[str, str] = {
    word: name
    for one in LANGUAGES.values()
    for name, words in one.OPTION_WORDS.items()
    for word in words.split()
}
# Without hyphens: "cfg" before a number, "seed" before one at the end, "outline red" alone; "strength" before one
# that it can be, at the end: a tarot card is "strength 8".
_SEED, _STRENGTH, _OUTLINE = (
    "|".join([option, *(word for word, name in _OTHER_NAMES.items() if name == option)])
    for option in ("seed", "strength", "outline")
)
_END = r"\s*(?:$|\s(?:--|[—–]|cfg))"
_BARE = (
    rf"cfg(?=[\s:=]*\d)|(?:{_SEED})(?=[\s:=]*\d[\d.,~]*{_END})"
    rf"|(?:{_STRENGTH})(?=[\s:=]*[01]?[.,]\d+{_END})|strength(?=[\s:=]*[01]{_END})"
    rf"|\A(?:{_OUTLINE})(?=\s+\S+(?:\s+\w+)?\s*\Z)"
)
_RED_OUTLINE = re.compile(
    r"(?!no |without |без )(?:with )?(?:an? |с )?([\w-]+(?: [\w-]+)?) "
    r"(?:outline|border|contour|stroke|обводк\w+|контур\w*|рамк\w+)",
    re.IGNORECASE,
)
# Phones replace two hyphens by a dash.
_MARK = re.compile(
    rf"(?<!\S)(?:--(?P<name>[^\W\d_]+)|[—–](?P<dashed>[^\W\d_]+)|(?P<bare>{_BARE}))(?:\s*[=:]\s*|(?=\s|$))",
    re.IGNORECASE,
)
