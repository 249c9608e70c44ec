"""Trains sticker-nano's denoiser and text encoder together, in the latents of the trained VAE.

    torchrun --nproc_per_node 2 -m lora.pretrain.text_to_image --vae OUT/vae --seconds 960 --out OUT [--warm]

v-prediction with zero terminal SNR (Lin et al. 2023, arXiv 2305.08891), so that a flat background can be truly
flat; loss weighted by min-SNR 5 (Hang et al. 2023, arXiv 2303.09556). A tenth of the captions are empty for
classifier-free guidance. Beside the pictures, the text encoder learns to tell what a larger one says of words and
names (``lora.pretrain.words``). ``--warm`` begins with the bundled weights. One process a GPU; each makes its own
variants of the drawings and gradients are averaged.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModel

from lora.nano import SCHEDULER, TEXT_ENCODER, UNET, WEIGHTS, load_quantized
from lora.pretrain.drawings import held_out, load_named
from lora.pretrain.vae import wait_for
from lora.pretrain.variants import Variants, Vocabulary
from lora.pretrain.words import SIZE

EMPTY, REPLACED = 0.1, 0.02
TAUGHT, TEACH_WEIGHT = 256, 0.08  # texts, and how much they count beside the pictures,
TEACH_EVERY = 4  # steps: the words are learnt long before the pictures
# Min-SNR weighs a loss by less and less where there is more noise, and by nothing where sampling starts. But that is
# where words decide on a shape: below an SNR of 0.06 they explain a tenth to a half of the loss, above 0.3 a twentieth.
LEAST_WEIGHT = 0.15
PEAK = 6e-4
SAVE_SECONDS = 120


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


class Model(nn.Module):
    """Denoiser, text encoder with a compact vocabulary, and the head that tells what the teacher says."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        self.unet = UNet2DConditionModel(**UNET).to(memory_format=torch.channels_last)
        # Only the pooled output, which nothing uses, would look at the special ids.
        compact = {"vocab_size": len(vocabulary.kept) + 1} | dict.fromkeys(
            ("bos_token_id", "eos_token_id", "pad_token_id"), 0
        )
        self.text = CLIPTextModel(CLIPTextConfig(**{**TEXT_ENCODER, **compact}))
        self.head = nn.Linear(TEXT_ENCODER["hidden_size"], SIZE)

    def told(self, ids: Tensor, eos: int) -> Tensor:
        """What the encoder says of texts [B, L] at their first end token: float [B, SIZE], of length 1."""
        hidden = self.text(ids)[0]
        first = (ids == eos).int().argmax(dim=1)
        return F.normalize(self.head(hidden[torch.arange(len(ids), device=ids.device), first]).float(), dim=1)

    @torch.no_grad()
    def warm_up(self, vocabulary: Vocabulary) -> None:
        """Begin with the bundled weights; tokens that they do not know begin as the shared one."""
        parts = load_quantized(WEIGHTS)
        self.unet.load_state_dict(parts["unet"])
        state = {key.removeprefix("text_model."): value for key, value in parts["text_encoder"].items()}
        (name,) = [key for key in state if key.endswith("token_embedding.weight")]
        old = dict(zip(parts["tokens"]["kept"].tolist(), state[name][1:], strict=True))
        rows = [state[name][0]] + [old.get(token, state[name][0]) for token in vocabulary.kept]
        state[name] = torch.stack(rows)
        fresh = torch.tensor([token not in old for token in [-1, *vocabulary.kept]])
        state[name][fresh] += 0.01 * torch.randn(int(fresh.sum()), state[name].shape[1])
        prefix = "text_model." if any(k.startswith("text_model.") for k in self.text.state_dict()) else ""
        self.text.load_state_dict({prefix + key: value for key, value in state.items()})


@torch.no_grad()
def sample(model: Model, vae: AutoencoderKL, rows: list[list[int]], empty: list[int]) -> Tensor:
    """Pictures for caption rows: 20 DDIM steps at CFG 5, one seed. uint8 [B, 256, 256, 3] on the CPU."""
    device = next(model.parameters()).device
    scheduler = DDIMScheduler(**SCHEDULER)
    scheduler.set_timesteps(20)
    ids = torch.tensor(rows + [empty] * len(rows), device=device)
    latents = torch.randn(len(rows), 8, 32, 32, generator=torch.Generator().manual_seed(7)).to(device)
    for t in scheduler.timesteps:
        both = torch.cat([latents, latents])
        v = predict(model.unet, model.text, both, t.to(device).expand(len(ids)), ids).float()
        with_text, without = v.chunk(2)
        latents = scheduler.step(without + 5 * (with_text - without), t, latents).prev_sample
    images = vae.decode(latents).sample.clamp(-1, 1)
    return ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu()


