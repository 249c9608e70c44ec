"""Trains sticker-nano's denoiser and text encoder together, in the latents of the trained VAE.

    python -m lora.pretrain.text_to_image --dir data/cache/drawings --vae OUT/vae --seconds 960 --out OUT

v-prediction with zero terminal SNR (Lin et al. 2023, arXiv 2305.08891), so that a flat background can be truly
flat; loss weighted by min-SNR 5 (Hang et al. 2023, arXiv 2303.09556). A tenth of the captions are empty for
classifier-free guidance. The vocabulary is CLIP's, but only tokens that occur have a row of their own;
every other token shares one, which is trained by putting it in the place of random words.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from random import Random

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from lora.captions import encode
from lora.nano import SCHEDULER, TEXT_ENCODER, UNET
from lora.pretrain.augment import GROUNDS, ground_colours, jittered, on_ground, premultiplied
from lora.pretrain.captions import caption
from lora.pretrain.vae import wait_for

BOS, EOS, LENGTH = 49406, 49407, 77
VARIANTS = 16  # placements of each drawing kept as latents
FORMS = 6  # captions of each placement
EMPTY, REPLACED = 0.1, 0.03
SAVE_SECONDS = 180


def padded(text: str) -> list[int]:
    """CLIP token ids of a caption, padded with EOS to 77 as the pipeline does."""
    ids = encode(text)[:LENGTH]
    return ids + [EOS] * (LENGTH - len(ids))


class Captions:
    """Token ids of every (drawing, ground, form), in a compact vocabulary whose row 0 is shared by all others."""

    def __init__(self, drawings: list[dict[str, object]], device: torch.device) -> None:
        rng = Random(0)
        texts = [
            padded(caption(d["style"], d["concept"], tuple(d["tags"]), ground, rng))  # type: ignore[arg-type]
            for d in drawings
            for ground in GROUNDS
            for _ in range(FORMS)
        ]
        ids = np.array(texts, dtype=np.int32)
        self.kept = sorted({BOS, EOS, *np.unique(ids).tolist()})
        row = np.zeros(EOS + 1, dtype=np.int64)
        row[self.kept] = np.arange(1, len(self.kept) + 1)
        self.row = row
        self.table = (
            torch.from_numpy(row[ids]).short().to(device).view(len(drawings), len(GROUNDS), FORMS, LENGTH)
        )

    def rows(self, text: str) -> list[int]:
        """Rows of a new text's tokens in the compact vocabulary."""
        return self.row[padded(text)].tolist()

    @property
    def empty(self) -> list[int]:
        """Rows of the empty caption."""
        return self.rows("")


