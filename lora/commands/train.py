"""python -m lora train: trains an adapter, with the flags of diffusers' ``train_text_to_image_lora.py``."""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.commands import flags
from lora.commands.flags import count, positive, share, whole
from lora.commands.terminal import UsageError, load_base, read_samples, say

if TYPE_CHECKING:
    from lora.bases import Base
    from lora.plan import Plan

HELP = "train an adapter on a folder of samples"

LATER = {
    "revision": "bases are local folders",
    "variant": "bases are local folders",
    "dataset_name": "data sets are local folders: --train_data_dir",
    "dataset_config_name": "data sets are local folders: --train_data_dir",
    "validation_prompt": "draw with the checkpoints instead: python -m lora draw",
    "num_validation_images": "draw with the checkpoints instead: python -m lora draw",
    "validation_epochs": "draw with the checkpoints instead: python -m lora draw",
    "center_crop": "pictures are padded, never cropped",
    "gradient_accumulation_steps": "raise --train_batch_size instead",
    "gradient_checkpointing": "it comes with training on small GPUs",
    "scale_lr": "give --learning_rate itself",
    "prediction_type": "it is read from the base's scheduler",
    "mixed_precision": "a GPU's base is bfloat16 and the LoRA float32, always",
    "use_8bit_adam": "a LoRA's optimizer is a few MB",
    "allow_tf32": "it comes with the work on GPU speed",
    "dataloader_num_workers": "everything is encoded once, before the first step",
    "push_to_hub": "it comes with the export of adapters",
    "hub_token": "it comes with the export of adapters",
    "hub_model_id": "it comes with the export of adapters",
    "logging_dir": "figures are in OUTPUT_DIR/metrics.jsonl",
    "report_to": "figures are in OUTPUT_DIR/metrics.jsonl",
    "local_rank": "training on several GPUs comes later",
    "checkpoints_total_limit": "all checkpoints are kept, for the last is seldom the best",
    "enable_xformers_memory_efficient_attention": "torch's own attention is used",
    "image_interpolation_mode": "it is always lanczos",
}


class _Refused(argparse.Action):
    """A flag of the reference script that means nothing here (yet), with the reason."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        parser.error(f"--{self.dest} is not supported: {LATER[self.dest]}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--pretrained_model_name_or_path",
        default="sticker-nano",
        help="sticker-nano, sd-2.1, sd-2.1-base, a diffusers folder, a .safetensors file",
    )
    flags.add_data(parser)
    add("--output_dir", type=Path, default=Path("sd-model-finetuned-lora"))
    add("--resolution", type=whole, help="pixels of a side; default: the base's own")
    add("--random_flip", action=argparse.BooleanOptionalAction, default=True, help="not for lettering")
    add("--train_batch_size", type=whole)
    add(
        "--num_train_epochs",
        type=whole,
        help="how often each sample is seen, if --max_train_steps is not given",
    )
    add("--max_train_steps", type=whole)
    add("--checkpointing_steps", type=whole)
    add("--resume_from_checkpoint", metavar="latest|NAME", help="go on from OUTPUT_DIR/checkpoint-N")
    add("--learning_rate", type=positive)
    add(
        "--lr_scheduler", choices=["constant", "constant_with_warmup", "linear", "cosine"], default="constant"
    )
    add("--lr_warmup_steps", type=count, help="it warms up with every scheduler, constant too")
    add("--seed", type=count, default=0)
    add("--rank", type=whole)
    add("--lora_alpha", type=positive, help="default: the rank")
    add("--caption_dropout", type=share, help="the share of samples shown without caption")
    add("--snr_gamma", type=positive, help="min-SNR weighting; default: the base's own")
    add("--noise_offset", type=float, default=0.0)
    add("--max_grad_norm", type=positive, default=1.0)
    add("--adam_beta1", type=share, default=0.9)
    add("--adam_beta2", type=share, default=0.999)
    add("--adam_weight_decay", type=float, default=1e-2)
    add("--adam_epsilon", type=positive, default=1e-8)
    flags.add_machine(parser)
    for flag in LATER:
        add(f"--{flag}", action=_Refused, nargs="?", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> None:
    """Train, writing checkpoints as they come; a killed run goes on with --resume_from_checkpoint latest."""
    samples = read_samples(args)
    resume = _resume(args)
    base = load_base(args.pretrained_model_name_or_path, args)
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
                say(
                    f"step {event.step}/{event.steps}, loss {event.loss:.4f}, {event.seconds_left:.0f} s left"
                )
        if isinstance(event, Checkpoint):
            say(f"saved {output.save_checkpoint(args.output_dir, event)}")
            last = event.adapter
    write_whole(args.output_dir / output.ADAPTER, last)
    say(f"trained {args.output_dir / output.ADAPTER}")


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


def _resume(args: argparse.Namespace) -> bytes | None:
    """The state to go on from, if one was asked for and is there."""
    from lora import output

    if args.resume_from_checkpoint is None:
        return None
    folder = output.find_checkpoint(args.output_dir, args.resume_from_checkpoint)
    if folder is None:
        say(f"no checkpoint in {args.output_dir} yet: starting from the first step")
        return None
    say(f"going on from {folder}")
    return (folder / output.STATE).read_bytes()
