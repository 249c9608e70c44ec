"""A real translator behind the seam: a sequence-to-sequence model (MarianMT and its like) in a local folder.

Needs torch, so it is for processes that may load it: ``python -m lora translate``, a worker. Never the bot's.
"""

from __future__ import annotations

from pathlib import Path

from lora.data.translation import Translation, TranslatorError
from lora.data.translation.language import languages_of

MAX_TOKENS = 128  # of a translation; a prompt has 77 at most


class TransformersFolder:
    """Translates with the model of one folder. Only safetensors are read, and nothing is downloaded."""

    def __init__(self, folder: Path) -> None:
        """Raises TranslatorError if the folder holds no such model."""
        if not any(folder.glob("*.safetensors")):
            raise TranslatorError(f"{folder}: no safetensors file in it")
        from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = AutoModelForSeq2SeqLM.from_pretrained(
                folder, local_files_only=True, use_safetensors=True
            )
        except (OSError, ValueError, ImportError) as error:
            raise TranslatorError(f"{folder}: no translator that transformers can load: {error}") from error

    def translate(self, text: str, language_hint: str | None = None) -> Translation:
        """The model's English. It says of no word that it does not know it, so ``unknown`` is empty."""
        languages = languages_of(text, language_hint)
        foreign = [language for language in languages.values() if language != "en"]
        if languages and not foreign:
            return Translation(english=text, unknown=(), language="en")
        tokens = self._tokenizer(text, return_tensors="pt", truncation=True, max_length=MAX_TOKENS)
        tokens.pop("token_type_ids", None)
        made = self._model.generate(**tokens, max_new_tokens=MAX_TOKENS)
        english = self._tokenizer.decode(made[0], skip_special_tokens=True).strip()
        return Translation(english=english, unknown=(), language=foreign[0] if foreign else "und")
