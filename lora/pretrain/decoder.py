"""Trains a new decoder for sticker-nano: from the same 8 x 32 x 32 latents to 512 px, crisp, with flat fills.

    python -m lora.pretrain.drawings render --size 512
    python -m lora.pretrain.decoder --seconds 900 --out OUT

The encoder does not change, so denoiser and adapters still work. The last convolution has a channel for each of 2 x 2
sub-pixels (Shi et al. 2016, arXiv 1609.05158). The decoder trains on the latents of drawings, and on latents that the
denoiser has made of those in its last few steps, because it will decode such latents. The training has two parts:

flat    the loss ``e / (e + DELTA)`` (after Geman and McClure) grows little with the size of an error e. So fills become
        exactly flat, and of two likely contours one is drawn, not their mean
crisp   a discriminator's gradient is added (``lora.pretrain.discriminator``). For each picture it is scaled to a fixed
        share of the norm of the other loss's gradient
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lora.models import sticker_nano
from lora.models.base_model import Base, load
from lora.pretrain.augment import on_background, premultiplied
from lora.pretrain.bank import CHUNK, SIDE, Bank, redenoised
from lora.pretrain.discriminator import DiscriminatorTrainer
from lora.pretrain.drawings import rendered
from lora.pretrain.vae import parse_arguments, wait_for
from lora.training.ema import EMA

DELTA = 0.03  # of the range -1..1: four of 255 levels
FLAT_WEIGHT = 0.1
CRISP_FROM = 0.45  # share of the time after which the second part begins
ADVERSARY = 0.5  # norm of the discriminator's gradient, as a share of the other one's
PEAK, CRISP_PEAK = 6e-4, 2e-4  # the highest learning rates of the two parts
EMA_DECAY = 0.999


class Decoder(nn.Module):
    """Latents [B, 8, h, w] -> RGB in about [-1, 1], [B, 3, 16 h, 16 w]."""

    def __init__(self, base: Base) -> None:
        super().__init__()
        self.post_quant_conv = base.vae.post_quant_conv
        self.decoder = base.vae.decoder
        last = self.decoder.conv_out
        if last.out_channels == 3:  # each sub-pixel starts with the weights of the pixel
            fine = nn.Conv2d(last.in_channels, 12, 3, padding=1, device=last.weight.device)
            fine.load_state_dict({k: v.repeat_interleave(4, dim=0) for k, v in last.state_dict().items()})
            self.decoder.conv_out = fine

    def forward(self, latents: Tensor) -> Tensor:
        return F.pixel_shuffle(self.decoder(self.post_quant_conv(latents)), 2)


def loss_of(decoded: Tensor, images: Tensor) -> Tensor:
    """``mean |e| + 0.5 mean |grad e| + FLAT_WEIGHT mean(|e| / (|e| + DELTA))``, with e = decoded - images.

    Both are in [-1, 1].
    """
    error = decoded - images
    size = error.abs()
    edges = (error[..., 1:] - error[..., :-1]).abs().mean() + (
        error[..., 1:, :] - error[..., :-1, :]
    ).abs().mean()
    return size.mean() + 0.5 * edges + FLAT_WEIGHT * (size / (size + DELTA)).mean()


class HeldOutDrawings:
    """Drawings that are not trained on, with two latents of each: encoded, and denoised again for 4 steps."""

    def __init__(
        self, base: Base, pictures: Tensor, captions: Sequence[str], generator: torch.Generator
    ) -> None:
        white = torch.ones(len(pictures), 3, device=base.device)
        self._images = on_background(premultiplied(pictures), white)
        encoded, denoised = [], []
        for number, images in enumerate(self._images.split(CHUNK)):
            encoded.append(base.encode(F.avg_pool2d(images, 2))[0])
            texts = captions[number * CHUNK : (number + 1) * CHUNK]
            denoised.append(redenoised(base, encoded[-1], texts, 4, generator))
        self._encoded, self._denoised = torch.cat(encoded), torch.cat(denoised)

    def report(self, decoder: nn.Module) -> str:
        """For both kinds of latents: the PSNR at 256 px, and the share of flat pixels that are decoded exactly."""
        return f"{self._report(decoder, self._encoded)}; redone: {self._report(decoder, self._denoised)}"

    @torch.no_grad()
    def _report(self, decoder: nn.Module, latents: Tensor) -> str:
        values, exact = [], []
        for image, latent in zip(self._images.split(8), latents.split(8), strict=True):
            decoded = decoder(latent).float().clamp(-1, 1)
            mse = F.avg_pool2d((decoded - image) / 2, 2).square().mean(dim=(1, 2, 3))
            values.append(-10 * mse.clamp_min(1e-10).log10())
            value_range = F.max_pool2d(image, 9, 1, 4) + F.max_pool2d(-image, 9, 1, 4)
            flat = value_range.amax(dim=1) == 0
            wrong = ((decoded - image).abs() * 127.5).amax(dim=1)
            exact.append((wrong[flat] <= 1.5).float().mean())
        return (
            f"{torch.cat(values).mean():.2f} dB, {torch.stack(exact).mean():.1%} of flat pixels within 1/255"
        )

    @torch.no_grad()
    def save(self, decoder: Decoder, path: Path) -> None:
        """Write the weights, and a sheet of details with three rows: originals, decoded from both kinds of latents."""
        state = {k: v.contiguous().cpu() for k, v in decoder.state_dict().items()}
        save_file(state, path.with_suffix(".part"))
        path.with_suffix(".part").rename(path.with_suffix(".safetensors"))
        some = list(range(0, len(self._images), max(1, len(self._images) // 8)))[:8]
        rows = [self._images[some], decoder(self._encoded[some]), decoder(self._denoised[some])]
        sheet = Image.new("RGB", (200 * len(some), 200 * len(rows)))
        for y, row in enumerate(rows):
            for x, picture in enumerate(((row.float().clamp(-1, 1) + 1) * 127.5).round().byte().cpu()):
                whole = Image.fromarray(picture.permute(1, 2, 0).numpy())
                sheet.paste(whole.crop((156, 156, 356, 356)), (200 * x, 200 * y))
        sheet.save(path.with_suffix(".png"))


class DecoderTrainer:
    """A decoder with its EMA and its optimizer, and the discriminator."""

    def __init__(self, decoder: Decoder, generator: torch.Generator, compiled: bool) -> None:
        self.decoder = decoder.requires_grad_(True).train()
        self.ema = EMA(dict(decoder.named_parameters()), EMA_DECAY)
        self._on_gpu = generator.device.type == "cuda"
        self._optimizer = torch.optim.AdamW(
            decoder.parameters(), lr=PEAK, betas=(0.9, 0.98), weight_decay=1e-3, fused=self._on_gpu
        )
        self._forward: Any = torch.compile(decoder, dynamic=False) if compiled else decoder
        self.discriminator = DiscriminatorTrainer(generator)
        self.steps = 0

    def step(self, latents: Tensor, images: Tensor, rate: float, adversary: float) -> Tensor:
        """Train to decode latents [B, 8, 32, 32] to images [B, 3, 512, 512] in [-1, 1]; returns the loss.

        With ``adversary`` over 0 the gradient is ``g + adversary a |g| / |a|``, where g is the loss's gradient and a
        the discriminator's, for each picture.
        """
        with torch.autocast(latents.device.type, torch.bfloat16, enabled=self._on_gpu):
            decoded = self._forward(latents.contiguous(memory_format=torch.channels_last))
        image = decoded.detach().float().requires_grad_()
        loss = loss_of(image, images)
        (gradient,) = torch.autograd.grad(loss, image)
        if adversary:
            adversarial = self.discriminator.step(image, images)
            norm, adversarial_norm = (
                g.flatten(1).norm(dim=1)[:, None, None, None] for g in (gradient, adversarial)
            )
            gradient = gradient + adversary * adversarial * norm / adversarial_norm.clamp_min(1e-12)
        decoded.backward(gradient.to(decoded.dtype))
        nn.utils.clip_grad_norm_(self.decoder.parameters(), 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.steps += 1
        self.ema.update(self.steps)
        return loss.detach()

    def report(self, held_out: HeldOutDrawings) -> str:
        """``HeldOutDrawings.report`` of the averaged decoder."""
        with self.ema.in_place():
            return held_out.report(self.decoder)

    def save(self, held_out: HeldOutDrawings, path: Path) -> None:
        """``HeldOutDrawings.save`` of the averaged decoder."""
        with self.ema.in_place():
            held_out.save(self.decoder, path)


def train(args: argparse.Namespace) -> None:
    """Train for ``args.seconds`` or until the deadline; writes ``flat`` and ``crisp``, .safetensors and a .png each."""
    torch.manual_seed(0)
    generator = torch.Generator(torch.device(args.device)).manual_seed(0)
    base = load(args.base, args.cache, args.device)
    bank, held_out = training_data(base, args, generator)
    trainer = DecoderTrainer(Decoder(base), generator, not args.no_compile)
    start = printed = time.monotonic()
    seconds = min(args.seconds, args.deadline - time.time()) if args.deadline else args.seconds
    fills, crisp = 0, False
    print(f"decoder: {trainer.report(held_out)}", flush=True)
    while (done := (time.monotonic() - start) / seconds) < 1:
        # New training data, and the change to the second part.
        if done * args.fills >= fills:
            bank.fill(generator)
            fills += 1
        if done > CRISP_FROM and not crisp:
            trainer.save(held_out, args.out / "flat")
            crisp = True
        # One step.
        latents, images = bank.batch(args.batch, generator)
        rate = rate_at(done) * min(1, (trainer.steps + 1) / 200)
        loss = trainer.step(latents, images, rate, args.adversary if crisp else 0)
        if time.monotonic() - printed > args.say:
            printed = time.monotonic()
            crisp_loss = f" discriminator {trainer.discriminator.loss.item():.3f}" if crisp else ""
            print(
                f"decoder: {printed - start:.0f} s step {trainer.steps} loss {loss.item():.4f}{crisp_loss}; "
                f"{trainer.report(held_out)}",
                flush=True,
            )
    trainer.save(held_out, args.out / "crisp")
    print(f"decoder: done, {trainer.steps} steps of {args.batch}", flush=True)


def training_data(
    base: Base, args: argparse.Namespace, generator: torch.Generator
) -> tuple[Bank, HeldOutDrawings]:
    """The bank, which is still empty, and every ``args.every``-th of the held-out drawings."""
    path = wait_for(rendered(args.dir, SIDE))
    stored = load_file(path)
    rows = json.loads(path.with_suffix(".json").read_text())
    captions = [f"{row['style']} {row['concept']}" for row in rows]
    seen = torch.nonzero(~stored["held_out"])[:, 0].tolist()
    unseen = torch.nonzero(stored["held_out"])[:, 0].tolist()[:: args.every]

    def some(chosen: list[int]) -> tuple[Tensor, list[str]]:
        return stored["pictures"][chosen].to(base.device), [captions[i] for i in chosen]

    return Bank(base, *some(seen), args.bank), HeldOutDrawings(base, *some(unseen), generator)


def rate_at(done: float) -> float:
    """The learning rate after the share ``done`` of the time, without warm-up: it falls in each of the two parts."""
    if done < CRISP_FROM:
        return PEAK * min(1.0, max(0.03, (1 - done / CRISP_FROM) / 0.6))
    return CRISP_PEAK * max(0.01, (1 - done) / (1 - CRISP_FROM))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.decoder", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument(
        "--base", default=sticker_nano.NAME, help="whose encoder and denoiser make the latents"
    )
    parser.add_argument("--cache", type=Path, default=Path("data/cache"))
    parser.add_argument("--seconds", type=float, default=900)
    parser.add_argument("--deadline", type=float, default=0, help="stop by then (seconds since the epoch)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--bank", type=int, default=12288, help="pictures in memory at a time")
    parser.add_argument("--fills", type=int, default=3, help="how often they are replaced by new ones")
    parser.add_argument("--adversary", type=float, default=ADVERSARY)
    parser.add_argument("--every", type=int, default=4, help="use one in so many of the held-out drawings")
    parser.add_argument("--say", type=float, default=30, help="seconds between two lines")
    parser.add_argument("--device", default="cuda:0")
    args = parse_arguments(parser, argv)
    train(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
