"""Which language a prompt is in: by its script, and for Latin letters by which language knows more of its words.

A prompt in English must never be damaged: another language is only taken if it knows more of the words than
English does.
"""

from __future__ import annotations

import unicodedata

from lora.data.captions import count_tokens
from lora.data.translation import table
from lora.data.translation.lexicon import is_english, lexicon
from lora.data.translation.stems import fold, is_word, tokens

CYRILLIC = ("ru", "uk", "be", "bg", "sr", "kk")
SCRIPTS = {
    "GREEK": ("el",),
    "ARMENIAN": ("hy",),
    "DEVANAGARI": ("hi",),
    "CYRILLIC": CYRILLIC,
}
LETTERS = {"uk": "іїєґ", "be": "ў", "sr": "ђћљњџј", "kk": "әғқңөұүһ"}  # that Russian does not have
ONE_TOKEN = 3  # what CLIP's tokenizer counts for a word of one token, with start and end
USUAL = ("de", "es", "fr", "it", "pt", "pl", "tr")  # asked when the hint does not help
LIKE_POLISH = ("cs", "sk", "hr", "sr")  # share short words with Polish: "na", "bez"
SHORT = 3  # letters of such words

# Words of these languages that are English, too. They are English for whoever writes in none of these.
ALSO_ENGLISH = frozenset((
    "chat", "route", "final", "sale", "fort", "grand", "petit", "villa", "gelato", "sus", "manga", "kawaii", "fiesta",
    "amigo", "encore", "dossier", "plaza", "rot", "gut", "brief", "hell", "stern", "mist", "super", "mario", "wtf",
    "sans", "sin", "original", "drama", "bravo", "start",
))  # fmt: skip


def known_languages() -> frozenset[str]:
    """The languages that a hint can name."""
    return table.languages() | {"en", "no", "nn"}


def script(word: str) -> str:
    """The script of a word's first letter, as Unicode names it: LATIN, CYRILLIC, GREEK; nothing for a number."""
    letter = next((c for c in word if c.isalpha()), "")
    return unicodedata.name(letter, "").split(" ")[0] if letter else ""


def languages_of(text: str, hint: str | None) -> dict[str, str]:
    """The language of the text's words by their script. Scripts that no table reads are left out."""
    by_script: dict[str, list[str]] = {}
    for token in tokens(text):
        if is_word(token) and (name := script(token)):
            by_script.setdefault(name, []).append(fold(token))
    wanted = (hint or "").replace("_", "-").split("-")[0].lower()
    wanted = {"no": "nb", "nn": "nb"}.get(wanted, wanted)
    found = {name: _by_letters(name, words, wanted) for name, words in by_script.items() if name in SCRIPTS}
    if "LATIN" in by_script:
        # Beside another script, Latin words are a keyword or a brand. English keeps them as they are.
        found["LATIN"] = "en" if found else _latin(by_script["LATIN"], wanted)
    return found


def _by_letters(name: str, words: list[str], hint: str) -> str:
    if len(SCRIPTS[name]) == 1:
        return SCRIPTS[name][0]
    letters = set("".join(words))
    if hint in SCRIPTS[name] and hint != "ru":
        return hint
    return next((language for language, own in LETTERS.items() if letters & set(own)), "ru")


def _latin(words: list[str], hint: str) -> str:
    asked = [hint] if hint in table.languages() and hint not in CYRILLIC else []
    english = sum(is_english(word) or (not asked and word in ALSO_ENGLISH) for word in words)
    if english == len(words):
        return "en"
    scored = {}
    for language in dict.fromkeys((*asked, *USUAL)):
        like = language == "pl" and hint in LIKE_POLISH
        asked_for = [word for word in words if len(word) > SHORT] if like else words
        sure = (_strength(word, language, stems_count=language == hint) for word in asked_for)
        scored[language] = sum(sure) + 0.3 * (language == hint)
        if language == hint and scored[language] > len(words):
            return language
    best = max(scored, key=lambda language: scored[language])
    return best if scored[best] > max(english, (len(words) - 1) / 2) + 0.3 * (best == hint) else "en"


def _strength(word: str, language: str, *, stems_count: bool) -> float:
    """How sure it is that a word is of a language. A stem counts in the hint's language alone, for rare words.

    "delete" and "command" have stems of Italian and French words. CLIP has one token for each such English word.
    """
    found = lexicon(language).strength(word)
    if found == 1:
        return found
    return found if stems_count and count_tokens(word) > ONE_TOKEN else 0.0
