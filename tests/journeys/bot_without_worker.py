"""``python -m bot`` with the engine ``fake``, which needs no model and no worker process.

A drawing takes ``PICTURE_SECONDS`` of the environment, by default none.
"""

from __future__ import annotations

import os
import sys

from bot.__main__ import main
from lora.engine import ENGINES
from tests.bot.fake_engine import FakeEngine

if __name__ == "__main__":
    ENGINES["fake"] = lambda settings: FakeEngine(seconds=float(os.environ.get("PICTURE_SECONDS", "0")))
    sys.exit(main())
