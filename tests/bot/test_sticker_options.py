"""The options of /sticker: how they are written, and the errors."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from bot import sticker_options
from bot.config import Sticker
from bot.errors import UserError
from bot.locales import LANGUAGES
from bot.sticker_options import StickerRequest
from bot.words import Words
from lora.jobs import NO_OUTLINE, DrawOptions

ANY = 99  # the seed if none is given


def read(text: str, settings: Sticker | None = None) -> StickerRequest:
    settings = settings or Sticker()
    return sticker_options.read(text, settings, sticker_options.defaults(settings, seed=ANY))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a fox", ("a fox", 5.0, ANY, 1)),
        ("a fox --cfg 7", ("a fox", 7.0, ANY, 1)),
        ("--cfg 7 a fox --seed 42 drinking", ("a fox drinking", 7.0, 42, 1)),
        ("a fox —cfg 7 –n 3", ("a fox", 7.0, ANY, 3)),  # as phones type it
        ("a fox --cfg=2.5", ("a fox", 2.5, ANY, 1)),
        ("a fox --CFG 2,5", ("a fox", 2.5, ANY, 1)),
        ("a fox — sleepy —very", ("a fox — sleepy —very", 5.0, ANY, 1)),
        ("well-known x--y", ("well-known x--y", 5.0, ANY, 1)),
        ("a\nfox\n--n 2", ("a fox", 5.0, ANY, 2)),
        ("a fox cfg 7,5", ("a fox", 7.5, ANY, 1)),  # without hyphens: nobody means words
        ("cfg: 7 a fox with cfg on it", ("a fox with cfg on it", 7.0, ANY, 1)),
        ("a fox seed 42", ("a fox", 5.0, 42, 1)),
        ("a fox --seed 2147483647", ("a fox", 5.0, 2**31 - 1, 1)),
        ("a fox --seed 2147483646 --n 2", ("a fox", 5.0, 2**31 - 2, 2)),
        ("лиса CFG 3 зерно 42", ("лиса", 3.0, 42, 1)),
        ("a seed 3 days old", ("a seed 3 days old", 5.0, ANY, 1)),
        ("strength 3 men", ("strength 3 men", 5.0, ANY, 1)),
        ("лиса —зерно 42 --штук 2", ("лиса", 5.0, 42, 2)),  # other names of options
    ],
)
def test_options_are_found_wherever_they_stand(text: str, expected: tuple[str, float, int, int]) -> None:
    """Order, spelling by phones, and line breaks do not matter; punctuation stays."""
    found = read(text)
    assert (found.prompt, found.options.cfg, found.options.seed, found.options.count) == expected


@pytest.mark.parametrize(
    ("text", "prompt", "changes"),
    [
        ("a fox --cfg 3,5,8", "a fox", {"cfg": 3.0, "sweep": (3.0, 5.0, 8.0), "count": 3}),
        ("--cfg 3, 8 a fox --n 2", "a fox", {"cfg": 3.0, "sweep": (3.0, 8.0), "count": 4}),
        ("a fox --cfg 2,5;4 now", "a fox now", {"cfg": 2.5, "sweep": (2.5, 4.0), "count": 2}),
        ("a fox --strength 0.7", "a fox", {"strength": 0.7}),
        ("a fox —strength 0,7 –outline none", "a fox", {"strength": 0.7, "outline": "none"}),
        ("a fox --outline #FF8800 --cutout none", "a fox", {"outline": "#ff8800", "cutout": "none"}),
        ("a fox --seed 42~7", "a fox", {"seed": 42, "near": (7,)}),
        ("--outline black", "", {"outline": "#000000"}),
        ("a fox strength 0,7", "a fox", {"strength": 0.7}),
        ("лиса —контур black", "лиса", {"outline": "#000000"}),
        ("обводка синяя", "", {"outline": "#0000ff"}),  # alone, before a colour
        ("outline dark blue", "", {"outline": "#00008b"}),
        ("outline of a fox", "outline of a fox", {}),
        ("контур лисы", "контур лисы", {}),
    ],
)
def test_each_option_sets_its_fields(text: str, prompt: str, changes: dict[str, Any]) -> None:
    """And nothing else."""
    found = read(text)
    assert found.prompt == prompt
    assert found.options == replace(read("").options, **changes)


def test_words_for_what_shall_not_be_on_it_go_on_to_the_next_option() -> None:
    """So they need no quotation marks; a style's name is one word."""
    found = read("a fox --no glasses, a hat --style zuvix in the rain")
    assert (found.prompt, found.without, found.style) == ("a fox in the rain", "glasses, a hat", "zuvix")
    assert read("лиса —без шляпы и очков").without == "шляпы и очков"
    assert (read("a fox").without, read("a fox").style) == (None, None)