@torch.no_grad()
def encode_variants(
    vae: AutoencoderKL, pictures: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Latents bf16 [N, V, 8, 32, 32] of jittered drawings on random named grounds, and the grounds [N, V]."""
    device = pictures.device
    colours = ground_colours(device)
    latents = torch.empty(len(pictures), VARIANTS, 8, 32, 32, dtype=torch.bfloat16, device=device)
    grounds = torch.randint(1, len(GROUNDS), (len(pictures), VARIANTS), generator=generator, device=device)
    grounds[torch.rand(grounds.shape, generator=generator, device=device) < 0.5] = 0
    for variant in range(VARIANTS):
        for rows in torch.arange(len(pictures), device=device).split(128):
            rgba = jittered(premultiplied(pictures[rows]), generator)
            images = on_ground(rgba, colours[grounds[rows, variant]]).contiguous(
                memory_format=torch.channels_last
            )
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                latents[rows, variant] = vae.encode(images).latent_dist.mode().bfloat16()
    return latents, grounds


def predict(unet: nn.Module, text: nn.Module, noisy: Tensor, steps: Tensor, ids: Tensor) -> Tensor:
    """The denoiser's v for noisy latents [B, 8, 32, 32] at ``steps`` [B] and caption rows [B, 77]."""
    return unet(noisy, steps, encoder_hidden_states=text(ids)[0]).sample


class Averages:
    """An exponential moving average of parameters, warmed up so that early steps are forgotten."""

    def __init__(self, weights: list[nn.Parameter]) -> None:
        self.weights = weights
        self.values = [w.detach().clone() for w in weights]
        self.steps = 0

    @torch.no_grad()
    def update(self) -> None:
        self.steps += 1
        decay = min(0.9995, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.values, [w.detach() for w in self.weights], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the averages and the live weights; call it twice to look at the averages' pictures."""
        for value, weight in zip(self.values, self.weights, strict=True):
            kept = weight.detach().clone()
            weight.copy_(value)
            value.copy_(kept)


@torch.no_grad()
def sample(
    parts: tuple[nn.Module, nn.Module, AutoencoderKL], rows: list[list[int]], empty: list[int]
) -> Tensor:
    """Pictures for caption rows: 20 DDIM steps at CFG 5, one seed. uint8 [B, 256, 256, 3] on the CPU."""
    unet, text, vae = parts
    device = next(unet.parameters()).device
    scheduler = DDIMScheduler(**SCHEDULER)
    scheduler.set_timesteps(20)
    ids = torch.tensor(rows + [empty] * len(rows), device=device)
    latents = torch.randn(len(rows), 8, 32, 32, generator=torch.Generator().manual_seed(7)).to(device)
    for t in scheduler.timesteps:
        both = predict(unet, text, torch.cat([latents, latents]), t.to(device).expand(len(ids)), ids).float()
        with_text, without = both.chunk(2)
        latents = scheduler.step(without + 5 * (with_text - without), t, latents).prev_sample
    images = vae.decode(latents).sample.clamp(-1, 1)
    return ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu()


PROMPTS = (
    "noto cat", "fluent 3d cat", "twemoji dog", "fluent flat red heart", "emojione pizza", "noto classic ghost",
    "fluent 3d rocket", "twemoji bicycle", "noto smiling face with sunglasses", "fluent flat tree", "emojione fox",
    "noto fox, magenta background", "fluent 3d hot dog", "twemoji octopus, green background", "fluent flat house",
    "noto robot", "a happy dog", "angry cat", "zorvex cat", "pizza, blue background", "noto car", "twemoji unicorn",
    "fluent 3d penguin", "emojione birthday cake",
)  # fmt: skip


def grid(pictures: Tensor, path: Path, columns: int = 8) -> None:
    """Save pictures [B, H, W, 3] as one PNG."""
    from PIL import Image

    height, width = pictures.shape[1:3]
    sheet = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture.numpy()), (i % columns * width, i // columns * height))
    sheet.save(path)


def train(
    folder: Path,
    vae_path: Path,
    seconds: float,
    device: torch.device,
    size: int,
    out: Path,
    compiled: bool,
    deadline: float = 0,
) -> None:
    """Train for ``seconds`` once drawings and VAE are there; writes ``out/text_to_image.safetensors``.

    ``deadline`` (seconds since the epoch, 0 = none) shortens that where a machine is lent only until then.
    """
    torch.manual_seed(0)
    generator = torch.Generator(device).manual_seed(0)
    wait_for(folder / "drawings.safetensors")
    held_out = load_file(folder / "drawings.safetensors")["held_out"]
    drawings = [
        d
        for d, out_ in zip(json.loads((folder / "drawings.json").read_text()), held_out, strict=True)
        if not out_
    ]
    captions = Captions(drawings, device)
    print(f"t2i: {len(drawings)} drawings, {len(captions.kept)} tokens kept", flush=True)
    unet = UNet2DConditionModel(**UNET).to(device, memory_format=torch.channels_last)
    # Only the pooled output, which nothing uses, would look at the special ids.
    compact = {"vocab_size": len(captions.kept) + 1} | dict.fromkeys(
        ("bos_token_id", "eos_token_id", "pad_token_id"), 0
    )
    text = CLIPTextModel(CLIPTextConfig(**{**TEXT_ENCODER, **compact})).to(device)
    weights = [*unet.parameters(), *(p for p in text.parameters() if p.requires_grad)]
    print(f"t2i: {sum(w.numel() for w in weights) / 1e6:.1f} M parameters", flush=True)
    averages = Averages(weights)
    peak = 7e-4
    optimizer = torch.optim.AdamW(
        weights, lr=peak, betas=(0.9, 0.99), weight_decay=0.01, fused=device.type == "cuda"
    )
    scheduler = DDIMScheduler(**SCHEDULER)
    alphas = scheduler.alphas_cumprod.to(device)
    forward = torch.compile(predict, dynamic=False) if compiled else predict
    empty = torch.tensor(captions.empty, device=device)

    def step(latents: Tensor, ids: Tensor) -> Tensor:
        noise = torch.randn(latents.shape, generator=generator, device=device)
        steps = torch.randint(0, 1000, (len(latents),), generator=generator, device=device)
        a = alphas[steps].sqrt()[:, None, None, None]
        s = (1 - alphas[steps]).sqrt()[:, None, None, None]
        noisy = (a * latents + s * noise).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            v = forward(unet, text, noisy, steps, ids).float()
        snr = alphas[steps] / (1 - alphas[steps]).clamp_min(1e-8)
        weight = snr.clamp_max(5) / (snr + 1)
        # At zero SNR that weight is 0, yet the first sampling step starts there: keep a little.
        loss = ((v - (a * noise - s * latents)).square().mean(dim=(1, 2, 3)) * weight.clamp_min(0.05)).mean()
        loss.backward()
        return loss.detach()

    if compiled:
        for _ in range(2):
            step(torch.randn(size, 8, 32, 32, device=device), empty.expand(size, -1).contiguous())
        optimizer.zero_grad()
        print("t2i: compiled", flush=True)
    vae = (
        AutoencoderKL.from_pretrained(wait_for(vae_path)).to(device, memory_format=torch.channels_last).eval()
    )
    pictures = load_file(folder / "drawings.safetensors", device=str(device))["pictures"][
        ~held_out.to(device)
    ]
    latents, grounds = encode_variants(vae, pictures, generator)
    del pictures
    print(f"t2i: latents {tuple(latents.shape)} std {latents.float().std().item():.3f}", flush=True)
    start = said = saved = time.monotonic()
    if deadline:
        seconds = min(seconds, deadline - time.time())
    print(f"t2i: training for {seconds:.0f} s", flush=True)
    steps = 0
    while (elapsed := time.monotonic() - start) < seconds:
        done = elapsed / seconds
        rate = peak * min(1, (steps + 1) / 300) * min(1, max(0.01, (1 - done) / 0.5))
        for group in optimizer.param_groups:
            group["lr"] = rate
        rows = torch.randint(len(latents), (size,), generator=generator, device=device)
        variants = torch.randint(VARIANTS, (size,), generator=generator, device=device)
        forms = torch.randint(FORMS, (size,), generator=generator, device=device)
        ids = captions.table[rows, grounds[rows, variants], forms].long()
        # A caption may also stay silent on one of its words: row 0 learns to mean "something".
        unknown = torch.rand(ids.shape, generator=generator, device=device) < REPLACED
        ids = torch.where(unknown & (ids != captions.row[BOS]) & (ids != captions.row[EOS]), 0, ids)
        drop = torch.rand(size, 1, generator=generator, device=device) < EMPTY
        loss = step(latents[rows, variants].float(), torch.where(drop, empty, ids))
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        averages.update()
        steps += 1
        if time.monotonic() - said > 30:
            said = time.monotonic()
            print(f"t2i: {elapsed:.0f} s step {steps} loss {loss.item():.4f} rate {rate:.1e}", flush=True)
        if time.monotonic() - saved > SAVE_SECONDS:
            saved = time.monotonic()
            look(averages, (unet, text, vae), captions, out)
            save(averages, unet, text, captions.kept, out)
    save(averages, unet, text, captions.kept, out)
    look(averages, (unet, text, vae), captions, out)
    print(f"t2i: done, {steps} steps of {size}", flush=True)
    (out / "text_to_image.done").touch()


def look(
    averages: Averages, parts: tuple[nn.Module, nn.Module, AutoencoderKL], captions: Captions, out: Path
) -> None:
    """A sheet of fixed prompts, drawn with the averaged weights."""
    averages.swap()
    grid(sample(parts, [captions.rows(p) for p in PROMPTS], captions.empty), out / "samples.png")
    averages.swap()


def save(averages: Averages, unet: nn.Module, text: nn.Module, kept: list[int], out: Path) -> None:
    """The averaged weights in fp16 and the kept tokens' ids, in one file."""
    averages.swap()
    tensors = {f"unet.{k}": v for k, v in unet.state_dict().items()}
    tensors |= {f"text.{k}": v for k, v in text.state_dict().items() if "position_ids" not in k}
    tensors = {k: v.to(torch.float16).contiguous().cpu() for k, v in tensors.items()}
    averages.swap()
    tensors["kept_tokens"] = torch.tensor(kept, dtype=torch.int32)
    save_file(tensors, out / "text_to_image.part")
    (out / "text_to_image.part").rename(out / "text_to_image.safetensors")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.text_to_image", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=960)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--deadline", type=float, default=0, help="stop by then (seconds since the epoch)")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    train(
        args.dir,
        args.vae,
        args.seconds,
        torch.device(args.device),
        args.batch,
        args.out,
        not args.no_compile,
        args.deadline,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
