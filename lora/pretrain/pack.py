"""Packs trained parts into the bundled 8-bit file; parts that are not given are kept from that file.

    python -m lora.pretrain.pack --text_to_image OUT/text_to_image.safetensors --vae OUT/vae
    python -m lora.pretrain.pack --vae OUT/vae --decoder OUT/crisp.safetensors

``--decoder`` holds ``decoder.*`` and ``post_quant_conv.*`` of an AutoencoderKL and replaces those of ``--vae``. Its
last convolution may make sub-pixels (``lora.models.sub_pixel_decoder``). If the folder of ``--vae`` has a
``fine.safetensors``, the last convolution is taken from there.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor

from lora.models.sticker_nano import WEIGHTS, quantize
from lora.models.sub_pixel_decoder import FILE as SUB_PIXEL_CONV
from lora.models.sub_pixel_decoder import LAST

DECODING = ("decoder.", "post_quant_conv.")


def read_vae(folder: Path) -> dict[str, Tensor]:
    """The tensors of an AutoencoderKL's folder, with the convolution for sub-pixels if there is one."""
    vae = load_file(folder / "diffusion_pytorch_model.safetensors")
    if (folder / SUB_PIXEL_CONV).is_file():
        fine = load_file(folder / SUB_PIXEL_CONV)
        vae |= {name: fine[name.rpartition(".")[2]] for name in LAST}
    return vae


def with_decoder(vae: dict[str, Tensor], decoder: dict[str, Tensor]) -> dict[str, Tensor]:
    """The VAE with another decoder. The last convolution may have 3 or 12 channels, independent of the old one.

    Raises ValueError with the names of tensors that are missing, unknown or of another shape.
    """
    new = {name: tuple(value.shape) for name, value in decoder.items()}
    wanted = {name: tuple(value.shape) for name, value in vae.items() if name.startswith(DECODING)}
    for name in LAST:
        channels = 12 if new.get(LAST[1]) == (12,) else 3
        wanted[name] = (channels, *wanted[name][1:])
    if wrong := sorted(name for name in wanted.keys() | new.keys() if wanted.get(name) != new.get(name)):
        raise ValueError(f"no decoder for this VAE: {', '.join(wrong)}")
    return {**vae, **decoder}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m lora.pretrain.pack",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--text_to_image", type=Path, help="default: denoiser, text encoder, tokens of the bundled file"
    )
    parser.add_argument("--vae", type=Path, required=True, help="a diffusers folder")
    parser.add_argument("--decoder", type=Path, help="default: that of --vae")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    args = parser.parse_args(argv)

    # The VAE.
    vae = read_vae(args.vae)
    if args.decoder:
        try:
            vae = with_decoder(vae, load_file(args.decoder))
        except ValueError as error:
            parser.error(f"{args.decoder}: {error}")
    packed = quantize({"vae": vae})

    # Denoiser, text encoder and tokens.
    if args.text_to_image:
        trained = load_file(args.text_to_image)
        packed |= quantize(
            {
                "unet": {k.removeprefix("unet."): v for k, v in trained.items() if k.startswith("unet.")},
                "text_encoder": {
                    k.removeprefix("text."): v for k, v in trained.items() if k.startswith("text.")
                },
                "tokens": {"kept": trained["kept_tokens"]},
            }
        )
    else:  # the packed 8-bit values: if they were rounded again, the base's hash could change
        packed |= {key: value for key, value in load_file(WEIGHTS).items() if not key.startswith("vae/")}

    # The file.
    config = {
        k: v for k, v in json.loads((args.vae / "config.json").read_text()).items() if not k.startswith("_")
    }
    # Written under another name first: the tensors above may still be read from the bundled file.
    part = args.out.with_suffix(".part")
    save_file(packed, part, {"format": "pt", "vae": json.dumps(config)})
    part.rename(args.out)
    print(f"{args.out}: {args.out.stat().st_size / 1e6:.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
