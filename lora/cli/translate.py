"""python -m lora translate: a file of prompts or captions in any language, one a line, to English."""

from __future__ import annotations

import argparse
from pathlib import Path

from lora.cli.terminal import UsageError, read_text, say, say_json
from lora.data.translation import TRANSLATORS, TranslatorError, translator
from lora.data.translation.language import known_languages

HELP = "turn prompts in any language into English"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, help="one prompt a line")
    parser.add_argument(
        "--from", dest="language", metavar="LANGUAGE", help="ru, de, es, ...: what the words leave open"
    )
    parser.add_argument(
        "--json", action="store_true", help="a JSON object a line, with the words that nobody knew"
    )
    parser.add_argument("--translator", choices=sorted(TRANSLATORS), default="dictionary")
    parser.add_argument(
        "--translator_dir", type=Path, metavar="FOLDER", help="the model of --translator transformers"
    )


def run(args: argparse.Namespace) -> None:
    """Print one English prompt a line; an empty line stays empty."""
    language = (args.language or "en").replace("_", "-").split("-")[0].lower()
    if args.translator == "dictionary" and language not in known_languages():
        known = ", ".join(sorted(known_languages()))
        raise UsageError(f"--from {args.language}: no language that I know words of; there are {known}")
    try:
        chosen = translator(args.translator, args.translator_dir)
    except TranslatorError as error:
        raise UsageError(str(error)) from error
    for line in read_text(args.file).splitlines():
        found = chosen.translate(line.strip(), args.language)
        row = {
            "text": line.strip(),
            "english": found.english,
            "unknown": found.unknown,
            "language": found.language,
        }
        say_json(row) if args.json else say(found.english)
