"""Trains sticker-nano's decoder anew: from the same 8 x 32 x 32 latents to 512 px, crisp, with flat fills.

    python -m lora.pretrain.drawings render --size 512
    python -m lora.pretrain.decoder --seconds 900 --out OUT

The encoder stays as it is, so the denoiser and its adapters stay good. The last convolution has a channel for each of
2 x 2 sub-pixels (Shi et al. 2016, arXiv 1609.05158). What it learns to decode is what it will be given: beside the
latents of drawings, those that the denoiser has made of them in its last few steps from noise. Two parts:

flat    an error counts by whether it is there more than by its size (e / (e + DELTA), after Geman and McClure), so
        that fills become exactly flat, and where two contours are likely one is drawn rather than their mean
crisp   a discriminator of patches says what still looks decoded (Isola et al. 2017, arXiv 1611.07004; hinge loss,
        spectral norm); its gradient is kept at a share of the other loss's at each picture
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from lora.bases import Base, load
from lora.draw import sampler
from lora.pretrain.augment import on_ground, premultiplied
from lora.pretrain.drawings import rendered
from lora.pretrain.vae import dressed, wait_for

SIDE = 512
DELTA = 0.03  # of the range -1..1: four of 255 levels
FLAT_WEIGHT = 0.1
CLEAN = 0.3  # of the latents come straight from the encoder
MOST_STEPS = 6  # of STEPS are redone by the denoiser in the others, at most
STEPS = 20
CHUNK = 64
CROP = 256  # px that the discriminator looks at
CRISP_FROM = 0.45  # of the time
GRAIN = 40  # times
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


class Discriminator(nn.Module):
    """RGB [B, 3, H, W] in [-1, 1] -> how real each patch looks, [B, 1, h, w].

    Beside a picture it is shown what differs from the mean of 3 x 3 px, made large: without that it takes thousands of
    steps to see the grain of a level or two in which decoded fills differ from drawn ones.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 6
        for width, stride in ((64, 2), (128, 2), (256, 2), (256, 1)):
            layers += [
                spectral_norm(nn.Conv2d(before, width, 4, stride, padding=1)),
                nn.LeakyReLU(0.2),
            ]
            before = width
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(before, 1, 4, padding=1)))

    def forward(self, images: Tensor) -> Tensor:
        grain = torch.tanh(GRAIN * (images - F.avg_pool2d(images, 3, 1, 1)))
        seen: Tensor = self.layers(torch.cat([images, grain], dim=1))
        return seen


class Bank:
    """Pictures uint8 [M, 3, 512, 512] with the latents [M, 8, 32, 32] to decode them from, on the base's device."""

    def __init__(self, base: Base, drawings: Tensor, captions: Sequence[str], size: int) -> None:
        device = base.device
        self._base, self._drawings, self._captions = base, drawings, captions
        self.pictures = torch.empty(size, 3, SIDE, SIDE, dtype=torch.uint8, device=device)
        self.latents = torch.empty(size, 8, 32, 32, device=device)

    @torch.no_grad()
    def fill(self, generator: torch.Generator) -> None:
        """Show drawings anew, in other places, sizes and colours, and redo their last denoising steps."""
        for chunk in torch.arange(len(self.latents)).split(CHUNK):
            rows = torch.randint(
                len(self._drawings), (len(chunk),), generator=generator, device=generator.device
            )
            images = dressed(placed(premultiplied(self._drawings[rows]), generator), generator)
            self.pictures[chunk] = ((images.clamp(-1, 1) + 1) * 127.5).round().byte()
            latents, _ = self._base.encode(F.avg_pool2d(images, 2))
            redo = 0
            if float(torch.rand((), generator=generator, device=generator.device)) > CLEAN:
                redo = 1 + int(torch.randint(MOST_STEPS, (), generator=generator, device=generator.device))
            texts = [self._captions[row] for row in rows.tolist()]
            self.latents[chunk] = redone(self._base, latents, texts, redo, generator)


