"""What each command of ``python -m lora`` does, once its flags are read."""

from __future__ import annotations

import argparse
import io
import math
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from lora.bases import Base
    from lora.jobs import Sample
    from lora.plan import Plan
    from lora.stickers import StickerMaker


class UsageError(Exception):
    """What was asked for on the command line cannot be done."""


def check(args: argparse.Namespace) -> None:
    """Say what a training would find: pictures, captions, keyword, ground."""
    from lora.captions import has_keyword, keyword_problem
    from lora.dataset import choose_background, open_samples, see_through
    from lora.nano import BACKGROUNDS

    samples = _samples(args)
    images = open_samples(samples)
    opaque = sum(not see_through(image) for image in images)
    _say(f"{len(samples)} pictures, {opaque} of them without transparency; 20 to 50 are a good number")
    if args.keyword:
        without = sum(not has_keyword(sample.caption, args.keyword) for sample in samples)
        _say(f"{without} captions lack the keyword and will get it; as a keyword it is", end=" ")
        _say(keyword_problem(args.keyword) or "good")
    _say(f"they will be shown on {choose_background(images, BACKGROUNDS)}")


def train(args: argparse.Namespace) -> None:
    """Train, writing checkpoints as they come; a killed run goes on with --resume_from_checkpoint latest."""
    samples = _samples(args)
    resume = _resume(args)
    base = _load(args.pretrained_model_name_or_path, args)
    from lora import adapters, output
    from lora import train as training
    from lora.files import write_whole
    from lora.jobs import Checkpoint, Progress, Train

    how = _plan(args, base, len(samples))
    job = Train(id=0, attempt=1, keyword=args.keyword, samples=tuple(samples), resume=resume)
    done = int(adapters.read_metadata(resume)["step"]) if resume else 0
    metrics = output.Metrics(args.output_dir, steps_done=done)
    began, said = time.monotonic(), 0.0
    last = b""
    for event in training.train(base, job, how):
        if isinstance(event, Progress) and event.loss is not None:
            seconds = round(time.monotonic() - began, 3)
            lr = how.learning_rate * training.rate(how, event.step - 1)
            metrics.add(step=event.step, loss=event.loss, lr=lr, seconds=seconds)
            if time.monotonic() - said > 5 or event.step == event.steps:
                said = time.monotonic()
                _say(
                    f"step {event.step}/{event.steps}, loss {event.loss:.4f}, {event.seconds_left:.0f} s left"
                )
        if isinstance(event, Checkpoint):
            _say(f"saved {output.save_checkpoint(args.output_dir, event)}")
            last = event.adapter
    write_whole(args.output_dir / output.ADAPTER, last)
    _say(f"trained {args.output_dir / output.ADAPTER}")


def _plan(args: argparse.Namespace, base: Base, samples: int) -> Plan:
    """The base's own plan with what the command line says otherwise."""
    from lora.jobs import TrainSettings
    from lora.plan import plan

    asked = TrainSettings(
        steps=args.max_train_steps,
        batch_size=args.train_batch_size,
        learning_rate=args.learning_rate,
        rank=args.rank,
        checkpoint_steps=args.checkpointing_steps,
        seed=args.seed,
    )
    how = plan(base, asked, samples=samples)
    if args.max_train_steps is None and args.num_train_epochs is not None:
        how = replace(how, steps=args.num_train_epochs * math.ceil(samples / how.batch_size))
    resolution = args.resolution or base.resolution
    if resolution % base.resolution_unit:
        raise UsageError(
            f"--resolution {resolution}: must be a multiple of {base.resolution_unit} for this base"
        )
    given = {
        "alpha": args.lora_alpha or how.rank,
        "warmup_steps": args.lr_warmup_steps,
        "caption_dropout": args.caption_dropout,
        "snr_gamma": args.snr_gamma,
    }
    return replace(
        how,
        resolution=resolution,
        schedule=args.lr_scheduler.removesuffix("_with_warmup"),
        random_flip=args.random_flip,
        noise_offset=args.noise_offset,
        max_grad_norm=args.max_grad_norm,
        adam_beta1=args.adam_beta1,
        adam_beta2=args.adam_beta2,
        adam_weight_decay=args.adam_weight_decay,
        adam_epsilon=args.adam_epsilon,
        **{name: value for name, value in given.items() if value is not None},
    )


def _samples(args: argparse.Namespace) -> list[Sample]:
    from lora.dataset import read_folder

    samples = read_folder(
        args.train_data_dir, image_column=args.image_column, caption_column=args.caption_column
    )
    return samples[: args.max_train_samples]


def _resume(args: argparse.Namespace) -> bytes | None:
    """The state to go on from, if one was asked for and is there."""
    from lora import output

    if args.resume_from_checkpoint is None:
        return None
    folder = output.find_checkpoint(args.output_dir, args.resume_from_checkpoint)
    if folder is None:
        _say(f"no checkpoint in {args.output_dir} yet: starting from the first step")
        return None
    _say(f"going on from {folder}")
    return (folder / output.STATE).read_bytes()


def draw(args: argparse.Namespace) -> None:
    """Draw every line of the prompts file to OUT/000.png and so on."""
    prompts = [line.strip() for line in args.prompts.read_text(encoding="utf-8").splitlines() if line.strip()]
    if not prompts:
        raise UsageError(f"{args.prompts}: no prompts in it")
    adapter = args.adapter.read_bytes() if args.adapter else None
    base = _load(args.base, args)
    from lora import draw as drawing
    from lora.files import write_whole

    maker = _sticker_maker(args) if args.stickers else None
    items = [
        drawing.Item(
            prompt=prompt,
            negative_prompt=args.negative_prompt,
            adapter=adapter,
            seed=args.seed + i,
            cfg=args.cfg,
        )
        for i, prompt in enumerate(prompts)
    ]
    for drawn in drawing.draw(base, items, steps=args.steps):
        if isinstance(drawn, drawing.Picture):
            path = args.out / f"{drawn.index:03d}.png"
            write_whole(path, _png(drawn.image))
            _say(str(path))
            if maker is not None:
                write_whole(path.with_suffix(".webp"), maker(drawn.image, drawn.background))


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _sticker_maker(args: argparse.Namespace) -> StickerMaker:
    from lora.stickers import StickerMaker

    return StickerMaker(args.cache_dir, args.outline_px)


def unpack(args: argparse.Namespace) -> None:
    from lora import nano

    in_use = args.dir.is_file() or (args.dir.is_dir() and any(args.dir.iterdir()))
    if in_use and not (args.dir / "model_index.json").is_file():
        raise UsageError(f"{args.dir}: is there already and no diffusers folder")
    _say(str(nano.unpack(args.dir)))


def _load(name: str, args: argparse.Namespace) -> Base:
    """The base on its device, with so many threads."""
    import torch

    from lora.bases import load

    if args.threads:
        torch.set_num_threads(args.threads)
    return load(name, args.cache_dir, args.device)


def _say(text: str, *, end: str = "\n") -> None:
    sys.stdout.write(text + end)
    sys.stdout.flush()
