"""What one language's words are called in English: the hand-made words first, then the table made of CLDR.

The hand-made words are ``words/xx.txt``, for some languages ``words/colours.txt`` only: sections of lines ``English:
form, form``. A form is looked up as it is written, then by its stems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lora.data.translation import table
from lora.data.translation.conjugation import verb_forms
from lora.data.translation.plurals import WEST_SLAVIC, is_plural_of, looks_plural, russian_neuters
from lora.data.translation.stems import fold, sound, stem, stems

WORDS = Path(__file__).parent / "words"
LONGEST = 4  # words of a phrase that is looked up as one
LEAST_MISSPELT = 5  # letters of a word that is looked up by its sound; many short ones sound alike
ADJECTIVES = ("colour", "hair", "size", "material", "adjective")  # hair: a colour of hair and fur
GROUP = (
    "mass",
    "plural",
    "people",
    "container",
    "function",
    "end",
    "ing",
)  # sections of english.txt that are plain lists


# How adjectives end, by which they are told from nouns and verbs with the same stem.
_RUSSIAN = "ый ий ой ая яя ое ее ые ие ого его ому ему ую юю ым им ых их ыми ими ом ем ей"
_UKRAINIAN = "ий ій а я е є і ого ому у ю им их ими"
SLAVIC_ENDINGS = {"ru": tuple(_RUSSIAN.split(" ")), "uk": tuple(_UKRAINIAN.split(" "))}
# What stands after the root of a Russian noun in one of its cases.
_CASES = ", а я о е ь й ы и у ю ом ем ой ей ою ею ью ов ев ам ям ах ях ами ями ьми"
# Nouns that lose a vowel or get another syllable in other cases -> what stands before the ending.
FLEETING = {
    "рот": "рт", "лоб": "лб", "лед": "льд", "сон": "сн", "угол": "угл", "костер": "костр", "ковер": "ковр",
    "ветер": "ветр", "огонь": "огн", "пепел": "пепл", "коготь": "когт", "узел": "узл",
    "угорь": "угр", "церковь": "церкв", "любовь": "любв", "ложь": "лж", "дочь": "дочер", "мать": "матер",
    "время": "времен", "пламя": "пламен", "имя": "имен", "небо": "небес", "чудо": "чудес", "яйцо": "яиц",
}  # fmt: skip
# How forms of a Russian word end that are surely none that a dictionary has
_ADJECTIVE_ENDINGS = frozenset(_RUSSIAN.split(" "))
_SOFT_ENDINGS = frozenset(("я", "е", "и", "ю", *_RUSSIAN.split(" ")))  # behind the "ь" of "кошачья"
_VERB_ENDING = re.compile("(ть|ться|[аяеиую]юсь?|[аяеи]ет|[аяеи]ется)$")
_OBLIQUE_ENDING = re.compile("([уюые]|[кгхжшчщлнрстдзмвпбф]и|[ое]м|[оа]в|[ая]ми?|[ая]х)$")
UNCHANGING = frozenset(("такси", "пони", "киви", "суши", "леди", "корги", "хаски"))
VOWELS = "аеиоуыэюя"
RUSSIAN_CASES = frozenset(_CASES.replace(",", "").split(" "))


@dataclass(frozen=True, slots=True)
class Entry:
    """What a form stands for. ``base`` is the form as a dictionary has it; ``kind`` is a section of ``words``."""

    english: str
    kind: str
    base: str
    by_hand: bool = False


class Lexicon:
    """The words of one language, by form and by stems."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._forms: dict[str, Entry] = {}
        self._stems: dict[str, list[Entry]] = {}
        self._roots: dict[str, Entry] = {}
        self._adjectives: dict[str, Entry] = {}  # hand-made Russian ones, by what stands before their ending
        self._verbs: dict[str, Entry] = {}  # hand-made Russian ones, by their forms by rule
        self._sounds: dict[str, list[Entry]] = {}  # of hand-made Russian words, by how their stems sound
        self._nouns: dict[str, str] = {}  # English of the nouns by hand that are adjectives, too, by stems
        first = set()  # of their lines: a dictionary has them
        for kind, english, forms in sections(language):
            first.add(forms[0])
            for form in forms:
                entry = Entry(english, kind, form, by_hand=True)
                self._forms.setdefault(form, entry)
                self._add_roots(entry)
                self._add_sound(entry)
                if language == "ru" and kind == "verb":
                    for other in _conjugated(form):
                        self._verbs.setdefault(other, entry)
                if (
                    language == "ru"
                    and form.endswith(("ый", "ий", "ой"))
                    and (kind in ADJECTIVES or kind == "verb")
                ):
                    self._adjectives.setdefault(form[:-2], entry)
                for other in (form, *_adjective_forms(form, kind, language)):
                    self._stems.setdefault(stems(other, language), []).append(entry)
        by_hand, singulars = set(self._stems), dict(self._forms)
        for key, entries in self._stems.items():
            nouns = [entry.english for entry in entries if entry.kind == "noun"]
            if nouns and entries[0].kind in ADJECTIVES:
                self._nouns[key] = nouns[0]
        pairs = table.pairs(language) if language in table.languages() else []
        for form, key, english in pairs:
            entry = Entry(english, kind_of(english), form)
            self._forms.setdefault(form, entry)
            self._add_roots(entry)
            if key not in by_hand:
                self._stems.setdefault(key, []).append(entry)
        keys = {form: key for form, key, _ in pairs}
        for form in [form for form in self._forms if form not in first]:
            if singular := self._singular(form, keys.get(form) or stems(form, language), singulars):
                self._forms[form] = singular

    def _singular(self, form: str, key: str, by_hand: dict[str, Entry]) -> Entry | None:
        """The entry of a noun's singular, if a form looks like its plural.

        It has the same English. That of a form in the table may also be a hand-made word with other English.
        """
        found: list[Entry | None] = []
        if looks_plural(form, self.language):
            alike = self._stems.get(key, [])
            found = [
                self._by_root(form),
                *(one for one in alike if is_plural_of(form, one.base, self.language)),
            ]
        elif self.language == "ru":
            found = [self._forms.get(one) for one in russian_neuters(form)]
        for one in found:
            if one and one.base != form and one.kind == "noun":
                known = one.base in by_hand and form not in by_hand
                if known or (one.english, "noun") == (self._forms[form].english, self._forms[form].kind):
                    return one
        return None

    def _add_roots(self, entry: Entry) -> None:
        if self.language == "ru" and entry.kind == "noun":
            for root in _russian_roots(entry.base):
                self._roots.setdefault(root, entry)

    def _add_sound(self, entry: Entry) -> None:
        if (
            self.language == "ru"
            and len(entry.base) >= LEAST_MISSPELT
            and entry.kind in (*ADJECTIVES, "noun", "verb")
        ):
            self._sounds.setdefault(sound(stem(entry.base, "ru")), []).append(entry)

    def find_alike(self, word: str) -> Entry | None:
        """The hand-made Russian word that sounds like a folded word that nobody knows; None if several do."""
        if len(word) < LEAST_MISSPELT:
            return None
        found = self._sounds.get(sound(stem(word, self.language)), [])
        found = [entry for entry in found if sound(entry.base) == sound(word)] or found
        return found[0] if len({entry.english for entry in found}) == 1 else None

    def _by_root(self, word: str) -> Entry | None:
        """A Russian noun by what stays of it without a case's ending. Snowball's rules miss some: "одеялом"."""
        for cut in (3, 2, 1, 0):
            root, ending = word[: len(word) - cut], word[len(word) - cut :]
            if ending in RUSSIAN_CASES and len(root) > 1 and root in self._roots:
                return self._roots[root]
        return None

    def find(self, phrase: str) -> Entry | None:
        """The entry of a folded word or phrase; of several with its stems, one whose kind its ending allows."""
        if phrase in self._forms:
            entry = self._forms[phrase]
            return entry if entry.by_hand else self._inflected(phrase) or self._verbs.get(phrase) or entry
        if phrase in self._verbs:
            return self._verbs[phrase]
        like_adjective = phrase.endswith(SLAVIC_ENDINGS.get(self.language, "-"))
        found = self._stems.get(stems(phrase, self.language), [])
        adjectives = (entry.base for entry in found if entry.kind in ADJECTIVES)
        certain = like_adjective and any(phrase.startswith(base[:-2]) for base in adjectives)
        if not certain and (by_root := self._by_root(phrase)):
            return by_root
        if self.language in WEST_SLAVIC and looks_plural(phrase, self.language):
            one = (entry for entry in found if is_plural_of(phrase, entry.base, self.language))
            return next(one, found[0] if found else None)  # "koń" of "konie", not "konia"
        if len(found) < 2 or self.language not in SLAVIC_ENDINGS:
            return found[0] if found else self._by_adjective_root(phrase)
        fitting = [entry for entry in found if (entry.kind in ADJECTIVES) == like_adjective]
        return (fitting or found)[0]

    def _by_adjective_root(self, word: str) -> Entry | None:
        """A hand-made Russian adjective by what stays of it: "злой" of "злую", "кошачий" of "кошачья"."""
        for cut in (3, 2, 1):
            root, ending = word[:-cut], word[-cut:]
            soft = root.endswith("ь") and ending in _SOFT_ENDINGS
            known = soft or ending in _ADJECTIVE_ENDINGS
            if known and (entry := self._adjectives.get(root.removesuffix("ь") if soft else root)):
                return entry
        return None

    def _inflected(self, word: str) -> Entry | None:
        """The Russian hand-made word that this is a form of. What the table has for forms are rough associations."""
        if self.language != "ru" or " " in word:
            return None
        if adjective := self._by_adjective_root(word):
            return adjective
        for entry in self._stems.get(stems(word, self.language), []):
            if entry.by_hand and entry.kind == "verb" and _VERB_ENDING.search(word):
                return entry
        noun = self._by_root(word) if _OBLIQUE_ENDING.search(word) else None
        return noun if noun and noun.by_hand else None

    def noun_beside(self, adjective: str) -> str:
        """English of the noun that a folded adjective is, too: the fruit "naranja"; "" if there is none."""
        return self._nouns.get(stems(adjective, self.language), "")

    def find_form(self, form: str) -> Entry | None:
        """The entry of a folded word exactly as it is written."""
        return self._forms.get(form)

    def __contains__(self, word: str) -> bool:
        return self.find(word) is not None

    def strength(self, word: str) -> float:
        """How sure it is that a folded word belongs to this language: 1 as written, less by its stem, 0 unknown."""
        if word in self._forms:
            return 1.0
        return 0.8 if stem(word, self.language) in self._stems else 0.0


