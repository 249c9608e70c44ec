"""python -m lora check | train | draw | unpack: the picture-making half without the bot.

``train`` takes the flags of diffusers' ``train_text_to_image_lora.py`` with their meanings. A mistake of the
person at the terminal is one line on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import logging
import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lora import commands

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


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    args = _parser().parse_args(argv)
    os.environ.setdefault(
        "OMP_WAIT_POLICY", "PASSIVE"
    )  # before torch is imported; lora/engine/local.py says why
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    from lora.bases import BaseError
    from lora.dataset import DatasetError
    from lora.jobs import JobError

    try:
        args.run(args)
    except (commands.UsageError, BaseError, DatasetError, JobError, OSError) as error:
        sys.stderr.write(f"python -m lora {args.command}: {error}\n")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lora", description="Train LoRAs and draw with them.")
    verbs = parser.add_subparsers(dest="command", required=True, metavar="check | train | draw | unpack")
    _add_check(verbs.add_parser("check", help="look at a folder of samples before training on it"))
    _add_train(verbs.add_parser("train", help="train an adapter on a folder of samples"))
    _add_draw(verbs.add_parser("draw", help="draw prompts from a file"))
    unpack = verbs.add_parser("unpack", help="write a bundled base as a plain diffusers folder")
    unpack.add_argument("name", choices=["sticker-nano"])
    unpack.add_argument("dir", type=Path)
    unpack.set_defaults(run=commands.unpack)
    return parser


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--train_data_dir", type=Path, required=True, help="pictures with a metadata.jsonl")
    parser.add_argument("--image_column", default="image")
    parser.add_argument("--caption_column", default="text")
    parser.add_argument("--max_train_samples", type=_whole, help="use the first ones only")
    parser.add_argument("--keyword", default="", help="the style's name; put into captions that lack it")


def _add_machine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--cache_dir", type=Path, default=Path("data/cache"), help="where bases are unpacked")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 = all cores")


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=commands.check)
    _add_data(parser)


def _add_train(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=commands.train)
    add = parser.add_argument
    add(
        "--pretrained_model_name_or_path",
        default="sticker-nano",
        help="sticker-nano or a local diffusers folder",
    )
    _add_data(parser)
    add("--output_dir", type=Path, default=Path("sd-model-finetuned-lora"))
    add("--resolution", type=_whole, help="pixels of a side; default: the base's own")
    add("--random_flip", action=argparse.BooleanOptionalAction, default=True, help="not for lettering")
    add("--train_batch_size", type=_whole)
    add(
        "--num_train_epochs",
        type=_whole,
        help="how often each sample is seen, if --max_train_steps is not given",
    )
    add("--max_train_steps", type=_whole)
    add("--checkpointing_steps", type=_whole)
    add("--resume_from_checkpoint", metavar="latest|NAME", help="go on from OUTPUT_DIR/checkpoint-N")
    add("--learning_rate", type=_positive)
    add(
        "--lr_scheduler", choices=["constant", "constant_with_warmup", "linear", "cosine"], default="constant"
    )
    add("--lr_warmup_steps", type=_count, help="it warms up with every scheduler, constant too")
    add("--seed", type=_count, default=0)
    add("--rank", type=_whole)
    add("--lora_alpha", type=_positive, help="default: the rank")
    add("--caption_dropout", type=_share, help="the share of samples shown without caption")
    add("--snr_gamma", type=_positive, help="min-SNR weighting; default: the base's own")
    add("--noise_offset", type=float, default=0.0)
    add("--max_grad_norm", type=_positive, default=1.0)
    add("--adam_beta1", type=_share, default=0.9)
    add("--adam_beta2", type=_share, default=0.999)
    add("--adam_weight_decay", type=float, default=1e-2)
    add("--adam_epsilon", type=_positive, default=1e-8)
    _add_machine(parser)
    for flag in LATER:
        add(f"--{flag}", action=_Refused, nargs="?", help=argparse.SUPPRESS)


def _add_draw(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(run=commands.draw)
    add = parser.add_argument
    add("--base", default="sticker-nano", help="sticker-nano or a local diffusers folder")
    add("--adapter", type=Path, help="a LoRA file; without it the bare base draws")
    add("--prompts", type=Path, required=True, help="a text file, one prompt a line")
    add("--negative_prompt", default="")
    add("--cfg", type=_positive, default=5.0, help="how strictly the prompt is followed; 1 = no guidance")
    add("--seed", type=_count, default=0, help="picture i uses seed + i")
    add("--steps", type=_whole, default=20)
    add("--out", type=Path, required=True)
    add("--stickers", action="store_true", help="also cut out and fit: OUT/000.webp and so on")
    add("--outline_px", type=_count, default=8, help="white outline of stickers")
    _add_machine(parser)


def _whole(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def _count(text: str) -> int:
    """A whole number from 0 on."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def _positive(text: str) -> float:
    """A number over 0."""
    value = float(text)
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not over 0")
    return value


def _share(text: str) -> float:
    """A number from 0 to 1."""
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not between 0 and 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
