"""/language: in which language the bot talks to a person."""

from __future__ import annotations

from dataclasses import replace

from bot.context import Context
from bot.errors import Buttons, UserError
from bot.locales import LANGUAGES
from bot.tables import people
from bot.words import Words


async def ask(context: Context) -> None:
    """Offer all languages, each by its own name."""
    buttons: Buttons = [[(language.NAME, f"language:{code}")] for code, language in LANGUAGES.items()]
    await context.say("language-ask", buttons=buttons)


async def choose(context: Context) -> None:
    """Talk in the language of this button from now on."""
    code = context.data[0]
    if code not in LANGUAGES:
        raise UserError("notice-old-button")
    await people.choose_language(context.parts.store, context.person.id, code)
    context.person = replace(context.person, chosen_language=code)
    context.words = Words(code, example_prompt=context.parts.example_prompt.prompt)
    await context.replace(context.words("language-chosen"))
