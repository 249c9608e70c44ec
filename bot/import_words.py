"""The message of an import: how far it is, and at its end what became of each picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from bot.config import Train
from bot.errors import Buttons
from bot.sample_words import details, undo_button
from bot.tables.imports import Import, ImportKind, ImportState, Item, Outcome
from bot.tables.samples import Sample
from bot.tables.styles import Style
from bot.words import Html, Words, clip

View = tuple[str, Buttons]  # HTML text, buttons
OPENING = {ImportKind.PACK: "import-opening-pack", ImportKind.ZIP: "import-opening-zip"}


def under_way(words: Words, imported: Import, style: Style, done: int, count: int) -> View:
    """The message while pictures are taken; ``count`` is 0 as long as it is not known."""
    title = clip(imported.title or imported.source, 64) if count else ""
    key = "import-taking" if count else OPENING[imported.kind]
    text = words(key, title=title, keyword=style.keyword, done=done, n=count)
    return text, words.buttons([[("button-stop-import", f"stopimport:{imported.id}")]])


def over(
    words: Words,
    imported: Import,
    style: Style,
    items: Sequence[Item],
    everything: list[Sample],
    settings: Train,
    change: int | None,
) -> View:
    """The message at the end, with what to do next."""
    if imported.state == ImportState.FAILED and not any(item.outcome for item in items):
        return words(imported.error or "import-crashed", **imported.params), []
    counts = Counter(item.outcome for item in items)
    taken = counts.pop(Outcome.NEW, 0)
    key = "import-stopped" if imported.state == ImportState.STOPPED else "import-done"
    title = clip(imported.title or imported.source, 64)
    lines = [words(key, title=title, keyword=style.keyword, n=taken, total=len(everything))]
    lines += _left_out(words, counts, settings.max_samples)
    if faults := imported.params.get("faults"):
        lines.append(words("import-faults", n=faults))
    if imported.state == ImportState.FAILED:
        lines.append(words(imported.error or "import-crashed", **imported.params))
    mine = [sample for sample in everything if sample.answer_id == imported.answer_id]
    more, buttons = details(words, style, everything, mine, settings)
    return "\n".join(lines + more), buttons + (undo_button(words, change) if taken else [])


def _left_out(words: Words, counts: Counter[str | None], most: int) -> list[str]:
    """A line for each reason why pictures were not taken."""
    again = counts.pop(Outcome.AGAIN, 0) + counts.pop(Outcome.SAME, 0)
    full = counts.pop(Outcome.FULL, 0)
    counts.pop(None, 0)
    lines = [words("samples-repeated", n=again)] if again else []
    for key, n in counts.items():
        reason = words(str(key), detail="", n=n)
        lines.append(words("pictures-refused", n=n, reason=Html(reason)))
    if full:
        lines.append(words("import-full", n=full, most=most))
    return lines