def _russian_roots(base: str) -> list[str]:
    """A noun without its ending; also without the vowel that some lose in other cases: "горшок", "горшк"."""
    if " " in base or len(base) < 3:
        return []
    plural = base[-1] in "ыи" and base not in UNCHANGING
    root = base[:-1] if base[-1] in "аяоеьй" or plural else base
    roots = [root]
    if base.endswith(("ок", "ек", "ец", "ол", "ел")) and len(base) > 3:
        soft = base[-2] == "е" and root[-1] != "л"
        middle = "й" if base[-3] in VOWELS else "ь" if soft and base[-3] in "лнр" else ""
        roots += [root[:-2] + middle + root[-1], root[:-2] + root[-1]]
    if re.search(f"[^{VOWELS}][бкнлрцм][аояеи]$", base):  # "кошка" has "кошек" in the plural, "окно" "окон"
        roots += [f"{root[:-1].removesuffix('ь').removesuffix('й')}{vowel}{root[-1]}" for vowel in "ое"]
    if base in FLEETING:
        roots.append(FLEETING[base])
    if base.endswith(("ень", "оть")):
        roots.append(base[:-3] + base[-2])
    if base.endswith("анин"):  # "марсиане"
        roots.append(base[:-2])
    if base.endswith(("енок", "онок")):
        roots += [base[:-4] + ("ят" if base[-4] == "е" else "ат"), base[:-4] + "енят"]
    return roots


