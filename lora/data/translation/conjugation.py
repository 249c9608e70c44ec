"""Forms of Russian verbs by rule, of those that a dictionary of prompts has: "смеётся" gives "смеются", "смеялась"."""

from __future__ import annotations

import re
from collections.abc import Iterator

VOWELS = "аеиоуыэюя"
HUSHED = "жчшщ"
PAST = ("л", "ла", "ло", "ли")
PARTICIPLE = ("ий", "ая", "ее", "ие", "его", "ей", "ую", "им", "их", "ими", "ем", "ему")


def verb_forms(form: str) -> Iterator[str]:
    """Other forms of a folded verb in the third person ("смеется") or the infinitive ("смеяться").

    Some of them are no words: the third person does not tell the infinitive. No text has these.
    """
    bare = re.sub("ся$", "", form)
    reflexive = bare != form
    found = [*_of_infinitive(bare), *_of_third_person(bare)]
    for one in found:
        if one.endswith(tuple(f"щ{ending}" for ending in PARTICIPLE)) and reflexive:
            yield one + "ся"
        elif reflexive:
            yield one + ("сь" if one[-1] in VOWELS else "ся")
        else:
            yield one


def _of_infinitive(form: str) -> Iterator[str]:
    if re.search(f"[{VOWELS}]ть$", form):
        yield from (form[:-2] + ending for ending in PAST)


def _of_third_person(form: str) -> Iterator[str]:
    stem = form[:-2]
    if form.endswith("ет"):
        vowel = "ю" if stem[-1:] in (*VOWELS, "ь", "л") else "у"
        yield from _plural(stem + vowel)
        if stem.endswith(("а", "я", "е")):
            yield from _of_unknown(stem)
        elif stem.endswith("у"):
            yield from _of_unknown(stem[:-1] + ("ева" if stem[-2:-1] in "ц" else "ова"))
    elif form.endswith("ит"):
        yield from _plural(stem + ("а" if stem[-1:] in HUSHED else "я"))
        for vowel in "иеа" if stem[-1:] in HUSHED else "ие":
            yield from _of_unknown(stem + vowel)


def _plural(stem: str) -> Iterator[str]:
    """The third person of several, and the participle."""
    yield stem + "т"
    yield from (f"{stem}щ{ending}" for ending in PARTICIPLE)


def _of_unknown(stem: str) -> Iterator[str]:
    yield stem + "ть"
    yield from _of_infinitive(stem + "ть")