PROMPTS = (
    "noto cat", "fluent 3d cat", "twemoji dog", "fluent flat red heart", "emojione pizza", "noto classic ghost",
    "fluent 3d rocket", "twemoji bicycle", "noto smiling face with sunglasses", "fluent flat tree", "emojione fox",
    "noto fox, magenta background", "fluent 3d hot dog", "twemoji octopus, green background", "fluent flat house",
    "noto robot", "a happy dog", "angry cat", "zorvex cat", "pizza, blue background", "noto car", "twemoji unicorn",
    "fluent 3d penguin", "emojione birthday cake", "noto puppy", "twemoji kitty", "fluent flat ride",
    "noto pink elephant", "fluent 3d blue car", "twemoji green apple", "emojione cat with sunglasses",
    "noto dog wearing a crown", "two cats", "fluent flat sad pizza", "twemoji dragon and castle", "a wizard",
    "noto soldier", "fluent 3d yacht", "emojione purple dinosaur", "twemoji black rabbit",
)  # fmt: skip


def grid(pictures: Tensor, path: Path, columns: int = 8) -> None:
    """Save pictures [B, H, W, 3] as one PNG."""
    from PIL import Image

    height, width = pictures.shape[1:3]
    sheet = Image.new("RGB", (columns * width, -(-len(pictures) // columns) * height), "white")
    for i, picture in enumerate(pictures):
        sheet.paste(Image.fromarray(picture.numpy()), (i % columns * width, i // columns * height))
    sheet.save(path)


class Lessons:
    """The two losses of a step."""

    def __init__(
        self, model: Model, words: dict[str, Tensor], vocabulary: Vocabulary, compiled: bool
    ) -> None:
        device = next(model.parameters()).device
        self._model = model
        self._forward: Any = torch.compile(predict, dynamic=False) if compiled else predict
        self._alphas = DDIMScheduler(**SCHEDULER).alphas_cumprod.to(device)
        ids = torch.from_numpy(vocabulary.compact(words["ids"].long().numpy()))
        self._texts, self._said = ids.to(device), words["embeddings"].float().to(device)
        self._bos, self._eos = vocabulary.rows("", 2)
        self._empty = torch.tensor(vocabulary.rows(""), device=device)

    def pictures(self, latents: Tensor, ids: Tensor, generator: torch.Generator) -> Tensor:
        """The weighted v-prediction loss of latents [B, 8, 32, 32] with caption rows [B, 77]."""
        device = latents.device
        # A caption may also stay silent on one of its words: row 0 learns to mean "something".
        unknown = torch.rand(ids.shape, generator=generator, device=device) < REPLACED
        ids = torch.where(unknown & (ids != self._bos) & (ids != self._eos), 0, ids)
        drop = torch.rand(len(ids), 1, generator=generator, device=device) < EMPTY
        ids = torch.where(drop, self._empty, ids)
        noise = torch.randn(latents.shape, generator=generator, device=device)
        steps = torch.randint(0, 1000, (len(latents),), generator=generator, device=device)
        signal = self._alphas[steps]
        a, s = signal.sqrt()[:, None, None, None], (1 - signal).sqrt()[:, None, None, None]
        noisy = (a * latents + s * noise).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            v = self._forward(self._model.unet, self._model.text, noisy, steps, ids).float()
        ratio = signal / (1 - signal).clamp_min(1e-8)
        weight = (ratio.clamp_max(5) / (ratio + 1)).clamp_min(LEAST_WEIGHT)
        return ((v - (a * noise - s * latents)).square().mean(dim=(1, 2, 3)) * weight).mean()

    def words(self, generator: torch.Generator) -> Tensor:
        """One minus the mean cosine between what the encoder and what the teacher says of ``TAUGHT`` texts."""
        device = self._texts.device
        rows = torch.randint(len(self._texts), (TAUGHT,), generator=generator, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            told = self._model.told(self._texts[rows], self._eos)
        return 1 - (told * self._said[rows]).sum(dim=1).mean()


def averaged(weights: list[nn.Parameter]) -> None:
    """Average the gradients over all processes."""
    if dist.is_initialized():
        gradients = [w.grad for w in weights if w.grad is not None]
        flat = torch._utils._flatten_dense_tensors(gradients)
        dist.all_reduce(flat, op=dist.ReduceOp.AVG)
        for gradient, value in zip(
            gradients, torch._utils._unflatten_dense_tensors(flat, gradients), strict=True
        ):
            gradient.copy_(value)


def agreed(value: float, device: torch.device) -> float:
    """The first process's number, so that all stop at the same step."""
    if dist.is_initialized():
        shared = torch.tensor([value], dtype=torch.float64, device=device)
        dist.broadcast(shared, 0)
        value = float(shared.item())
    return value


def train(args: argparse.Namespace, device: torch.device, rank: int) -> None:
    """Train for ``args.seconds`` once drawings and VAE are there; writes ``out/text_to_image.safetensors``.

    ``args.deadline`` (seconds since the epoch, 0 = none) shortens that where a machine is lent only until then.
    """
    torch.manual_seed(0)
    generator = torch.Generator(device).manual_seed(rank)
    words = load_file(args.dir / "words.safetensors")
    vocabulary = Vocabulary(words["kept"])
    model = Model(vocabulary).to(device)
    if args.warm:
        model.warm_up(vocabulary)
    weights = [w for w in model.parameters() if w.requires_grad]
    averages = Averages(weights)
    optimizer = torch.optim.AdamW(
        weights, lr=PEAK, betas=(0.9, 0.99), weight_decay=0.01, fused=device.type == "cuda"
    )
    lessons = Lessons(model, words, vocabulary, not args.no_compile)
    say(rank, f"{sum(w.numel() for w in weights) / 1e6:.1f} M parameters, {len(vocabulary.kept)} tokens kept")
    if not args.no_compile:
        empty = torch.tensor(vocabulary.rows(""), device=device).expand(args.batch, -1).contiguous()
        for _ in range(2):
            lessons.pictures(torch.randn(args.batch, 8, 32, 32, device=device), empty, generator).backward()
        optimizer.zero_grad()
        say(rank, "compiled")
    rows = json.loads(wait_for(args.dir / "drawings.json").read_text())
    unseen = held_out(load_named(args.dir))
    used = torch.tensor([row["concept"] not in unseen for row in rows])
    drawings = [row for row, use in zip(rows, used.tolist(), strict=True) if use]
    variants = Variants(drawings, vocabulary, generator, seed=rank)
    say(rank, f"{len(drawings)} drawings, captions {tuple(variants.captions.shape)}")
    vae = (
        AutoencoderKL.from_pretrained(wait_for(args.vae)).to(device, memory_format=torch.channels_last).eval()
    )
    pictures = load_file(wait_for(args.dir / "drawings.safetensors"))["pictures"][used].to(device)
    variants.encode(pictures, vae)
    del pictures
    say(rank, f"latents {tuple(variants.latents.shape)}")
    start = said = saved = time.monotonic()
    seconds = min(args.seconds, args.deadline - time.time()) if args.deadline else args.seconds
    seconds = agreed(seconds, device)
    say(rank, f"training for {seconds:.0f} s")
    steps, done = 0, 0.0
    while done < 1:
        rate = PEAK * min(1, (steps + 1) / 300) * min(1, max(0.01, (1 - done) / 0.6))
        for group in optimizer.param_groups:
            group["lr"] = rate
        latents, ids = variants.batch(args.batch, generator)
        loss = lessons.pictures(latents, ids, generator)
        if steps % TEACH_EVERY == 0:
            taught = lessons.words(generator)
            (loss + TEACH_WEIGHT * taught).backward()
        else:
            loss.backward()
        averaged(weights)
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        averages.update()
        steps += 1
        if steps % 10 == 0:
            done = agreed((time.monotonic() - start) / seconds, device)
        if rank == 0 and time.monotonic() - said > 30:
            said = time.monotonic()
            say(rank, f"{said - start:.0f} s step {steps} loss {loss:.4f} words {taught:.3f} rate {rate:.1e}")
        if rank == 0 and time.monotonic() - saved > SAVE_SECONDS:
            saved = time.monotonic()
            keep(averages, model, vae, vocabulary, args.out)
    if rank == 0:
        keep(averages, model, vae, vocabulary, args.out)
        gpus = dist.get_world_size() if dist.is_initialized() else 1
        say(rank, f"done, {steps} steps of {args.batch} on each of {gpus} GPUs")
        (args.out / "text_to_image.done").touch()


def say(rank: int, text: str) -> None:
    if rank == 0:
        print(f"t2i: {text}", flush=True)


def keep(averages: Averages, model: Model, vae: AutoencoderKL, vocabulary: Vocabulary, out: Path) -> None:
    """The averaged weights in fp16 with the kept tokens' ids in one file, and a sheet of fixed prompts."""
    averages.swap()
    grid(sample(model, vae, [vocabulary.rows(p) for p in PROMPTS], vocabulary.rows("")), out / "samples.png")
    tensors = {f"unet.{k}": v for k, v in model.unet.state_dict().items()}
    tensors |= {f"text.{k}": v for k, v in model.text.state_dict().items() if "position_ids" not in k}
    tensors = {k: v.to(torch.float16).contiguous().cpu() for k, v in tensors.items()}
    averages.swap()
    tensors["kept_tokens"] = torch.tensor(vocabulary.kept, dtype=torch.int32)
    save_file(tensors, out / "text_to_image.part")
    (out / "text_to_image.part").rename(out / "text_to_image.safetensors")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.text_to_image", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=960)
    parser.add_argument("--batch", type=int, default=512, help="of each GPU")
    parser.add_argument("--deadline", type=float, default=0, help="stop by then (seconds since the epoch)")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--warm", action="store_true", help="begin with the bundled weights")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(argv)
    args.out.mkdir(parents=True, exist_ok=True)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    rank = int(os.environ.get("RANK", 0))
    device = torch.device(args.device)
    if "RANK" in os.environ:
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        dist.init_process_group(
            "nccl" if device.type == "cuda" else "gloo", device_id=device if device.type == "cuda" else None
        )
    train(args, device, rank)
    if dist.is_initialized():
        dist.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