def _conjugated(form: str) -> Iterator[str]:
    """Forms of a Russian verb, or of a phrase that begins with one: "едут на" of "едет на"."""
    first, _, rest = form.partition(" ")
    return (f"{one} {rest}".strip() for one in verb_forms(first))


def _adjective_forms(form: str, kind: str, language: str) -> list[str]:
    """Forms of a Russian adjective whose stems Snowball's rules may take for others: "злой" and "злая"."""
    if language != "ru" or kind not in ADJECTIVES or not form.endswith(("ый", "ий", "ой")):
        return []
    return [form[:-2] + ending for ending in ("ая", "ого", "ые")]


@cache
def lexicon(language: str) -> Lexicon:
    """The words of a language, read once."""
    return Lexicon(language)


def sections(language: str) -> list[tuple[str, str, list[str]]]:
    """(kind, English, forms) of every line of the hand-made words; languages without a file have colours only."""
    own = WORDS / f"{language}.txt"
    found = _lines(own) if own.is_file() else []
    colours = _lines(WORDS / "colours.txt")
    return found + [("colour", english, forms) for name, english, forms in colours if name == language]


def _lines(path: Path) -> list[tuple[str, str, list[str]]]:
    """(section, English, forms) of every line of a file that has a colon."""
    found = []
    for section, line in _by_section(path):
        if ":" in line:
            english, forms = line.split(":", 1)
            found.append((section, english.strip(), [fold(form.strip()) for form in forms.split(",")]))
    return found


