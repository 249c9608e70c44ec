"""Packs the trained parts into the bundled 8-bit file.

python -m lora.pretrain.pack --text_to_image OUT/text_to_image.safetensors --vae OUT/vae --out lora/bundled
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

from lora.nano import WEIGHTS, quantize


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.pack", description=__doc__)
    parser.add_argument("--text_to_image", type=Path, required=True)
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args(argv)
    trained = load_file(args.text_to_image)
    parts = {
        "unet": {k.removeprefix("unet."): v for k, v in trained.items() if k.startswith("unet.")},
        "text_encoder": {k.removeprefix("text."): v for k, v in trained.items() if k.startswith("text.")},
        "vae": load_file(args.vae / "diffusion_pytorch_model.safetensors"),
        "tokens": {"kept": trained["kept_tokens"]},
    }
    config = {
        k: v for k, v in json.loads((args.vae / "config.json").read_text()).items() if not k.startswith("_")
    }
    save_file(quantize(parts), args.out, {"format": "pt", "vae": json.dumps(config)})
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
