"""Measures how much of the bundled base's loss the caption explains, at each level of noise.

    python -m lora.pretrain.drawings fetch && python -m lora.pretrain.drawings render
    python -m benchmarks.noise_levels

For real drawings on white that the base was trained on: the mean squared error of the predicted velocity,
v = sqrt(a_t) noise - sqrt(1 - a_t) x_0 at x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) noise, with the drawing's own caption,
with none, and with another drawing's. The caption explains 1 - (error with it) / (error without one).
"""

from __future__ import annotations

import json
from random import Random

import torch
from safetensors.torch import load_file

from benchmarks import flags
from benchmarks.sticker_nano import on_white
from lora.data.dataset import to_tensor
from lora.pretrain.drawings import held_out, load_named

LEVELS = (999, 970, 940, 900, 850, 800, 750, 700, 600, 500, 400, 300, 200, 100)


@torch.inference_mode()
def main() -> None:
    parser = flags.parser(__doc__)
    parser.add_argument("--drawings", type=int, default=64)
    args = parser.parse_args()
    base = flags.base_of(args)
    rows, unseen = json.loads((args.dir / "drawings.json").read_text()), held_out(load_named(args.dir))
    chosen = Random(0).sample(
        [i for i, row in enumerate(rows) if row["concept"] not in unseen], args.drawings
    )
    stored = load_file(args.dir / "drawings.safetensors")["pictures"]
    clean = torch.cat([base.encode(to_tensor([on_white(stored[i])]))[0] for i in chosen])
    captions = base.embed([f"{rows[i]['style']} {rows[i]['concept']}" for i in chosen])
    texts = {
        "own": captions,
        "none": base.embed([""]).expand_as(captions),
        "another's": captions.roll(1, dims=0),
    }
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(0)).to(base.device)
    print("| step | SNR | own caption | none | another's | explained |\n" + "| --- " * 6 + "|")
    for level in LEVELS:
        signal = base.scheduler.alphas_cumprod[level].to(base.device)
        a, s = signal.sqrt(), (1 - signal).sqrt()
        steps = torch.full((len(clean),), level, device=base.device)
        errors = {
            name: float(
                (base.predict(a * clean + s * noise, steps, text) - (a * noise - s * clean)).square().mean()
            )
            for name, text in texts.items()
        }
        shown = " | ".join(f"{error:.3f}" for error in errors.values())
        print(
            f"| {level} | {signal / (1 - signal):.4f} | {shown} | {1 - errors['own'] / errors['none']:.0%} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
