"""Trains sticker-nano's decoder anew: from the same 8 x 32 x 32 latents to 512 px, crisp, with flat fills.

    python -m lora.pretrain.drawings render --size 512
    python -m lora.pretrain.decoder --seconds 900 --out OUT

The encoder stays as it is, so the denoiser and its adapters stay good. The last convolution has a channel for each of
2 x 2 sub-pixels (Shi et al. 2016, arXiv 1609.05158). What it learns to decode is what it will be given: beside the
latents of drawings, those that the denoiser has made of them in its last few steps from noise. Two parts:

flat    an error counts by whether it is there more than by its size (e / (e + DELTA), after Geman and McClure), so
        that fills become exactly flat, and where two contours are likely one is drawn rather than their mean
crisp   a discriminator says what still looks decoded (``lora.pretrain.critic``); its gradient is kept at a share of the
        other loss's at each picture
"""

from __future__ import annotations

import argparse
import copy
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
from lora.pretrain.bank import CHUNK, SIDE, Bank, redone
from lora.pretrain.critic import Critic
from lora.pretrain.drawings import rendered
from lora.pretrain.vae import begun, wait_for

DELTA = 0.03  # of the range -1..1: four of 255 levels
FLAT_WEIGHT = 0.1
CRISP_FROM = 0.45  # of the time
ADVERSARY = 0.5  # the norm of the discriminator's gradient, of the other's
PEAK, CRISP_PEAK = 6e-4, 2e-4


class Decoder(nn.Module):
    """Latents [B, 8, h, w] -> RGB in about [-1, 1], [B, 3, 16 h, 16 w]."""

    def __init__(self, base: Base) -> None:
        super().__init__()
        self.post_quant_conv = base.vae.post_quant_conv
        self.decoder = base.vae.decoder
        last = self.decoder.conv_out
        if last.out_channels == 3:  # each sub-pixel begins as the pixel was
            fine = nn.Conv2d(last.in_channels, 12, 3, padding=1, device=last.weight.device)
            fine.load_state_dict({k: v.repeat_interleave(4, dim=0) for k, v in last.state_dict().items()})
            self.decoder.conv_out = fine

    def forward(self, latents: Tensor) -> Tensor:
        return F.pixel_shuffle(self.decoder(self.post_quant_conv(latents)), 2)


def loss_of(decoded: Tensor, images: Tensor) -> Tensor:
    """L1, L1 of gradients, and the share of values that are wrong; all in [-1, 1]."""
    error = decoded - images
    off = error.abs()
    edges = (error[..., 1:] - error[..., :-1]).abs().mean() + (
        error[..., 1:, :] - error[..., :-1, :]
    ).abs().mean()
    return off.mean() + 0.5 * edges + FLAT_WEIGHT * (off / (off + DELTA)).mean()


