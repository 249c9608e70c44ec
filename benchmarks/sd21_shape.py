"""Checks that SD 2.1 can be trained and drawn with on this device, and in how much memory.

    python3 -m benchmarks.sd21_shape [--edition sd-2.1-base] [--tiny]

The networks have SD 2.1's exact shape and random weights, so nothing is measured of quality. Exits with status 1 if a
loss is not finite, or if training, drawing one picture or drawing a worker's largest batch takes more memory than the
limit. ``results/sd21_shape.log`` is its output on one H100.
"""

from __future__ import annotations

import argparse
import io
import math
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from PIL import Image, ImageDraw

from lora.drawing import sampling
from lora.jobs import Checkpoint, Progress, Sample, Train, TrainSettings
from lora.models import base_model, sd21
from lora.models.base_model import Base
from lora.training import loop
from lora.training.plan import make_plan

LIMIT_GB = 6.0  # small cards have 8 GB, and the desktop uses some of it


def scaled(edition: str) -> dict[str, dict[str, Any]]:
    """SD 2.1's settings with smaller widths; all other values stay."""
    parts = sd21.settings(edition)
    return {
        "unet": {
            **parts["unet"],
            "sample_size": 8,
            "block_out_channels": [40, 80, 160, 160],
            "cross_attention_dim": 64,
            "norm_num_groups": 8,
        },
        "vae": {
            **parts["vae"],
            "sample_size": 64,
            "block_out_channels": [8, 8, 16, 16],
            "norm_num_groups": 4,
        },
        "text_encoder": {
            **parts["text_encoder"],
            "hidden_size": 64,
            "intermediate_size": 128,
            "projection_dim": 64,
        },
        "scheduler": parts["scheduler"],
    }


def make(folder: Path, parts: dict[str, dict[str, Any]], *, seed: int = 0) -> Path:
    """Write networks of these settings with random weights as a diffusers folder."""
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    sd21.write_configs(folder, parts)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        UNet2DConditionModel(**parts["unet"]).save_pretrained(folder / "unet")
        AutoencoderKL(**parts["vae"]).save_pretrained(folder / "vae")
        CLIPTextModel(CLIPTextConfig(**parts["text_encoder"])).save_pretrained(folder / "text_encoder")
    return folder


def samples(count: int = 8) -> tuple[Sample, ...]:
    """Discs of different colours."""
    made = []
    for number in range(count):
        image = Image.new("RGBA", (512, 512))
        colour = tuple(int(value) for value in np.random.default_rng(number).integers(0, 255, 3))
        ImageDraw.Draw(image).ellipse((60, 60, 450, 450), fill=(*colour, 255))
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        made.append(Sample(picture=buffer.getvalue(), caption=f"ball number {number}"))
    return tuple(made)


def learn(base: Base, resolution: int, steps: int) -> tuple[bytes, list[float], float]:
    """Train. Returns the adapter, the losses, and the seconds of all steps but the first."""
    settings = TrainSettings(steps=steps, batch_size=1, checkpoint_steps=steps)
    pictures = samples()
    plan = replace(make_plan(base, settings, samples=len(pictures)), resolution=resolution, warmup_steps=0)
    job = Train(id=0, attempt=1, keyword="zorvex", samples=pictures, settings=settings)
    losses: list[float] = []
    adapter, began = b"", 0.0
    for event in loop.train(base, job, plan):
        if isinstance(event, Progress) and event.loss is not None:
            began = began or time.monotonic()  # the first step also warms the device up: not counted
            losses.append(event.loss)
            ended = time.monotonic()
        if isinstance(event, Checkpoint):
            adapter = event.adapter
    return adapter, losses, ended - began


def draw_some(base: Base, adapter: bytes, count: int) -> float:
    """Draw this many pictures at once; returns the peak memory in GB."""
    began = time.monotonic()
    items = [sampling.Item(prompt="a red ball", adapter=adapter, seed=seed, cfg=7.5) for seed in range(count)]
    drawn = [one for one in sampling.draw(base, items, steps=25) if isinstance(one, sampling.Picture)]
    print(
        f"drew {len(drawn)} of {drawn[0].image.width} px, 25 steps with CFG and the adapter: "
        f"{time.monotonic() - began:.2f} s"
    )
    return memory(base.device, "drawing")


def memory(device: torch.device, what: str) -> float:
    """Print and return the peak memory in GB since the last call."""
    if device.type != "cuda":
        print(f"{what}: memory is not measured on a {device.type}")
        return 0.0
    used, held = torch.cuda.max_memory_allocated() / 1e9, torch.cuda.max_memory_reserved() / 1e9
    print(f"{what}: at most {used:.2f} GB allocated, {held:.2f} GB reserved")
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    return max(used, held)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.sd21_shape")
    parser.add_argument("--edition", choices=[sd21.V_768, sd21.EPSILON_512], default=sd21.V_768)
    parser.add_argument("--resolution", type=int, help="of the training; default 512")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--tiny", action="store_true", help="scaled down, to try the script itself on a CPU")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        parts = scaled(args.edition) if args.tiny else sd21.settings(args.edition)
        made = make(Path(folder) / args.edition, parts)
        base = base_model.load(str(made), Path(folder), "auto")
    size = sum(weight.numel() for weight in base.unet.parameters()) / 1e6
    kind = base.scheduler.config.prediction_type
    device = torch.cuda.get_device_name() if base.device.type == "cuda" else "CPU"
    print(
        f"{args.edition}: denoiser of {size:.1f} M, {kind}, {base.dtype} on {device}, torch {torch.__version__}"
    )
    memory(base.device, "loading")
    resolution = args.resolution or (64 if args.tiny else 512)
    with mock.patch("lora.models.device.memory_gb", return_value=8.0):  # a large card saves none
        adapter, losses, seconds = learn(base, resolution, args.steps)
    print(f"trained {len(losses)} steps, {resolution} px, batch 1: {(len(losses) - 1) / seconds:.2f} img/s")
    print(f"loss {losses[0]:.4f} first, {losses[-1]:.4f} last")
    training = memory(base.device, "training")
    drawing = [draw_some(base, adapter, count) for count in (1, sampling.MAX_BATCH)]
    wrong = [loss for loss in losses if not math.isfinite(loss)]
    if wrong or len(losses) != args.steps:
        sys.exit(f"{len(wrong)} losses are no numbers, {len(losses)} of {args.steps} steps were done")
    if max(training, *drawing) > LIMIT_GB:
        sys.exit(f"{max(training, *drawing):.2f} GB are over the limit of {LIMIT_GB:.0f} GB")
    print("all is finite and within the limit")


if __name__ == "__main__":
    main()
