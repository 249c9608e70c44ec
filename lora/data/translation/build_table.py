"""python -m lora.data.translation.build_table NODE_MODULES: makes ``bundled/cldr.zip`` from Unicode's annotations.

First: ``npm install --ignore-scripts cldr-annotations-full@48.2.0`` in a folder of its own.

A foreign word is paired with the English word with which it shares most emoji, E(w) being the emoji that a word
annotates: score = 2 |E(w) & E(e)| / (|E(w)| + |E(e)|), plus ``SAME_NAME`` if both are the name of one emoji, plus
``SPELLING`` times how alike they are written. Pairs under ``LEAST_SCORE`` are left out.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable
from difflib import SequenceMatcher
from pathlib import Path

import emoji

from lora.data.translation.stems import fold, stem, stems
from lora.data.translation.table import TABLE

_CODES = "az be bg ca cs da de el es et fi fr hi hr hu hy id it kk lt nb nl pl pt ro ru sk sr sv tr uk vi"
LANGUAGES = _CODES.split(" ")
SAME_NAME, SPELLING, LEAST_SCORE = 0.3, 0.3, 0.34
LEAST_OF_PHRASE = 0.8  # the same for a phrase of several words, whose words can also be looked up alone
LONGEST_PHRASE = 3  # words of a foreign phrase that is kept; an emoji's name may have more
LEAST_LIKENESS = 0.6  # of spelling; under it, likeness counts nothing
_CYRILLIC, _SAME = "абвгдежзийклмнопрстуфхцыэіўґє", "abvgdejziiklmnoprstufhcyeiuge"
_LETTERS = dict(zip(_CYRILLIC, _SAME, strict=True))

Emoji = dict[str, set[str]]  # by word
Annotations = dict[str, tuple[str, list[str]]]


def main(folder: Path) -> None:
    """Write the table and say its size."""
    english = read(folder, "en")
    members = {
        "en.tsv": "\n".join("\t".join((char, name, *words)) for char, (name, words) in english.items())
    }
    for language in LANGUAGES:
        foreign = read(folder, language)
        members[f"{language}.tsv"] = "\n".join(sorted(pairs(english, foreign, language)))
        members[f"{language}.names"] = "\n".join(foreign.get(char, ("", []))[0] for char in english)
    members["LICENSE.txt"] = (folder / "cldr-annotations-full" / "LICENSE").read_text(encoding="utf-8")
    write(members)
    sys.stdout.write(
        f"{TABLE}: {TABLE.stat().st_size:,} bytes, {len(english)} emoji, {len(LANGUAGES)} languages\n"
    )


def write(members: dict[str, str]) -> None:
    """A zip whose bytes depend on nothing but its content."""
    with zipfile.ZipFile(TABLE, "w", zipfile.ZIP_LZMA) as file:
        for name, text in sorted(members.items()):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.compress_type = zipfile.ZIP_LZMA
            file.writestr(info, text)


def read(folder: Path, language: str) -> Annotations:
    """Emoji to (name, keywords), folded, in Unicode's order: what sends as an emoji and is neither flag nor sign."""
    path = folder / "cldr-annotations-full" / "annotations" / _folder(language) / "annotations.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["annotations"]["annotations"]
    found = {}
    for char, row in rows.items():
        full = _fully_qualified().get(char.replace("\ufe0f", ""))
        if full and row.get("tts"):
            found[full] = (fold(row["tts"][0]), [fold(word) for word in row.get("default", ())])
    return found


def pairs(english: Annotations, foreign: Annotations, language: str) -> Iterable[str]:
    """Lines of the table: a form as Unicode writes it, its stems, and the English for it."""
    shared = [char for char in english if char in foreign]
    ours, names = _annotated(foreign, shared, lambda text: stems(text, language))
    theirs, english_names = _annotated(english, shared, lambda text: text)
    forms = _forms(foreign, language)
    for key, chars in ours.items():
        if len(key.split()) > LONGEST_PHRASE and not names[key]:
            continue
        candidates = {word for char in chars for word in (english[char][0], *english[char][1])}
        scored = [
            (_score(key, chars, word, theirs[word], bool(names[key] & english_names[word])), -len(word), word)
            for word in candidates
            if _is_plain(word)
        ]
        if scored and (best := max(scored))[0] >= (LEAST_OF_PHRASE if " " in key else LEAST_SCORE):
            for form in forms[key]:
                yield f"{form}\t{key}\t{best[2]}"


def _annotated(rows: Annotations, chars: list[str], key: Callable[[str], str]) -> tuple[Emoji, Emoji]:
    """Emoji by every word and name, and emoji by name alone."""
    every: Emoji = defaultdict(set)
    names: Emoji = defaultdict(set)
    for char in chars:
        name, words = rows[char]
        names[key(name)].add(char)
        for word in (name, *words):
            every[key(word)].add(char)
    return every, names


def _forms(rows: Annotations, language: str) -> dict[str, list[str]]:
    """Every form of a key that stands in the annotations."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, words in rows.values():
        for word in (name, *words):
            found[stems(word, language)].add(word)
    return {key: sorted(forms) for key, forms in found.items()}


def _score(key: str, ours: set[str], word: str, theirs: set[str], same_name: bool) -> float:
    dice = 2 * len(ours & theirs) / (len(ours) + len(theirs))
    likeness = SequenceMatcher(None, _latin(key), stem(word, "en")).ratio()
    return dice + SAME_NAME * same_name + SPELLING * likeness * (likeness >= LEAST_LIKENESS)


def _latin(text: str) -> str:
    plain = "".join(_LETTERS.get(letter, letter) for letter in text)
    return "".join(c for c in unicodedata.normalize("NFD", plain) if not unicodedata.combining(c))


def _is_plain(word: str) -> bool:
    """Whether a prompt may have this English: letters and spaces only, three words at most."""
    return bool(re.fullmatch(r"[a-z][a-z\- ]+", word)) and word.count(" ") < 3


def _folder(language: str) -> str:
    """CLDR keeps Norwegian under the name of the macro-language."""
    return {"nb": "no"}.get(language, language)


def _fully_qualified() -> dict[str, str]:
    return {
        char.replace("\ufe0f", ""): char for char, data in emoji.EMOJI_DATA.items() if data["status"] == 2
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