def test_what_the_text_leaves_open_comes_from_the_settings() -> None:
    """The operator's CFG, steps and outline; an option in the text replaces the setting."""
    settings = Sticker(cfg=3.0, steps=9, outline_px=0)
    found = read("a fox --n 2", settings).options
    assert found == DrawOptions(cfg=3.0, steps=9, outline=NO_OUTLINE, seed=ANY, count=2)
    assert read("a fox --cfg 8", settings).options.cfg == 8.0


@pytest.mark.parametrize(
    ("colour", "hex"),
    [
        ("white", "#ffffff"),
        ("red", "#ff0000"),
        ("DarkBlue", "#00008b"),
        ("красный", "#ff0000"),
        ("белая", "#ffffff"),
        ("тёмно-синий", "#00008b"),
        ("голубую", "#add8e6"),
        ("золотой", "#ffd700"),
        ("rot", "#ff0000"),
        ("weiß", "#ffffff"),
        ("rojo", "#ff0000"),
        ("нет", "none"),
        ("none", "none"),
        ("малиновый", "#dc143c"),
        ("малиновую", "#dc143c"),
        ("малиновое", "#dc143c"),
        ("Изумрудные", "#50c878"),
        ("светло-розовый", "#ffb6c1"),
        ("тёмно синий", "#00008b"),
        ("морская волна", "#2e8b57"),
        ("лимонная", "#fff44f"),
        ("mint", "#98ff98"),
        ("dark blue", "#00008b"),
        ("bright red", "#ff0000"),
        ("dunkelgrün", "#006400"),
        ("turchese", "#40e0d0"),
        ("verde oliva", "#808000"),
        ("бузковий", "#800080"),
        ("siyah", "#000000"),
    ],
)
def test_colours_have_names_in_many_languages(colour: str, hex: str) -> None:
    """The words of the translation table, and the names of CSS."""
    settings = Sticker()
    options = sticker_options.defaults(settings, seed=ANY)
    found = sticker_options.read(f"--outline {colour} a fox", settings, options, "ru")
    assert (found.prompt, found.options.outline) == ("a fox", hex)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a fox --cfg", "option-empty"),
        ("a fox --cfg --seed 3", "option-empty"),
        ("a fox --outline", "option-empty"),
        ("a fox --cfg 0.5", "option-cfg"),
        ("a fox --cfg 21", "option-cfg"),
        ("a fox --cfg nan", "option-cfg"),
        ("a fox --cfg 1_0", "option-cfg"),
        ("a fox --strength 0_1", "option-strength"),
        ("a fox --seed 1_0", "option-seed"),
        ("a fox --n 0_2", "option-n"),
        ("a fox --cfg <b>", "option-cfg"),
        ("a fox --seed -1", "option-seed"),
        ("a fox --seed 99999999999", "option-seed"),
        ("a fox --seed ²", "option-seed"),
        ("a fox --seed 2147483647 --n 2", "option-seed"),  # the second one's could not be asked for
        ("a fox --seed 1~2147483646 --cfg 3,5 --n 3", "option-seed"),
        ("a fox --n 9", "option-n"),
        ("a fox --cfg 3,5,8 --n 3", "option-sweep"),
        ("a fox --cfg 3,5,5", "option-cfg"),
        ("a fox --no", "option-no"),
        ("a fox --no --n 2", "option-no"),
        ("a fox --style", "option-style"),
        ("a fox --strength 1.6", "option-strength"),
        ("a fox --outline pinkish", "option-outline"),
        ("a fox --cutout x", "option-cutout"),
        ("a fox --seed 1~x", "option-seed"),
        ("a fox --n 0", "option-n"),
        ("a fox --scale 3", "option-unknown-meant"),
        ("лиса --цвет 3", "option-unknown"),
        ("лиса —цвет 3", "option-unknown"),  # a dash before a name with a value
        ("лиса —контурр", "option-unknown-meant"),  # and before a name that is nearly one
        ("a fox —outlin", "option-unknown-meant"),
        ("a fox --strengh 1", "option-unknown-meant"),
        ("лиса —контур", "option-empty"),
        ("a fox cfg 99", "option-cfg"),
    ],
)
def test_what_is_wrong_is_explained_with_an_example(text: str, key: str) -> None:
    """Every refusal shows a /sticker line that works, and holds no unescaped HTML of the person's."""
    with pytest.raises(UserError) as caught:
        read(text)
    assert caught.value.key == key
    told = Words("en", example_prompt="a fox")(key, **caught.value.params)
    assert "/sticker a fox" in told.replace("<i>", "")
    assert "“”" not in told
    assert "“<b>" not in told


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("красная обводка", "--outline красная"),
        ("с тёмно-синей рамкой", "--outline тёмно-синей"),
        ("with a pink border", "--outline pink"),
        ("a dark blue outline", "--outline dark blue"),
        ("толстая обводка", None),
        ("a cat outline", None),
        ("no outline", None),
        ("кот с красной обводкой", None),
    ],
)
def test_a_colour_before_outline_is_its_colour(text: str, option: str | None) -> None:
    """Only alone, and only a colour."""
    assert sticker_options.outline_first(text, "ru") == (option or text)


