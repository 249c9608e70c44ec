"""python -m lora COMMAND: training and drawing without the bot. The commands are in ``lora/cli``.

A usage error is one line on stderr and exit code 2.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

# All else is imported where it is used: a Ctrl-C in the midst of it ends in ``main``.
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lora.cli.flags import Parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    try:
        from lora.files import with_output

        return with_output(lambda: _run(argv))
    except KeyboardInterrupt:
        sys.stderr.write(f"{_program()}: interrupted\n")
        return 130


def _run(argv: Sequence[str] | None) -> int:
    import logging
    import os

    from lora.cli import COMMANDS
    from lora.cli.terminal import UsageError
    from lora.engine.openmp import waiting

    parser, verbs = _parser()
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        verbs[args.command].refuse_unknown(unknown)
    os.environ |= waiting(os.environ)  # before torch is imported
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    from lora.data.dataset import DatasetError
    from lora.errors import BaseError
    from lora.evaluation.compare import CompareError
    from lora.evaluation.scorers import ScorerError
    from lora.jobs import JobError

    try:
        return COMMANDS[args.command].run(args) or 0
    except BrokenPipeError:
        raise
    except (UsageError, BaseError, CompareError, DatasetError, JobError, ScorerError, OSError) as error:
        sys.stderr.write(f"{_program()} {args.command}: {_words_of(error)}\n")
        return 2


def _program() -> str:
    """How the command was called: also by the name that a wheel installs."""
    from pathlib import Path

    name = Path(sys.argv[0]).stem
    return name if name == "stickersmith-lora" else "python -m lora"


def _words_of(error: Exception) -> str:
    """What went wrong; of an error of the machine its file and no number."""
    if isinstance(error, OSError) and error.strerror and error.filename:
        return f"{error.filename}: {error.strerror[:1].lower()}{error.strerror[1:]}"
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _parser() -> tuple[Parser, dict[str, Parser]]:
    """The parser of the whole command line, and that of each command."""
    from lora.cli import COMMANDS
    from lora.cli.flags import Parser

    parser = Parser(prog=_program(), description="Train LoRAs and draw with them.")
    verbs = parser.add_subparsers(dest="command", required=True, metavar=" | ".join(COMMANDS))
    parts = {name: verbs.add_parser(name, help=command.HELP) for name, command in COMMANDS.items()}
    for name, part in parts.items():
        COMMANDS[name].add_arguments(part)
    return parser, parts


if __name__ == "__main__":
    sys.exit(main())
