"""The operator's list of words that are not drawn: one word or phrase a line, # begins a comment.

A prompt is compared with it word by word, by stems, so that other forms of a word are found, too: in what the person
wrote, and in its English.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from bot.english import English
from bot.errors import ConfigError
from lora.data.translation.language import languages_of, script
from lora.data.translation.stems import fold, is_word, stem, tokens


def listed(prompt: English, words_file: str) -> bool:
    """Whether the prompt, or what was written for it, has a word or phrase of the file; "" is no file."""
    if not words_file:
        return False
    texts = [_stems(text) for text in (prompt.text, prompt.original) if text]
    return any(_contains(text, phrase) for text in texts for phrase in read(words_file))


@cache
def read(words_file: str) -> tuple[tuple[str, ...], ...]:
    """The phrases of the file as stems, read once. Raises ConfigError."""
    try:
        lines = Path(words_file).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"safety.words_file = {words_file!r} cannot be read: {error}") from error
    found = (_stems(line.partition("#")[0]) for line in lines)
    return tuple(phrase for phrase in found if phrase)


def _stems(text: str) -> tuple[str, ...]:
    """A text's words as stems. Latin letters get English stems on both sides, others those of their language."""
    languages = {**languages_of(text, None), "LATIN": "en"}
    words = [fold(token) for token in tokens(text) if is_word(token)]
    return tuple(stem(word, languages.get(script(word), "en")) for word in words)


def _contains(text: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    width = len(phrase)
    return any(text[i : i + width] == phrase for i in range(len(text) - width + 1))
