"""How nouns form their plural in languages whose plurals the table has beside the singular."""

from __future__ import annotations

ENDINGS: dict[str, tuple[str, ...]] = {
    "ru": ("ы", "и"), "uk": ("и", "і"), "be": ("ы", "і"), "it": ("i",),
    "de": ("e", "n", "r", "l"), "es": ("s",), "fr": ("s", "x"), "pt": ("s",), "ca": ("s",),
    "pl": ("y", "i", "e", "a"), "cs": ("y", "i", "e", "a"), "sk": ("y", "i", "e", "a"),
}  # fmt: skip
# Endings of West Slavic plurals in the other cases
WEST_SLAVIC = {
    "pl": ("ami", "ach", "ów", "om"),
    "cs": ("ami", "ách", "ech", "ům"),
    "sk": ("ami", "ách", "och", "ov"),
}
HARD = str.maketrans(
    "ńźśćň", "nzscn"
)  # consonants that are soft without a sign before a vowel: "koń", "konie"
OF_ADJECTIVES = ("ński", "rski", "lski", "cki")  # "japoński"
UMLAUTS = str.maketrans("äöü", "aou")


def looks_plural(form: str, language: str) -> bool:
    """Whether a form has an ending of the plural, which other forms may have, too."""
    return form.endswith(ENDINGS.get(language, ()))


def is_plural_of(form: str, base: str, language: str) -> bool:
    """Whether a form that looks like a plural may be that of this singular: with another ending, or a longer one."""
    if language == "de":
        bare, before = form.translate(UMLAUTS), base.translate(UMLAUTS)
        if form != bare and bare in (before, before + "er"):  # "Äpfel", "Häuser"
            return True
        return bare == before + ("n" if base.endswith("e") else "e")
    if language in WEST_SLAVIC:
        soft = form.endswith("ie") and base.translate(HARD) == form[:-2] != base
        return soft or (base in _west_slavic_singulars(form) and not form.endswith(OF_ADJECTIVES))
    if language in ("es", "fr", "pt", "ca"):
        return 0 < len(form) - len(base) < 3 and form[: len(base) - 2] == base[:-2]
    return form[:-1] in (base, base[:-1]) and not base.endswith(ENDINGS[language])


def russian_neuters(form: str) -> list[str]:
    """What the singular may be of a Russian form in -а, -я or -ья: "окно" of "окна", "перо" of "перья"."""
    if form.endswith("ья"):
        return [form[:-2], form[:-2] + "о"]
    return [form[:-1] + "о", form[:-1] + "е"] if form.endswith(("а", "я")) else []


def _west_slavic_singulars(form: str) -> tuple[str, ...]:
    """What the singular may be of a Polish, Czech or Slovak form: "kot" of "koty", "książka" of "książki"."""
    root, ending = form[:-1], form[-1]
    if ending == "a":
        return (root + "o", root + "e") if root.endswith(("rc", "ńc", "sc")) else (root + "o",)
    if ending == "e" and not root.endswith(("ż", "sz", "cz")):
        return (root,)  # "serce" is one; "serca" is no singular
    return (root, root + "a") if ending in "yie" else ()
