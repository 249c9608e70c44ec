"""Trains sticker-nano's AutoencoderKL: 256 px drawings <-> 8 x 32 x 32 latents.

    python -m lora.pretrain.vae --drawings data/cache/drawings/drawings.safetensors --seconds 420 --out OUT

Three quarters of the time it trains on 128 px crops, which cost a quarter of a whole picture, then on whole pictures.
After the training, the latents are shifted and scaled to mean 0 and standard deviation 1 per channel, inside
``quant_conv`` and ``post_quant_conv``. So ``scaling_factor`` is 1.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file
from torch import Tensor, nn

from lora.pretrain.augment import background_colours, jittered, on_background, premultiplied
from lora.training.ema import EMA

CONFIG = {
    "sample_size": 256,
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 8,
    "block_out_channels": (32, 64, 128, 160),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 1,
    "norm_num_groups": 8,
    "mid_block_add_attention": False,  # attention would work otherwise on crops than on whole pictures
    "scaling_factor": 1.0,
    "force_upcast": False,
}
CROP = 128  # px
WHOLE_FROM = 0.75  # share of the time after which it trains on whole pictures
KL_WEIGHT = 1e-4
PEAK = 1e-3  # the highest learning rate
EMA_DECAY = 0.998


def wait_for(path: Path, seconds: float = 900) -> Path:
    """Wait for a file that another process writes and then renames to ``path``. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} did not appear within {seconds:.0f} s")
        time.sleep(0.5)
    return path


def parse_arguments(parser: argparse.ArgumentParser, argv: list[str] | None) -> argparse.Namespace:
    """Parse, with the flags that all trainings have; makes the --out folder, and allows TF32 on a GPU."""
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    return args


