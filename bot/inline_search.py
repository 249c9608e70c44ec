"""Which of a person's stickers an inline query means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence

from bot.store import Store
from bot.tables import drawings
from bot.tables.drawings import Shown
from bot.tables.people import Person
from lora.data.translation import search_words

MOST = 1000  # of the newest stickers are searched


async def matching(store: Store, person: Person, query: str) -> list[Shown]:
    """The person's stickers that are found by the words or emoji of the query: best first, then newest first.

    An empty query finds all of them.
    """
    shown = await drawings.shown_of(store, person.id, MOST)
    if not query.strip():
        return shown
    return await asyncio.to_thread(_best, shown, query, person.writes_in)


def _list(text: str | None) -> tuple[str, ...]:
    return tuple(json.loads(text)) if text else ()


def _best(shown: Sequence[Shown], query: str, language: str) -> list[Shown]:
    scored = []
    for one in shown:
        words = search_words.words_of(one.prompt, one.prompt_original, language)
        words |= search_words.words_given(_list(one.emoji), _list(one.keywords))
        if (score := search_words.score(query, words, language)) > 0:
            scored.append((score, one))
    return [one for _, one in sorted(scored, key=lambda found: -found[0])]
