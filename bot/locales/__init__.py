"""The languages that the bot speaks. A language is one file here and its code in ``CODES``.

The file has:

- ``NAME``: what the language calls itself.
- ``DECIMAL_MARK``; ``DATE_FORM``, a day and a time for ``strftime``.
- ``PLURAL_FORMS``: how many forms each text has that counts.
- ``EXAMPLE_PROMPTS``: the prompts that profiles of bases give as examples, in this language by the English one.
- ``COMMAND_WORDS``: words of this language that stand for a command, with a slash, by the command.
- ``OPTION_WORDS``: words of this language that stand for an option of /sticker, by the option.
- ``plural(n, forms)``: the form for ``n`` things. ``ordinal(n)``: 1st, 2nd, 3rd.
- ``TEXTS``: HTML by key, the same keys in all languages. ``{name}`` is a value, which is escaped.
  ``{example_prompt}`` is one that the base draws well.
  ``{n:picture|pictures}`` is the number and the right form, ``{n:ordinal}`` a rank.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

CODES = ("en", "ru")  # ISO 639-1, as Telegram's clients have them
LANGUAGES: dict[str, ModuleType] = {code: import_module(f"bot.locales.{code}") for code in CODES}
