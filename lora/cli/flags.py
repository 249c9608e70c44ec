"""Flags that several commands share, types of numbers for flags, and a parser with one-line errors."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

SEEDS = 2**63  # torch takes larger ones, but not in every function
MOST_DRAW_STEPS = 1000  # noise levels of Stable Diffusion
MOST_PICTURES = 1000  # of one prompt: a person has to look at them
MOST_THREADS = 1024
CFG_RANGE = (0.001, 1000.0)
_NUMBER = re.compile(
    r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE
)  # float() also reads 1_0


class Parser(argparse.ArgumentParser):
    """An ArgumentParser whose errors are one line, without the list of all flags."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help lists what there is\n")

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """As argparse's own, which takes ``--flag=--`` for an empty list."""
        if action.option_strings and "--" in arg_strings:
            raise argparse.ArgumentError(action, "'--' is no value")
        return super()._get_values(action, arg_strings)

    def refuse_unknown(self, unknown: Sequence[str]) -> NoReturn:
        """Exit with code 2 and name the flags that were probably meant."""
        words = []
        for word in unknown:
            flag = word.partition("=")[0]
            near = get_close_matches(flag, [name for name in self._option_string_actions if len(name) > 2], 1)
            words.append(f"{flag} (did you mean {near[0]}?)" if near and flag.startswith("-") else word)
        self.error(f"unknown: {', '.join(words)}")


def add_data(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Add the flags that say which samples are used."""
    add = parser.add_argument
    add("--train_data_dir", type=Path, required=required, help="pictures with a metadata.jsonl or .csv")
    add(
        "--image_column",
        default="image",
        help="image (the default) is written as file_name in the table, any other X as X_file_name",
    )
    add("--caption_column", default="text", help="the table's column with the captions; default: text")
    add("--max_train_samples", type=whole, help="use the first ones only")
    add(
        "--keyword",
        type=text,
        default="",
        help="the style's name; put into captions and prompts that lack it",
    )


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Add the flags for cache, network, device and threads."""
    parser.add_argument("--cache_dir", type=Path, default=Path("data/cache"), help="where bases are unpacked")
    parser.add_argument("--offline", action="store_true", help="never ask the hub for a base")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument(
        "--threads", type=up_to(MOST_THREADS, least=0), default=0, help="CPU threads; 0 = all cores"
    )


def text(given: str) -> str:
    """A text. Bytes of an argument that are not UTF-8 are halves of characters to Python, which no file can hold."""
    if re.search("[\ud800-\udfff]", given):
        raise argparse.ArgumentTypeError(f"{given!r} is no UTF-8 text")
    return given


def whole(text: str) -> int:
    """A whole number from 1 on."""
    return _integer(text, lambda value: value >= 1, "no whole number from 1 on")


def up_to(most: int, *, least: int = 1) -> Callable[[str], int]:
    """The type of a whole number from ``least`` to ``most``."""

    def bounded(text: str) -> int:
        return _integer(text, lambda value: least <= value <= most, f"no whole number from {least} to {most}")

    return bounded


def seed(text: str) -> int:
    """A whole number that can seed a random generator."""
    return _integer(text, lambda value: value < SEEDS, "no whole number from 0 to 2^63 - 1")


def positive(most: float) -> Callable[[str], float]:
    """The type of a number over 0, at most ``most``."""

    def bounded(text: str) -> float:
        return _real(text, lambda value: 0 < value <= most, f"no number over 0, at most {most:g}")

    return bounded


def between(least: float, most: float) -> Callable[[str], float]:
    """The type of a number from ``least`` to ``most``."""

    def bounded(text: str) -> float:
        return _real(text, lambda value: least <= value <= most, f"no number from {least:g} to {most:g}")

    return bounded


def below_one(text: str) -> float:
    """A number from 0 to under 1, such as a decay."""
    return _real(text, lambda value: 0 <= value < 1, "no number from 0 to under 1")


def _integer(text: str, fits: Callable[[int], bool], else_it_is: str) -> int:
    if text.isascii() and text.isdecimal() and len(text) < 20 and fits(int(text)):
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is {else_it_is}")


def _real(text: str, fits: Callable[[float], bool], else_it_is: str) -> float:
    if _NUMBER.fullmatch(text) and math.isfinite(value := float(text)) and fits(value):
        return value
    raise argparse.ArgumentTypeError(f"{text!r} is {else_it_is}")


def without(refused: Mapping[str, str]) -> Callable[[str], Any]:
    """A type for a flag that refuses these values, each with its reason; ``choices`` lists the allowed ones."""

    def offered(text: str) -> str:
        if text in refused:
            raise argparse.ArgumentTypeError(f"{text} is not offered: {refused[text]}")
        return text

    return offered