def placed(rgba: Tensor, generator: torch.Generator) -> Tensor:
    """Premultiplied pictures, all smaller by one factor in half of the calls, moved by whole pixels, some mirrored.

    No resampling that rings or blurs: the decoder is to learn edges as they were drawn.
    """

    def whole(most: int) -> int:
        return int(torch.randint(most, (), generator=generator, device=generator.device))

    side = rgba.shape[-1]
    if whole(2):
        small = side - whole(side * 9 // 16)
        rgba = F.interpolate(rgba, (small, small), mode="bilinear", antialias=True)
    if whole(2):
        rgba = rgba.flip(-1)
    room = side - rgba.shape[-1]
    left, top = whole(room + 1), whole(room + 1)
    rgba = F.pad(rgba, (left, room - left, top, room - top))
    x, y = whole(17) - 8, whole(17) - 8
    return F.pad(rgba, (x, -x, y, -y))


@torch.no_grad()
def redone(
    base: Base, latents: Tensor, captions: Sequence[str], steps: int, generator: torch.Generator
) -> Tensor:
    """The latents after the last ``steps`` of 20 denoising steps from noise put on them; not guided, as drawing is."""
    if not steps:
        return latents
    scheduler = sampler(base, STEPS)
    times = scheduler.timesteps[-steps:]
    signal = scheduler.alphas_cumprod[times[0]]
    noise = torch.randn(latents.shape, generator=generator, device=latents.device)
    latents = signal.sqrt() * latents + (1 - signal).sqrt() * noise
    texts = base.embed(captions)
    for t in times:
        v = base.unet(latents.to(base.dtype), t.to(base.device), encoder_hidden_states=texts).sample.float()
        latents = scheduler.step(v, t, latents).prev_sample
    return latents


def loss_of(decoded: Tensor, images: Tensor) -> Tensor:
    """L1, L1 of gradients, and the share of values that are wrong; all in [-1, 1]."""
    error = decoded - images
    off = error.abs()
    edges = (error[..., 1:] - error[..., :-1]).abs().mean() + (
        error[..., 1:, :] - error[..., :-1, :]
    ).abs().mean()
    return off.mean() + 0.5 * edges + FLAT_WEIGHT * (off / (off + DELTA)).mean()


@torch.no_grad()
def report(decoder: nn.Module, images: Tensor, latents: Tensor) -> str:
    """Of pictures [B, 3, 512, 512] in [-1, 1]: PSNR at 256 px, and how flat what is flat comes out."""
    values, exact = [], []
    for image, latent in zip(images.split(8), latents.split(8), strict=True):
        decoded = decoder(latent).float().clamp(-1, 1)
        mse = F.avg_pool2d((decoded - image) / 2, 2).square().mean(dim=(1, 2, 3))
        values.append(-10 * mse.clamp_min(1e-10).log10())
        spread = F.max_pool2d(image, 9, 1, 4) + F.max_pool2d(-image, 9, 1, 4)
        flat = spread.amax(dim=1) == 0
        wrong = ((decoded - image).abs() * 127.5).amax(dim=1)
        exact.append((wrong[flat] <= 1.5).float().mean())
    return f"{torch.cat(values).mean():.2f} dB, {torch.stack(exact).mean():.1%} of flat pixels within 1/255"


def train(args: argparse.Namespace) -> None:
    """Train for ``args.seconds`` or until the deadline; writes ``flat`` and ``crisp``, .safetensors and a .png each."""
    device = torch.device(args.device)
    torch.manual_seed(0)
    generator = torch.Generator(device).manual_seed(0)
    base = load(args.base, args.cache, args.device)
    path = wait_for(rendered(args.dir, SIDE))
    stored = load_file(path)
    rows = json.loads(path.with_suffix(".json").read_text())
    captions = [f"{row['style']} {row['concept']}" for row in rows]
    seen = torch.nonzero(~stored["held_out"])[:, 0]
    unseen = torch.nonzero(stored["held_out"])[:, 0][:: args.every]
    white = torch.ones(len(unseen), 3, device=device)
    shown = on_ground(premultiplied(stored["pictures"][unseen].to(device)), white)
    with torch.no_grad():
        clean = torch.cat([base.encode(F.avg_pool2d(part, 2))[0] for part in shown.split(CHUNK)])
    names = [captions[i] for i in unseen.tolist()]
    made = torch.cat(
        [
            redone(base, clean[i : i + CHUNK], names[i : i + CHUNK], 4, generator)
            for i in range(0, len(clean), CHUNK)
        ]
    )
    bank = Bank(base, stored["pictures"][seen].to(device), [captions[i] for i in seen.tolist()], args.bank)
    del stored

    decoder = Decoder(base).requires_grad_(True).train()
    average = Decoder(load(args.base, args.cache, args.device)).requires_grad_(False)
    weights = list(decoder.parameters())
    averages: list[Tensor] = list(average.parameters())
    optimizer = torch.optim.AdamW(
        weights, lr=PEAK, betas=(0.9, 0.98), weight_decay=1e-3, fused=device.type == "cuda"
    )
    critic = Discriminator().to(device)
    judging = torch.optim.Adam(critic.parameters(), lr=4e-4, betas=(0.5, 0.99))
    forward = decoder if args.no_compile else torch.compile(decoder, dynamic=False)

    def seen_by(which: nn.Module, images: Tensor) -> Tensor:
        # Levels of an 8-bit picture are real, and no decoder's business: noise of one level hides them.
        grain = (torch.rand(images.shape, generator=generator, device=device) - 0.5) / 127.5
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            answer: Tensor = which(images + grain)
        return answer.float()

    start = said = time.monotonic()
    seconds = min(args.seconds, args.deadline - time.time()) if args.deadline else args.seconds
    steps, fills, crisp = 0, 0, False
    print(f"decoder: {report(average, shown, clean)}; redone: {report(average, shown, made)}", flush=True)
    while (done := (time.monotonic() - start) / seconds) < 1:
        if done * args.fills >= fills:
            bank.fill(generator)
            fills += 1
            if crisp:
                keep(average, args.out / "crisp", shown, clean, made)
        if done > CRISP_FROM and not crisp:
            keep(average, args.out / "flat", shown, clean, made)
            crisp = True
        pick = torch.randint(len(bank.latents), (args.batch,), generator=generator, device=device)
        latents, images = bank.latents[pick], bank.pictures[pick].float() / 127.5 - 1
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            decoded = forward(latents.contiguous(memory_format=torch.channels_last))
        image = decoded.detach().float().requires_grad_()
        loss = loss_of(image, images)
        (gradient,) = torch.autograd.grad(loss, image)
        if crisp:
            y, x = torch.randint(0, SIDE - CROP + 1, (2,), generator=generator, device=device).tolist()
            window = (..., slice(y, y + CROP), slice(x, x + CROP))
            critic.requires_grad_(True)
            against = (
                F.relu(1 - seen_by(critic, images[window])).mean()
                + F.relu(1 + seen_by(critic, image.detach()[window])).mean()
            )
            against.backward()
            judging.step()
            judging.zero_grad()
            critic.requires_grad_(False)
            (wish,) = torch.autograd.grad(-seen_by(critic, image[window]).mean(), image)
            here, there = (g.flatten(1).norm(dim=1)[:, None, None, None] for g in (gradient, wish))
            gradient = gradient + args.adversary * wish * here / there.clamp_min(1e-12)
        decoded.backward(gradient.to(decoded.dtype))
        nn.utils.clip_grad_norm_(weights, 1.0)
        rate = rate_at(done) * min(1, (steps + 1) / 200)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        optimizer.zero_grad()
        steps += 1
        torch._foreach_lerp_(
            averages, [w.detach() for w in weights], 1 - min(0.999, (1 + steps) / (10 + steps))
        )
        if time.monotonic() - said > args.say:
            said = time.monotonic()
            critics = f" critic {against.item():.3f}" if crisp else ""
            print(
                f"decoder: {said - start:.0f} s step {steps} loss {loss.item():.4f}{critics}; "
                f"{report(average, shown, clean)}; redone: {report(average, shown, made)}",
                flush=True,
            )
    keep(average, args.out / "crisp", shown, clean, made)
    print(f"decoder: done, {steps} steps of {args.batch}", flush=True)


def rate_at(done: float) -> float:
    """The learning rate when that share of the time is over: both parts end low."""
    if done < CRISP_FROM:
        return PEAK * min(1.0, max(0.03, (1 - done / CRISP_FROM) / 0.6))
    return CRISP_PEAK * max(0.01, (1 - done) / (1 - CRISP_FROM))


@torch.no_grad()
def keep(decoder: Decoder, path: Path, images: Tensor, clean: Tensor, made: Tensor) -> None:
    """The weights, and a sheet of details: drawings, decoded, redone by the denoiser and decoded."""
    state = {k: v.contiguous().cpu() for k, v in decoder.state_dict().items()}
    save_file(state, path.with_suffix(".part"))
    path.with_suffix(".part").rename(path.with_suffix(".safetensors"))
    columns = list(range(0, len(images), max(1, len(images) // 8)))[:8]
    rows = [images[columns], decoder(clean[columns]), decoder(made[columns])]
    sheet = Image.new("RGB", (200 * len(columns), 200 * len(rows)))
    for y, row in enumerate(rows):
        for x, picture in enumerate(((row.float().clamp(-1, 1) + 1) * 127.5).round().byte().cpu()):
            whole = Image.fromarray(picture.permute(1, 2, 0).numpy())
            sheet.paste(whole.crop((156, 156, 356, 356)), (200 * x, 200 * y))
    sheet.save(path.with_suffix(".png"))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.decoder", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--base", default="sticker-nano", help="whose encoder and denoiser make the latents")
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
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    train(args)
    return 0


if __name__ == "__main__":
    sys.exit(main())
