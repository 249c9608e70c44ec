"""Runs the bot's command line with the tests' engine: a real process of the bot that needs no worker and no base.

python -m tests.journeys.without_model PYTHON -m bot ARGUMENTS
"""

from __future__ import annotations

import sys

from bot.__main__ import main
from lora.engine import ENGINES
from tests.bot.fake_engine import FakeEngine

COMMAND = (sys.executable, "-m", "tests.journeys.without_model")  # the ``prefix`` of a BotProcess

if __name__ == "__main__":
    ENGINES["fake"] = lambda settings: FakeEngine()
    sys.exit(main(sys.argv[4:]))
