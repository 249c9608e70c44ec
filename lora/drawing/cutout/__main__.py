"""python -m lora.drawing.cutout: pays once for what rembg compiles at its first import (about a minute)."""

from __future__ import annotations

import time


def main() -> None:
    start = time.monotonic()
    import rembg  # noqa: F401

    print(f"cut-out ready in {time.monotonic() - start:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
