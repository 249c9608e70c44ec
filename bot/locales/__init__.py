"""The languages that the bot speaks. A language is one file here and one line below."""

from __future__ import annotations

from types import ModuleType

from bot.locales import en

LANGUAGES: dict[str, ModuleType] = {"en": en}
