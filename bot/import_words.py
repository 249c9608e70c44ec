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
    taken, clearer = counts.pop(Outcome.NEW, 0), counts.get(Outcome.CLEARER, 0)
    some, nothing = "import-done", "import-done-empty"
    if imported.state == ImportState.STOPPED:
        some, nothing = "import-stopped", "import-stopped-empty"
    title = clip(imported.title or imported.source, 64)
    lines = [
        words(some if taken else nothing, title=title, keyword=style.keyword, n=taken, total=len(everything))
    ]
    lines += _left_out(words, counts, settings.max_samples)
    lines += _wrong_in_zip(words, imported)
    if other := imported.params.get("other"):
        lines.append(
            words("import-other-keyword", word=other, n=imported.params["others"], keyword=style.keyword)
        )
    if imported.state == ImportState.FAILED:
        lines.append(words(imported.error or "import-crashed", **imported.params))
    mine = [sample for sample in everything if sample.answer_id == imported.answer_id]
    more, buttons = details(words, style, everything, mine, settings)
    return "\n".join(lines + more), buttons + (undo_button(words, change) if taken or clearer else [])


def _left_out(words: Words, counts: Counter[str | None], most: int) -> list[str]:
    """A line for each reason why pictures were not taken."""
    again = counts.pop(Outcome.AGAIN, 0) + counts.pop(Outcome.SAME, 0)
    full = counts.pop(Outcome.FULL, 0)
    counts.pop(None, 0)
    clearer = counts.pop(Outcome.CLEARER, 0)
    lines = [words("import-repeated", n=again)] if again else []
    if clearer:
        lines.append(words("import-clearer", n=clearer))
    for key, n in counts.items():
        reason = words(str(key), detail="", n=n)
        lines.append(words("pictures-refused", n=n, reason=Html(reason)))
    if full:
        lines.append(words("import-full", n=full, most=most))
    return lines


def _wrong_in_zip(words: Words, imported: Import) -> list[str]:
    """What of a zip's tables has come to nothing, and captions that cannot be read, if there are such."""
    faults, missing = imported.params.get("faults"), imported.params.get("missing")
    lines = [words("import-faults", n=faults)] if faults else []
    if missing:
        named = [clip(name, 40) for name in imported.params["named"]]
        shown = ", ".join(named) + (", …" if missing > len(named) else "")
        lines.append(words("import-missing", n=missing, names=shown))
    for name in imported.params.get("unread_tables", ()):
        lines.append(words("import-table-unread", name=clip(name, 40)))
    if unread := imported.params.get("unread"):
        lines.append(words("import-unread", n=unread))
    return lines