class Lookout:
    """Drawings [B] that no training sees, and two latents of each: encoded, and after 4 denoising steps."""

    def __init__(
        self, base: Base, pictures: Tensor, captions: Sequence[str], generator: torch.Generator
    ) -> None:
        white = torch.ones(len(pictures), 3, device=base.device)
        self._images = on_background(premultiplied(pictures), white)
        clean, made = [], []
        for at, images in enumerate(self._images.split(CHUNK)):
            clean.append(base.encode(F.avg_pool2d(images, 2))[0])
            made.append(redone(base, clean[-1], captions[at * CHUNK : (at + 1) * CHUNK], 4, generator))
        self._clean, self._made = torch.cat(clean), torch.cat(made)

    def report(self, decoder: nn.Module) -> str:
        """PSNR at 256 px, and how flat what is flat comes out, of both kinds of latents."""
        return f"{self._report(decoder, self._clean)}; redone: {self._report(decoder, self._made)}"

    @torch.no_grad()
    def _report(self, decoder: nn.Module, latents: Tensor) -> str:
        values, exact = [], []
        for image, latent in zip(self._images.split(8), latents.split(8), strict=True):
            decoded = decoder(latent).float().clamp(-1, 1)
            mse = F.avg_pool2d((decoded - image) / 2, 2).square().mean(dim=(1, 2, 3))
            values.append(-10 * mse.clamp_min(1e-10).log10())
            spread = F.max_pool2d(image, 9, 1, 4) + F.max_pool2d(-image, 9, 1, 4)
            flat = spread.amax(dim=1) == 0
            wrong = ((decoded - image).abs() * 127.5).amax(dim=1)
            exact.append((wrong[flat] <= 1.5).float().mean())
        return (
            f"{torch.cat(values).mean():.2f} dB, {torch.stack(exact).mean():.1%} of flat pixels within 1/255"
        )

    @torch.no_grad()
    def keep(self, decoder: Decoder, path: Path) -> None:
        """The weights, and a sheet of details: drawings, decoded, redone by the denoiser and decoded."""
        state = {k: v.contiguous().cpu() for k, v in decoder.state_dict().items()}
        save_file(state, path.with_suffix(".part"))
        path.with_suffix(".part").rename(path.with_suffix(".safetensors"))
        some = list(range(0, len(self._images), max(1, len(self._images) // 8)))[:8]
        rows = [self._images[some], decoder(self._clean[some]), decoder(self._made[some])]
        sheet = Image.new("RGB", (200 * len(some), 200 * len(rows)))
        for y, row in enumerate(rows):
            for x, picture in enumerate(((row.float().clamp(-1, 1) + 1) * 127.5).round().byte().cpu()):
                whole = Image.fromarray(picture.permute(1, 2, 0).numpy())
                sheet.paste(whole.crop((156, 156, 356, 356)), (200 * x, 200 * y))
        sheet.save(path.with_suffix(".png"))


class Learner:
    """A decoder, its running average, and how it takes a step."""

    def __init__(self, decoder: Decoder, generator: torch.Generator, compiled: bool) -> None:
        self.average = copy.deepcopy(decoder).requires_grad_(False)
        self._weights = list(decoder.requires_grad_(True).train().parameters())
        self._averages: list[Tensor] = list(self.average.parameters())
        self._on_gpu = generator.device.type == "cuda"
        self._optimizer = torch.optim.AdamW(
            self._weights, lr=PEAK, betas=(0.9, 0.98), weight_decay=1e-3, fused=self._on_gpu
        )
        self._forward: Any = torch.compile(decoder, dynamic=False) if compiled else decoder
        self.critic = Critic(generator)
        self.steps = 0

    def step(self, latents: Tensor, images: Tensor, rate: float, adversary: float) -> Tensor:
        """Learn to decode latents [B, 8, 32, 32] to images [B, 3, 512, 512] in [-1, 1]; gives the loss."""
        with torch.autocast(latents.device.type, torch.bfloat16, enabled=self._on_gpu):
            decoded = self._forward(latents.contiguous(memory_format=torch.channels_last))
        image = decoded.detach().float().requires_grad_()
        loss = loss_of(image, images)
        (gradient,) = torch.autograd.grad(loss, image)
        if adversary:
            wish = self.critic.learn(image, images)
            here, there = (g.flatten(1).norm(dim=1)[:, None, None, None] for g in (gradient, wish))
            gradient = gradient + adversary * wish * here / there.clamp_min(1e-12)
        decoded.backward(gradient.to(decoded.dtype))
        nn.utils.clip_grad_norm_(self._weights, 1.0)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.steps += 1
        decay = min(0.999, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self._averages, [w.detach() for w in self._weights], 1 - decay)
        return loss.detach()


def train(args: argparse.Namespace) -> None:
    """Train for ``args.seconds`` or until the deadline; writes ``flat`` and ``crisp``, .safetensors and a .png each."""
    torch.manual_seed(0)
    generator = torch.Generator(torch.device(args.device)).manual_seed(0)
    base = load(args.base, args.cache, args.device)
    bank, lookout = prepared(base, args, generator)
    learner = Learner(Decoder(base), generator, not args.no_compile)
    start = said = time.monotonic()
    seconds = min(args.seconds, args.deadline - time.time()) if args.deadline else args.seconds
    fills, crisp = 0, False
    print(f"decoder: {lookout.report(learner.average)}", flush=True)
    while (done := (time.monotonic() - start) / seconds) < 1:
        if done * args.fills >= fills:
            bank.fill(generator)
            fills += 1
        if done > CRISP_FROM and not crisp:
            lookout.keep(learner.average, args.out / "flat")
            crisp = True
        latents, images = bank.batch(args.batch, generator)
        rate = rate_at(done) * min(1, (learner.steps + 1) / 200)
        loss = learner.step(latents, images, rate, args.adversary if crisp else 0)
        if time.monotonic() - said > args.say:
            said = time.monotonic()
            critic = f" critic {learner.critic.loss.item():.3f}" if crisp else ""
            print(
                f"decoder: {said - start:.0f} s step {learner.steps} loss {loss.item():.4f}{critic}; "
                f"{lookout.report(learner.average)}",
                flush=True,
            )
    lookout.keep(learner.average, args.out / "crisp")
    print(f"decoder: done, {learner.steps} steps of {args.batch}", flush=True)


def prepared(base: Base, args: argparse.Namespace, generator: torch.Generator) -> tuple[Bank, Lookout]:
    """What is learned from, still empty, and what is looked at: of the held-out drawings, one in ``args.every``."""
    path = wait_for(rendered(args.dir, SIDE))
    stored = load_file(path)
    rows = json.loads(path.with_suffix(".json").read_text())
    captions = [f"{row['style']} {row['concept']}" for row in rows]
    seen = torch.nonzero(~stored["held_out"])[:, 0].tolist()
    unseen = torch.nonzero(stored["held_out"])[:, 0].tolist()[:: args.every]

    def some(which: list[int]) -> tuple[Tensor, list[str]]:
        return stored["pictures"][which].to(base.device), [captions[i] for i in which]

    return Bank(base, *some(seen), args.bank), Lookout(base, *some(unseen), generator)


def rate_at(done: float) -> float:
    """The learning rate when that share of the time is over: both parts end low."""
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
    parser.add_argument("--bank", type=int, default=12288, help="pictures that are shown at a time")
    parser.add_argument("--fills", type=int, default=3, help="how often other ones take their place")
    parser.add_argument("--adversary", type=float, default=ADVERSARY)
    parser.add_argument(
        "--every", type=int, default=4, help="of the held-out drawings, one in so many is looked at"
    )
    parser.add_argument("--say", type=float, default=30, help="seconds between two lines")
    parser.add_argument("--device", default="cuda:0")
    args = begun(parser, argv)
    train(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
