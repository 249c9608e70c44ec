"""The example prompt: the base's own, in every language, and known again after a restart."""

from __future__ import annotations

import re

import pytest

from bot.example_prompt import DRAWN_BY_ALL
from bot.locales import LANGUAGES
from bot.playground.person import Person
from bot.words import Words
from lora.models.profiles import PROFILES
from tests.bot.conftest import Stage

# Sheets of these were looked at before they became examples: docs/contact-sheet.png, docs/sticker-nano.png,
# docs/sticker-nano-scenes.png, and for Stable Diffusion 2.1 its authors' model card.
LOOKED_AT = {"sticker-nano": {"a rocket", "a house", "an owl", "a bear riding a bicycle"}}


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_example_is_said_in_every_language(code: str) -> None:
    """English says it as it is; every other language has its own words."""
    for prompt in {profile.example_prompt for profile in PROFILES} | {DRAWN_BY_ALL}:
        said = Words(code, example_prompt=prompt)("sticker-usage")
        assert (prompt in said) == (code == "en")


@pytest.mark.parametrize("code", LANGUAGES)
def test_no_text_has_an_example_of_its_own(code: str) -> None:
    """What stands behind /sticker is the base's example."""
    for key, text in LANGUAGES[code].TEXTS.items():
        for shown in re.findall(r"/sticker (?:<i>)?([^<\s,.;:]+)", text):
            assert not re.match(r"(a|an|лиса|кот)$", shown), f"{key}: {shown}"


def test_the_bundled_base_has_an_example_that_was_looked_at() -> None:
    """And until a worker has reported a base, the example is one that this base draws."""
    for profile in PROFILES:
        if profile.name in LOOKED_AT:
            assert {profile.example_prompt, DRAWN_BY_ALL} <= LOOKED_AT[profile.name]


async def test_the_example_is_the_bases_and_is_remembered(stage: Stage, ada: Person) -> None:
    """The fake engine reports one; the next start knows it before its worker is ready."""
    async with stage.bot():
        await ada.send("/sticker")
        await ada.wait_for("like a fox drinking coffee")
    async with stage.bot() as running:
        assert running.parts.example_prompt.prompt == "a fox drinking coffee"