@pytest.mark.parametrize(
    ("text", "prompt", "strength"),
    [
        ("a cat strength 0.7", "a cat", 0.7),
        ("a cat strength 1", "a cat", 1),
        ("кот сила 0,7", "кот", 0.7),
        ("tarot card strength 8", "tarot card strength 8", None),
        ("a man with strength 10", "a man with strength 10", None),
        ("сила 5", "сила 5", None),
    ],
)
def test_strength_without_hyphens_is_one_that_it_can_be(
    text: str, prompt: str, strength: float | None
) -> None:
    """Other numbers belong to the prompt."""
    defaults = sticker_options.defaults(Sticker(), seed=1)
    found = sticker_options.read(text, Sticker(), defaults)
    assert (found.prompt, found.options.strength) == (prompt, strength or defaults.strength)


@pytest.mark.parametrize(
    ("language", "text", "meant"),
    [
        ("en", "a fox --outlin red", "--outline"),
        ("en", "a fox --borde red", "--border"),
        ("ru", "лиса --контурр красный", "--контур"),
        ("ru", "лиса --обводкаа красная", "--обводка"),
        ("ru", "лиса --outlin red", "--контур"),
        ("ru", "лиса --borde red", "--контур"),
        ("ru", "лиса --strenght 1", "--сила"),
        ("ru", "лиса --cgf 3", "--cfg"),
        ("de", "ein Fuchs --outlin rot", "--outline"),
    ],
)
def test_the_option_that_was_meant_has_the_persons_word(language: str, text: str, meant: str) -> None:
    """Whatever language the wrong one is nearest to; CFG has no word of its own."""
    with pytest.raises(UserError) as caught:
        sticker_options.read(text, Sticker(), sticker_options.defaults(Sticker(), seed=1), language)
    told = Words("ru" if language == "ru" else "en", example_prompt="a fox")(
        caught.value.key, **caught.value.params
    )
    assert f"<code>{meant}</code>?" in told


@pytest.mark.parametrize("text", ["лиса --цвет 3", "лиса --контурр красный", "лиса --cgf 3"])
def test_russians_read_russian_names_of_the_options(text: str) -> None:
    """All options are told, each that has a Russian word with it, and all that is told is one."""
    with pytest.raises(UserError) as caught:
        sticker_options.read(text, Sticker(), sticker_options.defaults(Sticker(), seed=1), "ru")
    words = LANGUAGES["ru"].OPTION_WORDS
    known = {words[name].split()[0] if name in words else name for name in sticker_options.KNOWN}
    told = Words("ru", example_prompt="лиса")(caught.value.key, **caught.value.params)
    assert known == {*re.findall(r"--(\w+)", told.split("Есть")[1].split("Вот так")[0])}


def test_an_option_without_a_value_is_named_in_the_persons_words() -> None:
    """With an example that works."""
    with pytest.raises(UserError) as caught:
        sticker_options.read("лиса --контур", Sticker(), sticker_options.defaults(Sticker(), seed=1), "ru")
    told = Words("ru", example_prompt="лиса")(caught.value.key, **caught.value.params)
    assert "/sticker лиса --контур white" in told


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("кот --обводка розоватый", "обводка"),
        ("кот --сид x", "сид"),
        ("кот --шт 9", "шт"),
        ("кот --стиль", "стиль"),
        ("a cat --count 9", "count"),
        ("a cat --n 9", "n"),
    ],
)
def test_an_error_calls_the_option_as_the_person_did(text: str, typed: str) -> None:
    """In its example, too."""
    settings = Sticker()
    with pytest.raises(UserError) as caught:
        sticker_options.read(text, settings, sticker_options.defaults(settings, seed=ANY), "ru")
    said = Words("ru", example_prompt="кот")(caught.value.key, **caught.value.params)
    assert f"--{typed}</code>" in said
    assert f" --{typed} " in said
