"""Trains sticker-nano's AutoencoderKL: 256 px drawings <-> 8 x 32 x 32 latents.

    python -m lora.pretrain.vae --drawings data/cache/drawings/drawings.safetensors --seconds 420 --out OUT

Most of the time goes to 128 px crops, which cost a quarter; the last part sees whole pictures. The trained
latents are then shifted and scaled to mean 0 and deviation 1 per channel inside ``quant_conv`` and
``post_quant_conv``, so that ``scaling_factor`` is 1 and diffusers needs to know nothing of it.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from safetensors.torch import load_file
from torch import Tensor, nn

from lora.pretrain.augment import background_colours, jittered, on_background, premultiplied

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
    "mid_block_add_attention": False,  # crops and whole pictures must mean the same to it
    "scaling_factor": 1.0,
    "force_upcast": False,
}
CROP = 128
KL_WEIGHT = 1e-4


def wait_for(path: Path, seconds: float = 900) -> Path:
    """Block until another process has finished writing ``path`` (it is renamed into place when whole)."""
    deadline = time.monotonic() + seconds
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} did not appear within {seconds:.0f} s")
        time.sleep(0.5)
    return path


def begun(parser: argparse.ArgumentParser, argv: list[str] | None) -> argparse.Namespace:
    """The command line of a training, with what all have; makes ``--out``, and lets a GPU multiply in TF32."""
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    return args


def batch(pictures: Tensor, rows: Tensor, generator: torch.Generator) -> Tensor:
    """Augmented RGB in [-1, 1], [B, 3, 256, 256]: placed, on white or any flat colour, some recoloured."""
    return dressed(jittered(premultiplied(pictures[rows]), generator, smallest=0.7, mirrored=0.5), generator)


def dressed(rgba: Tensor, generator: torch.Generator) -> Tensor:
    """Premultiplied drawings [B, 4, H, W] on white or any flat colour, some recoloured: RGB in [-1, 1]."""
    device, count = rgba.device, len(rgba)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=device)

    # Other styles have other palettes: swap channels of a third of the drawings, invert a few.
    order = torch.argsort(rand(count, 3), dim=1)
    order = torch.where((rand(count) < 0.33)[:, None], order, torch.arange(3, device=device))
    colour = torch.gather(rgba[:, :3], 1, order[:, :, None, None].expand(-1, -1, *rgba.shape[2:]))
    inverted = (rand(count) < 0.06)[:, None, None, None]
    rgba = torch.cat([torch.where(inverted, rgba[:, 3:] - colour, colour), rgba[:, 3:]], dim=1)
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
    """One random ``CROP`` px square of each image (the same place within groups of four, for speed)."""
    parts = []
    for group in images.split(4):
        y, x = torch.randint(
            0, images.shape[-1] - CROP + 1, (2,), generator=generator, device=images.device
        ).tolist()
        parts.append(group[:, :, y : y + CROP, x : x + CROP])
    return torch.cat(parts)


def loss_of(model: AutoencoderKL, images: Tensor, noise: Tensor) -> Tensor:
    """L1 + L1 of gradients + the log of each picture's squared error (its PSNR) + a little KL."""
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
    """Mean over pictures of the PSNR in RGB on white, for uint8 RGBA [N, 4, 256, 256]. In dB.

    Where the decoder makes sub-pixels, their mean is compared.
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
    """Give the latents mean 0 and deviation 1 per channel, exactly undone before decoding."""
    means = []
    white = background_colours(pictures.device)[:1]
    for rows in torch.arange(0, len(pictures), 4, device=pictures.device).split(32):
        images = on_background(premultiplied(pictures[rows]), white.expand(len(rows), -1))
        means.append(model.quant_conv(model.encoder(images)).float().chunk(2, dim=1)[0])
    latents = torch.cat(means)
    mean, std = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    quant, post = model.quant_conv, model.post_quant_conv
    channels = len(mean)
    # The decoder first sees what it always saw: W (std z + mean) + b.
    post.bias += post.weight[:, :, 0, 0] @ mean
    post.weight *= std[None, :, None, None]
    quant.weight[:channels] /= std[:, None, None, None]
    quant.bias[:channels] = (quant.bias[:channels] - mean) / std
    quant.bias[channels:] -= 2 * std.log()


def train(
    path: Path, seconds: float, device: torch.device, batch_size: int, out: Path, compiled: bool
) -> None:
    """Train for ``seconds`` after the warm-up, writing ``out/vae`` (diffusers folder) at the end."""
    torch.manual_seed(0)
    generator = torch.Generator(device).manual_seed(0)
    model = AutoencoderKL(**CONFIG).to(device, memory_format=torch.channels_last)
    ema = AutoencoderKL(**CONFIG).to(device, memory_format=torch.channels_last)
    ema.load_state_dict(model.state_dict())
    ema.requires_grad_(False)
    weights, averages = list(model.parameters()), list(ema.parameters())
    optimizer = torch.optim.AdamW(
        weights, lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-3, fused=device.type == "cuda"
    )
    forward = torch.compile(loss_of, dynamic=False) if compiled else loss_of

    def step(images: Tensor) -> Tensor:
        noise = torch.randn(
            len(images), 8, images.shape[-2] // 8, images.shape[-1] // 8, generator=generator, device=device
        )
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            loss = forward(model, images.contiguous(memory_format=torch.channels_last), noise)
        loss.backward()
        return loss.detach()

    if compiled:  # both sizes, before the clock starts and while the drawings may still be rendered
        for size, count in ((CROP, batch_size), (256, batch_size // 4)):
            step(torch.rand(count, 3, size, size, device=device))
        optimizer.zero_grad()
        print("vae: compiled", flush=True)
    stored = load_file(wait_for(path), device=str(device))
    pictures, held_out = stored["pictures"], stored["held_out"]
    seen, unseen = pictures[~held_out], pictures[held_out]
    if device.type == "cpu":
        unseen = unseen[:16]
    start = said = time.monotonic()
    steps = 0
    while (elapsed := time.monotonic() - start) < seconds:
        done = elapsed / seconds
        whole = done > 0.75
        rows = torch.randint(
            len(seen), (batch_size // (4 if whole else 1),), generator=generator, device=device
        )
        images = batch(seen, rows, generator)
        rate = 1e-3 * min(1, (steps + 1) / 200) * min(1, max(0.01, (1 - done) / 0.6))
        for group in optimizer.param_groups:
            group["lr"] = rate
        loss = step(images if whole else crops(images, generator))
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        steps += 1
        torch._foreach_lerp_(
            averages, [w.detach() for w in weights], 1 - min(0.998, (1 + steps) / (10 + steps))
        )
        if time.monotonic() - said > 30:
            said = time.monotonic()
            print(
                f"vae: {elapsed:.0f} s step {steps} loss {loss.item():.4f} psnr {psnr(ema, unseen):.2f}",
                flush=True,
            )
    before = psnr(ema, unseen)
    normalise_latents(ema, seen)
    print(
        f"vae: {steps} steps, held-out PSNR {before:.2f} dB, {psnr(ema, unseen):.2f} after normalising",
        flush=True,
    )
    ema.save_pretrained(out / "vae.part")
    (out / "vae.part").rename(out / "vae")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.vae", description=__doc__)
    parser.add_argument("--drawings", type=Path, default=Path("data/cache/drawings/drawings.safetensors"))
    parser.add_argument("--seconds", type=float, default=420)
    parser.add_argument(
        "--batch", type=int, default=128, help="crops a step; a quarter of it for whole pictures"
    )
    parser.add_argument("--device", default="cuda")
    args = begun(parser, argv)
    train(args.drawings, args.seconds, torch.device(args.device), args.batch, args.out, not args.no_compile)
    return 0


if __name__ == "__main__":
    sys.exit(main())