def _by_section(path: Path) -> Iterator[tuple[str, str]]:
    """(section, line) of every line of a file but blank ones, comments, and those that name a section."""
    section = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            yield section, line


def kind_of(english: str) -> str:
    """The kind of an English word that no hand-made line speaks of."""
    if english in kinds():
        return kinds()[english]
    is_verb = re.fullmatch(r"[a-z]{3,}ing", english) and english not in english_lists()["ing"]
    return "verb" if is_verb else "noun"


@cache
def kinds() -> dict[str, str]:
    """English words to their kind, from every hand-made file. Nouns come last, so that "orange" is a colour."""
    found: dict[str, str] = {}
    for path in sorted(WORDS.glob("??.txt")):
        for kind, english, _ in sections(path.stem):
            if kind in (*ADJECTIVES, "verb", "noun", "number"):
                found.setdefault(english, "colour" if kind == "hair" else kind)
    return found


@cache
def english_lists() -> dict[str, frozenset[str]]:
    """The plain lists of ``english.txt`` by section. ``mass`` and ``plural`` are single words here."""
    found: dict[str, list[str]] = {}
    for kind, line in _by_section(WORDS / "english.txt"):
        if kind in GROUP:
            found.setdefault(kind, []).extend(line.split())
    return {kind: frozenset(words) for kind, words in found.items()}


@cache
def russian_names() -> dict[str, frozenset[str]]:
    """The folded words of ``words/names_ru.txt`` by section."""
    found: dict[str, set[str]] = {}
    for section, line in _by_section(WORDS / "names_ru.txt"):
        found.setdefault(section, set()).update(fold(line).split())
    return {section: frozenset(names) for section, names in found.items()}


@cache
def irregular_plurals() -> dict[str, str]:
    """English nouns whose plural follows no rule."""
    text = (WORDS / "english.txt").read_text(encoding="utf-8").split("[irregular]")[1].split("[")[0]
    rows = (line.split() for line in text.strip().splitlines())
    return {" ".join(row[: len(row) // 2]): " ".join(row[len(row) // 2 :]) for row in rows}


@cache
def english_words() -> frozenset[str]:
    """Every English word that the tables know, in lower case."""
    texts = [row.name for row in table.emoji_rows()]
    texts += [word for row in table.emoji_rows() for word in row.keywords]
    texts += [english for path in WORDS.glob("??.txt") for _, english, _ in sections(path.stem)]
    words = {word for text in texts for word in re.findall(r"[^\W\d_]+", fold(text))}
    return frozenset(words | set().union(*english_lists().values()) | set(irregular_plurals().values()))


def is_english(word: str) -> bool:
    """Whether a folded word is English: known as it is, or without a usual ending."""
    known = english_words()
    if "-" in word:
        return all(is_english(part) for part in word.split("-"))
    if word in known or not word.isascii():
        return word in known
    parts = [
        word.removesuffix(end)
        for end in ("'s", "s", "es", "ed", "ing", "ly", "er", "y")
        if word.endswith(end)
    ]
    parts += [part + "e" for part in parts] + [part[:-1] for part in parts if part[-1:] == part[-2:-1]]
    return any(len(part) > 2 and part in known for part in parts)
