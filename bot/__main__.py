"""``python -m bot``. A Ctrl-C ends it quietly, also while its modules are loaded: ``bot.command_line`` has the rest."""

from __future__ import annotations

import sys

INTERRUPTED = 130  # as shells have it


def main(argv: list[str] | None = None) -> int:
    """The process's exit code: 0 ended, 1 failed, 2 the operator has to mend something, 130 interrupted."""
    try:
        from bot import command_line  # not before: a Ctrl-C may come while it is imported

        return command_line.run(argv)
    except KeyboardInterrupt:
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