def batch(pictures: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
    """Augmented RGB in [-1, 1], [B, 3, 256, 256]: moved, scaled, mirrored, recoloured, on a flat background."""
    rgba = jittered(premultiplied(pictures[rows]), generator, smallest=0.7, mirrored=0.5)
    return recoloured_on_background(rgba, generator)


def recoloured_on_background(rgba: Tensor, generator: torch.Generator) -> Tensor:
    """Premultiplied drawings [B, 4, H, W] on white or any flat colour, some recoloured: RGB in [-1, 1]."""
    device, count = rgba.device, len(rgba)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    # Other styles have other colours: swap channels of a third of the drawings, invert a few.
    order = torch.argsort(rand(count, 3), dim=1)
    order = torch.where((rand(count) < 0.33)[:, None], order, torch.arange(3, device=device))
    colour = torch.gather(rgba[:, :3], 1, order[:, :, None, None].expand(-1, -1, *rgba.shape[2:]))
    inverted = (rand(count) < 0.06)[:, None, None, None]
    rgba = torch.cat([torch.where(inverted, rgba[:, 3:] - colour, colour), rgba[:, 3:]], dim=1)
    # Half of the backgrounds are white, a quarter have another named colour, a quarter any colour.
    named = background_colours(device)
    backgrounds = rand(count, 3) * 2 - 1
    pick = rand(count)
    backgrounds = torch.where(
        (pick < 0.75)[:, None],
        named[torch.randint(len(named), (count,), generator=generator, device=device)],
        backgrounds,
    )
    backgrounds = torch.where((pick < 0.5)[:, None], named[0], backgrounds)
    return on_background(rgba, backgrounds)


def crops(images: Tensor, generator: torch.Generator) -> Tensor:
    """A random square of CROP px of each image; four images in a row share the place, for speed."""
    parts = []
    for group in images.split(4):
        y, x = torch.randint(
            0, images.shape[-1] - CROP + 1, (2,), generator=generator, device=images.device
        ).tolist()
        parts.append(group[:, :, y : y + CROP, x : x + CROP])
    return torch.cat(parts)


def loss_of(model: AutoencoderKL, images: Tensor, noise: Tensor) -> Tensor:
    """``mean |e| + 0.5 mean |grad e| + 0.04 mean log mse + KL_WEIGHT KL``, with e = decoded - images.

    ``mse`` is of each picture, so its log is a PSNR. ``noise`` has the latents' shape.
    """
    moments = model.quant_conv(model.encoder(images))
    mean, logvar = moments.float().chunk(2, dim=1)
    logvar = logvar.clamp(-30, 20)
    latents = mean + noise * torch.exp(0.5 * logvar)
    decoded = model.decoder(model.post_quant_conv(latents)).float()
    error = decoded - images
    gradients = (error[..., 1:] - error[..., :-1]).abs().mean() + (
        error[..., 1:, :] - error[..., :-1, :]
    ).abs().mean()
    log_mse = (error.square().mean(dim=(1, 2, 3)) + 1e-5).log().mean()
    kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
    return error.abs().mean() + 0.5 * gradients + 0.04 * log_mse + KL_WEIGHT * kl


@torch.no_grad()
def psnr(model: AutoencoderKL, pictures: Tensor) -> float:
    """The mean PSNR in dB of pictures on white, for uint8 RGBA [N, 4, 256, 256].

    If the decoder gives several sub-pixels for a pixel, their mean is compared.
    """
    values = []
    for rows in torch.arange(len(pictures), device=pictures.device).split(32):
        images = on_background(
            premultiplied(pictures[rows]), background_colours(pictures.device)[:1].expand(len(rows), -1)
        )
        mean = model.quant_conv(model.encoder(images)).chunk(2, dim=1)[0]
        decoded = model.decoder(model.post_quant_conv(mean)).float().clamp(-1, 1)
        decoded = decoded.unflatten(1, (3, -1)).mean(dim=2)
        mse = ((decoded - images) / 2).square().mean(dim=(1, 2, 3))
        values.append(-10 * mse.clamp_min(1e-10).log10())
    return torch.cat(values).mean().item()


@torch.no_grad()
def normalise_latents(model: AutoencoderKL, pictures: Tensor) -> None:
    """Change the weights so that the latents are ``z = (latents - mean) / std`` per channel.

    ``quant_conv`` does it and ``post_quant_conv`` undoes it exactly.
    """
    means = []
    white = background_colours(pictures.device)[:1]
    for rows in torch.arange(0, len(pictures), 4, device=pictures.device).split(32):
        images = on_background(premultiplied(pictures[rows]), white.expand(len(rows), -1))
        means.append(model.quant_conv(model.encoder(images)).float().chunk(2, dim=1)[0])
    latents = torch.cat(means)
    mean, std = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    quant, post = model.quant_conv, model.post_quant_conv
    channels = len(mean)
    # W latents + b = W (std z + mean) + b: the decoder's input stays the same.
    post.bias += post.weight[:, :, 0, 0] @ mean
    post.weight *= std[None, :, None, None]
    quant.weight[:channels] /= std[:, None, None, None]
    quant.bias[:channels] = (quant.bias[:channels] - mean) / std
    quant.bias[channels:] -= 2 * std.log()


class Trainer:
    """The autoencoder with its EMA and its optimizer."""

    def __init__(self, generator: torch.Generator, compiled: bool) -> None:
        device = generator.device
        self._generator = generator
        self.model = AutoencoderKL(**CONFIG).to(device, memory_format=torch.channels_last)
        self.ema = EMA(dict(self.model.named_parameters()), EMA_DECAY)
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(),
            lr=PEAK,
            betas=(0.9, 0.98),
            weight_decay=1e-3,
            fused=device.type == "cuda",
        )
        self._loss_of: Any = torch.compile(loss_of, dynamic=False) if compiled else loss_of
        self.steps = 0

    def compile(self, sizes: Sequence[tuple[int, int]]) -> None:
        """Compile the loss for batches of (pixels of a side, pictures), without training on them."""
        for side, count in sizes:
            self._gradients(torch.rand(count, 3, side, side, device=self._generator.device))
        self._optimizer.zero_grad()

    def step(self, images: Tensor, rate: float) -> Tensor:
        """Train on images [B, 3, H, W] in [-1, 1]; returns the loss."""
        loss = self._gradients(images)
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.steps += 1
        self.ema.update(self.steps)
        return loss

    def _gradients(self, images: Tensor) -> Tensor:
        device = images.device
        noise_shape = (len(images), 8, images.shape[-2] // 8, images.shape[-1] // 8)
        noise = torch.randn(noise_shape, generator=self._generator, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = self._loss_of(self.model, images.contiguous(memory_format=torch.channels_last), noise)
        loss.backward()
        return loss.detach()


def train(
    path: Path, seconds: float, device: torch.device, batch_size: int, out: Path, compiled: bool
) -> None:
    """Train for ``seconds`` after the compilation, then write ``out/vae``, a diffusers folder."""
    torch.manual_seed(0)
    generator = torch.Generator(device).manual_seed(0)
    trainer = Trainer(generator, compiled)
    if compiled:  # before the clock starts, and while another process may still render the drawings
        trainer.compile([(CROP, batch_size), (256, batch_size // 4)])
        print("vae: compiled", flush=True)
    stored = load_file(wait_for(path), device=str(device))
    pictures, held_out = stored["pictures"], stored["held_out"]
    seen, unseen = pictures[~held_out], pictures[held_out]
    if device.type == "cpu":
        unseen = unseen[:16]
    start = printed = time.monotonic()
    while (elapsed := time.monotonic() - start) < seconds:
        whole = elapsed / seconds > WHOLE_FROM
        count = batch_size // (4 if whole else 1)
        images = batch(
            seen, torch.randint(len(seen), (count,), generator=generator, device=device), generator
        )
        rate = rate_at(elapsed / seconds, trainer.steps)
        loss = trainer.step(images if whole else crops(images, generator), rate)
        if time.monotonic() - printed > 30:
            printed = time.monotonic()
            with trainer.ema.in_place():
                quality = psnr(trainer.model, unseen)
            print(
                f"vae: {elapsed:.0f} s step {trainer.steps} loss {loss.item():.4f} psnr {quality:.2f}",
                flush=True,
            )
    with trainer.ema.in_place():
        finish(trainer.model, seen, unseen, trainer.steps, out)


def rate_at(done: float, steps: int) -> float:
    """The learning rate after ``steps`` steps and the share ``done`` of the time: warm-up, constant, linear fall."""
    return PEAK * min(1, (steps + 1) / 200) * min(1, max(0.01, (1 - done) / 0.6))


def finish(model: AutoencoderKL, seen: Tensor, unseen: Tensor, steps: int, out: Path) -> None:
    """Normalise the latents and write ``out/vae``; prints the PSNR before and after."""
    before = psnr(model, unseen)
    normalise_latents(model, seen)
    print(
        f"vae: {steps} steps, held-out PSNR {before:.2f} dB, {psnr(model, unseen):.2f} after normalising",
        flush=True,
    )
    model.save_pretrained(out / "vae.part")
    (out / "vae.part").rename(out / "vae")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.vae", description=__doc__)
    parser.add_argument("--drawings", type=Path, default=Path("data/cache/drawings/drawings.safetensors"))
    parser.add_argument("--seconds", type=float, default=420)
    parser.add_argument(
        "--batch", type=int, default=128, help="crops a step; a quarter of it for whole pictures"
    )
    parser.add_argument("--device", default="cuda")
    args = parse_arguments(parser, argv)
    train(args.drawings, args.seconds, torch.device(args.device), args.batch, args.out, not args.no_compile)
    return 0


if __name__ == "__main__":
    sys.exit(main())
