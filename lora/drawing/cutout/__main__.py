"""python -m lora.drawing.cutout: imports rembg once, because its first import compiles for about a minute."""

from __future__ import annotations

import time


def main() -> None:
    start = time.monotonic()
    import rembg  # noqa: F401

    print(f"cut-out ready in {time.monotonic() - start:.0f} s")  # noqa: T201


if __name__ == "__main__":
    main()
