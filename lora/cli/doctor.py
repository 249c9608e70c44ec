"""python -m lora doctor: tests a base on this machine. It draws, trains a few steps, and draws again."""

from __future__ import annotations

import argparse
import io
import math
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from lora.cli import flags
from lora.cli.flags import MOST_DRAW_STEPS, up_to
from lora.cli.terminal import UsageError, check_folder, load_base, say
from lora.cli.train_flags import MOST_SIDE, MOST_STEPS

if TYPE_CHECKING:
    from PIL import Image

    from lora.models.base_model import Base

HELP = "try a base: draw, train 20 steps, draw again"
PROMPT = "a sticker of a red fox"
DEMO = Path(__file__).parents[1] / "bundled" / "demo"  # data/demo, as it is in a wheel, too


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--base", default="sd-2.1", help="a name, a diffusers folder or a .safetensors file")
    add("--train_data_dir", type=Path, default=DEMO, help="pictures with a metadata.jsonl")
    add("--steps", type=up_to(MOST_STEPS), default=20, help="training steps")
    add("--draw_steps", type=up_to(MOST_DRAW_STEPS), default=25)
    add("--resolution", type=up_to(MOST_SIDE), help="of the training; default: the base's own")
    add("--out", type=Path, default=Path("data/doctor"), help="where before.png and after.png go")
    flags.add_machine(parser)


def run(args: argparse.Namespace) -> None:
    """Print what was measured. Raises UsageError with the reason if anything is wrong."""
    began = time.monotonic()
    check_folder("--out", args.out)
    base = load_base(args.base, args)
    config = base.scheduler.config
    parameters = sum(weight.numel() for weight in base.unet.parameters()) / 1e6
    say(f"base        {base.name}, denoiser of {parameters:.1f} M parameters, hash {base.hash[:12]}")
    say(f"            defaults and captions of {base.profile.name}")
    say(f"            {base.resolution} px, draws {base.drawn_px} px, predicts {config.prediction_type}")
    say(f"device      {base.device}, denoiser {base.dtype}, VAE {base.vae.dtype}")
    say(f"loaded      in {time.monotonic() - began:.1f} s")
    before = _draw(base, None, args, "before")
    adapter = _train(base, args)
    after = _draw(base, adapter, args, "after")
    say(f"memory      {_peak_memory(base)}")
    if before.tobytes() == after.tobytes():
        raise UsageError("the adapter changed nothing: the picture before and after training is the same")
    say(f"all is well; the pictures are {args.out / 'before.png'} and {args.out / 'after.png'}")


def _draw(base: Base, adapter: bytes | None, args: argparse.Namespace, name: str) -> Image.Image:
    """Draw one picture and write it to ``--out``. ``lora.drawing.sampling`` raises JobError for NaN latents."""
    from lora.drawing import sampling
    from lora.files import write_whole

    began = time.monotonic()
    item = sampling.Item(prompt=PROMPT, adapter=adapter, seed=0, cfg=7.5)
    drawn = [
        one for one in sampling.draw(base, [item], steps=args.draw_steps) if isinstance(one, sampling.Picture)
    ]
    image = drawn[0].image
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    write_whole(args.out / f"{name}.png", buffer.getvalue())
    say(
        f"drew        {name} training: {image.width} px, {args.draw_steps} steps, {time.monotonic() - began:.1f} s"
    )
    if len(set(image.convert("L").tobytes())) == 1:
        raise UsageError(f"{args.out / name}.png: one colour all over; the numbers overflow on this device")
    return image


def _train(base: Base, args: argparse.Namespace) -> bytes:
    """Train a few steps and return the adapter."""
    from dataclasses import replace

    from lora.data.dataset import read_folder
    from lora.jobs import Checkpoint, Progress, Train, TrainSettings
    from lora.training import loop
    from lora.training.plan import make_plan

    samples = tuple(read_folder(args.train_data_dir))
    settings = TrainSettings(steps=args.steps, batch_size=1, checkpoint_steps=args.steps)
    plan = make_plan(base, settings, samples=len(samples))
    plan = replace(plan, warmup_steps=0, resolution=args.resolution or plan.resolution)
    job = Train(id=0, attempt=1, keyword="", samples=samples, settings=settings)
    losses: list[float] = []
    began, adapter = time.monotonic(), b""
    for event in loop.train(base, job, plan):
        if isinstance(event, Progress) and event.loss is not None:
            losses.append(event.loss)
        if isinstance(event, Checkpoint):
            adapter = event.adapter
    took = time.monotonic() - began
    finite = "all" if all(map(math.isfinite, losses)) else "NOT all"
    say(f"trained     {len(losses)} steps at {plan.resolution} px in {took:.1f} s")
    say(f"            loss {losses[0]:.4f} first, {losses[-1]:.4f} last; {finite} are numbers")
    if finite != "all":
        raise UsageError("a loss was no number: this device or its dtype cannot train this base")
    return adapter


def _peak_memory(base: Base) -> str:
    import torch

    if base.device.type == "cuda":
        used, held = torch.cuda.max_memory_allocated(), torch.cuda.max_memory_reserved()
        return f"{used / 1e9:.2f} GB of the GPU at most, {held / 1e9:.2f} GB reserved"
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts bytes on macOS, KiB elsewhere
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9:.2f} GB at most"
