"""The page's own files, without a browser: colours that can be told apart, and its words in both languages."""

from __future__ import annotations

import re

import pytest

from bot.playground.server import PAGE

Colour = tuple[float, float, float, float]  # red, green, blue from 0 to 255, alpha from 0 to 1

CSS = (PAGE / "style.css").read_text(encoding="utf-8")
WORDS = (PAGE / "words.js").read_text(encoding="utf-8")
TEXT, PART = 4.5, 3.0  # least contrast of WCAG 2.2 AA: text (1.4.3), and borders of fields and focus (1.4.11)
WHITE = (255.0, 255.0, 255.0, 1.0)
# What stands on what; "a+b" is b, which lets a through, on a.
BEHIND = {
    "ink": ["ground", "ground-2", "panel", "panel+hover", "theirs", "theirs+hover", "mine", "mine+hover"],
    "soft": ["ground", "ground-2", "panel", "panel+hover", "theirs"],
    "accent": ["panel", "panel+hover", "theirs", "theirs+hover"],
    "on-accent": ["accent"],
    "mine-soft": ["mine", "mine+hover"],
    "mine-link": ["mine", "mine+hover"],
    "key-ink": ["key"],
    "on-wash": ["white+wash", "toast"],
}
EDGES = {"edge": ["panel"], "accent": ["ground", "ground-2", "panel", "key", "theirs", "mine"]}


def colours_of(theme: str) -> dict[str, Colour]:
    """The colours of a theme by name. The dark one changes some of the light one's."""
    light, dark = (
        dict(re.findall(r"--([\w-]+): ([^;]+);", block))
        for block in re.findall(r"^:root[^{]*\{(.*?)\}", CSS, re.DOTALL | re.MULTILINE)
    )
    named = light if theme == "light" else light | dark
    return {name: colour(value) for name, value in named.items() if name != "shadow"} | {"white": WHITE}


def colour(value: str) -> Colour:
    """``#rrggbb`` or ``rgb(r g b / a%)``."""
    if value.startswith("#"):
        red, green, blue = map(float, bytes.fromhex(value[1:]))
        return (red, green, blue, 1.0)
    red, green, blue, percent = map(float, re.findall(r"[\d.]+", value))
    return (red, green, blue, percent / 100)


def seen(name: str, colours: dict[str, Colour]) -> Colour:
    """The colour of a surface, or of the layers of one."""
    below, *others = [colours[part] for part in name.split("+")]
    for red, green, blue, alpha in others:
        layers = zip((red, green, blue), below[:3], strict=True)
        red, green, blue = (top * alpha + bottom * (1 - alpha) for top, bottom in layers)
        below = (red, green, blue, 1.0)
    return below


def contrast(one: Colour, other: Colour) -> float:
    """The contrast ratio of WCAG 2.2: (L1 + 0.05) / (L2 + 0.05), L being the relative luminance."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def luminance(of: Colour) -> float:
    """0.2126 R + 0.7152 G + 0.0722 B of the linear sRGB values."""
    linear = [
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (part / 255 for part in of[:3])
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_formula() -> None:
    """Black on white is 21 to 1, and #767676 on white the darkest grey that is just enough."""
    assert contrast(colour("#000000"), WHITE) == pytest.approx(21)
    assert contrast(colour("#767676"), WHITE) > TEXT > contrast(colour("#777777"), WHITE)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read(theme: str) -> None:
    """Each colour of a text has at least 4.5 to 1 on all that it stands on, each edge 3 to 1."""
    colours = colours_of(theme)
    short = {
        f"{name} on {behind}": round(ratio, 2)
        for table, least in ((BEHIND, TEXT), (EDGES, PART))
        for name, surfaces in table.items()
        for behind in surfaces
        if (ratio := contrast(colours[name], seen(behind, colours))) < least
    }
    assert short == {}


def test_every_colour_of_a_text_is_among_them() -> None:
    """A text takes one of these colours, or that of what it is in; a field has the border that is tested."""
    used = set(re.findall(r"(?<![\w-])color: ([^;}]+)", CSS))
    assert used - {"inherit", "transparent"} == {f"var(--{name})" for name in BEHIND}
    field = r"^[^{]*(?:input|select|#people)\b[^{]*\{[^}]*border: 1px solid ([^;]+);"
    fields = re.findall(field, CSS, re.MULTILINE)
    assert set(fields) == {"var(--edge)"}


def words(language: str) -> dict[str, str]:
    """The texts of a language by key."""
    (table,) = re.findall(rf"^const {language} = \{{\n(.*?)^\}};", WORDS, re.DOTALL | re.MULTILINE)
    return dict(re.findall(r'(\w+): "([^"]*)"', table))


def test_both_languages_have_all_words() -> None:
    """The same keys and places for values; nothing that has letters is the same in both."""
    english, russian = words("EN"), words("RU")
    assert english.keys() == russian.keys()
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", russian[key])), key
        assert re.search("[а-яё]|^\\{|^ОК$", russian[key], re.IGNORECASE), key


def test_the_page_asks_for_words_that_there_are_and_for_all_of_them() -> None:
    """Each key in the markup and the scripts is known, and no word is left that nothing shows."""
    html = (PAGE / "index.html").read_text(encoding="utf-8")
    markup = re.findall(r'data-(?:t|label|hint|title)="(\w+)"', html)
    scripts = "".join(path.read_text(encoding="utf-8") for path in PAGE.glob("*.js"))
    shown = WORDS[WORDS.index("const REFUSALS") :] + scripts.replace(WORDS, "")
    known = words("EN").keys()
    assert set(markup) | set(re.findall(r'\bt\("(\w+)"', scripts)) <= known
    quoted = set(re.findall(r'"(\w+)"', shown))
    # These are put together from a kind of field.
    assert known - quoted - set(markup) == {"emojiOf", "captionOf"}


def test_the_page_says_you_as_the_bot_does() -> None:
    """In Russian, "ты": no formal pronoun and no formal imperative."""
    russian = WORDS.split("const RU")[-1].split("REFUSALS")[0]
    assert "твой набор" in russian
    formal = re.findall(r"\b[Вв](?:ы|ас|ам|аш\w*)\b|\b\w+(?:[ийь]те|айте)(?:сь)?\b", russian)
    assert formal == []
