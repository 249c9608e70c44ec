"""/language: in which language the bot talks to a person."""

from __future__ import annotations

from dataclasses import replace

from bot.context import Context
from bot.errors import Buttons, UserError
from bot.locales import LANGUAGES
from bot.tables import people
from bot.words import Words


async def ask(context: Context) -> None:
    """/language offers all languages, each by its own name; /language en chooses one."""
    if (code := _named(context.argument)) is not None:
        await _choose(context, code)
        await context.say("language-chosen")
        return
    buttons: Buttons = [[(language.NAME, f"language:{code}")] for code, language in LANGUAGES.items()]
    await context.say("language-ask", buttons=buttons)


async def choose(context: Context) -> None:
    """The button of a language."""
    code = context.data[0]
    if code not in LANGUAGES:
        raise UserError("notice-old-button")
    await _choose(context, code)
    await context.replace(context.words("language-chosen"))


async def _choose(context: Context, code: str) -> None:
    """Talk in this language from now on."""
    await people.choose_language(context.parts.store, context.person.id, code)
    context.person = replace(context.person, chosen_language=code)
    context.words = Words(code, example_prompt=context.parts.example_prompt.prompt)


def _named(text: str) -> str | None:
    """The code of the language that a text names, in any language of the bot."""
    said = text.strip().casefold()
    known = LANGUAGES.items()
    return next((code for code, one in known if said in one.TEXTS["language-names"].split()), None)
