"""Trains sticker-nano's denoiser and text encoder together, in the latents of the trained VAE.

    torchrun --nproc_per_node 2 -m lora.pretrain.text_to_image --vae OUT/vae --seconds 960 --out OUT [--warm]

v-prediction with zero terminal SNR (Lin et al. 2023, arXiv 2305.08891): without it a background is never exactly flat.
The loss has min-SNR weights with gamma 5 (Hang et al. 2023, arXiv 2303.09556). A tenth of the captions are empty, for
classifier-free guidance. The text encoder also learns the embeddings that a larger one, the teacher, has for words and
names (``lora.pretrain.words``). ``--warm`` starts with the bundled weights, or others; they may have fewer transformer
layers. One process for each GPU: each has the variants of a part of the drawings, and the gradients are averaged.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
from diffusers import AutoencoderKL, DDIMScheduler
from safetensors.torch import load_file, save_file
from torch import Tensor

from lora.models.sticker_nano import SCHEDULER, WEIGHTS, load_quantized
from lora.pretrain.acts.pool import prepare
from lora.pretrain.drawings import held_out, load_named
from lora.pretrain.learner import PEAK, Learner, StepLosses
from lora.pretrain.model import Model, predict
from lora.pretrain.vae import parse_arguments, wait_for
from lora.pretrain.variants import Variants, Vocabulary
from lora.training.ema import EMA

TAKE_EVERY, MOST_TAKEN = 5, 256  # steps between two times that pictures are taken, and how many then
SAVE_SECONDS = 240  # between two times that the weights are written
BEGAN = time.monotonic()


@torch.no_grad()
def sample(model: Model, vae: AutoencoderKL, rows: list[list[int]], empty: list[int]) -> Tensor:
    """Draw the captions with ids ``rows``: 20 DDIM steps, CFG 5, one seed. uint8 [B, 256, 256, 3] on the CPU."""
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


def broadcast(value: float, device: torch.device) -> float:
    """The value of rank 0, so that all processes stop at the same step."""
    if dist.is_initialized():
        shared = torch.tensor([value], dtype=torch.float64, device=device)
        dist.broadcast(shared, 0)
        value = float(shared.item())
    return value


def train(args: argparse.Namespace, device: torch.device, rank: int) -> None:
    """Train for ``args.seconds`` once drawings and VAE exist; writes ``out/text_to_image.safetensors``.

    ``args.deadline`` (seconds since the epoch, 0 = none) may end it earlier.
    """
    torch.manual_seed(0)
    seed = args.seed + rank
    generator = torch.Generator(device).manual_seed(seed)
    words = load_file(args.dir / "words.safetensors")
    vocabulary = Vocabulary(words["kept"])
    # The model. The compiler needs the cores, so no other process makes pictures yet.
    prepare()
    model = Model(vocabulary).to(device)
    if args.warm:
        model.warm_up(vocabulary, load_quantized(args.warm))
    losses = StepLosses(model, words, vocabulary, not args.no_compile)
    learner = Learner(model, losses, args.batch, generator)
    size = sum(w.numel() for w in model.parameters()) / 1e6
    say(rank, f"{size:.1f} M parameters, {len(vocabulary.kept)} tokens kept")
    if not args.no_graph:
        learner.record()
        say(rank, "recorded")
    # The drawings, and the variants that are made on the device.
    files = [wait_for(args.dir / f"{name}.safetensors") for name in ("drawings", "icons")]
    rows = [row for file in files for row in json.loads(file.with_suffix(".json").read_text())]
    unseen = held_out(load_named(args.dir))
    used = [i for i, row in enumerate(rows) if row["concept"] not in unseen]
    drawings = [rows[i] for i in used]
    vae = (
        AutoencoderKL.from_pretrained(wait_for(args.vae)).to(device, memory_format=torch.channels_last).eval()
    )
    say(rank, "files read")
    variants = Variants(drawings, vocabulary, vae, generator, seed, files=files, used=used, times=args.times)
    say(rank, f"captions of {len(drawings)} drawings")
    variants.draw(torch.cat([load_file(file)["pictures"] for file in files])[torch.tensor(used)].to(device))
    say(rank, f"{variants.ready} variants to begin with")
    # The steps.
    start = printed = saved = time.monotonic()
    seconds = min(args.seconds, args.deadline - time.time()) if args.deadline else args.seconds
    seconds = broadcast(seconds, device)
    say(rank, f"training for {seconds:.0f} s")
    done = 0.0
    while done < 1:
        rate = args.rate * min(1, (learner.steps + 1) / 300) * min(1, max(0.01, (1 - done) / 0.6))
        loss = learner.step(*variants.batch(args.batch, generator), rate)
        if learner.steps % TAKE_EVERY == 0:
            variants.take(MOST_TAKEN)
        if learner.steps % 10 == 0:
            done = broadcast((time.monotonic() - start) / seconds, device)
        if rank == 0 and time.monotonic() - printed > 30:
            printed = time.monotonic()
            say(
                rank,
                f"{printed - start:.0f} s step {learner.steps} loss {loss:.4f} words {learner.text_loss:.3f} "
                f"rate {rate:.1e}, {variants.ready} variants",
            )
        if rank == 0 and time.monotonic() - saved > SAVE_SECONDS:
            saved = time.monotonic()
            save(learner.ema, model, vae, vocabulary, args.out)
    if rank == 0:
        save(learner.ema, model, vae, vocabulary, args.out)
        gpus = dist.get_world_size() if dist.is_initialized() else 1
        say(rank, f"done, {learner.steps} steps of {args.batch} on each of {gpus} GPUs")
        (args.out / "text_to_image.done").touch()


def say(rank: int, text: str) -> None:
    """Print a line; only rank 0 prints."""
    if rank == 0:
        print(f"t2i: {time.monotonic() - BEGAN:.0f} s: {text}", flush=True)


def save(ema: EMA, model: Model, vae: AutoencoderKL, vocabulary: Vocabulary, out: Path) -> None:
    """Write the averaged weights in float16, with the ids of the kept tokens, and a sheet of fixed prompts."""
    with ema.in_place():
        rows = [vocabulary.rows(prompt) for prompt in PROMPTS]
        grid(sample(model, vae, rows, vocabulary.rows("")), out / "samples.png")
        tensors = {f"unet.{k}": v for k, v in model.unet.state_dict().items()}
        tensors |= {f"text.{k}": v for k, v in model.text.state_dict().items() if "position_ids" not in k}
        tensors = {k: v.to(torch.float16).contiguous().cpu() for k, v in tensors.items()}
    tensors["kept_tokens"] = torch.tensor(vocabulary.kept, dtype=torch.int32)
    save_file(tensors, out / "text_to_image.part")
    (out / "text_to_image.part").rename(out / "text_to_image.safetensors")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.text_to_image", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--vae", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=960)
    parser.add_argument("--batch", type=int, default=512, help="of each GPU")
    parser.add_argument("--rate", type=float, default=PEAK, help="the highest learning rate")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the variants and the noise; each process adds its number"
    )
    parser.add_argument("--times", type=int, default=1, help="variants of each kind, of each drawing")
    parser.add_argument("--deadline", type=float, default=0, help="stop by then (seconds since the epoch)")
    parser.add_argument("--device", default="cuda")
    parser.add_argument(
        "--warm",
        type=Path,
        nargs="?",
        const=WEIGHTS,
        help="start with these weights (default: the bundled ones)",
    )
    parser.add_argument("--no-graph", action="store_true", help="launch every kernel by itself, at each step")
    args = parse_arguments(parser, argv)
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
