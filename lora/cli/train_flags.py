"""The flags of python -m lora train: those of diffusers' ``train_text_to_image_lora.py``, and more."""

from __future__ import annotations

import argparse
import math
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.adapters.targets import DEFAULT_TARGETS, TARGETS
from lora.cli import flags
from lora.cli.flags import (
    MOST_PICTURES,
    MOST_THREADS,
    below_one,
    between,
    positive,
    seed,
    up_to,
    whole,
    without,
)
from lora.cli.terminal import UsageError
from lora.models import sticker_nano

if TYPE_CHECKING:
    from lora.models.base_model import Base
    from lora.training.distributed import Processes
    from lora.training.plan import Plan

REFUSED = {
    "revision": "sd-2.1 and sd-2.1-base have a pinned one, others are fetched at their newest; for another one, run "
    "`hf download OWNER/NAME --revision REVISION --local-dir DIR` and give DIR as the base",
    "variant": "weights are read from a base's files without a variant; --mixed_precision says in what precision "
    "they are used",
    "dataset_config_name": "a data set is a local folder, and that has one form",
    "use_8bit_adam": "a LoRA's optimizer takes under 50 MB, and 8 bits would make a resume inexact",
    "push_to_hub": "nothing is uploaded unasked; run `hf upload REPO OUTPUT_DIR/pytorch_lora_weights.safetensors`",
    "hub_token": "nothing is uploaded; see --push_to_hub",
    "hub_model_id": "nothing is uploaded; see --push_to_hub",
    "enable_xformers_memory_efficient_attention": "torch's own attention needs as little memory",
}
SCHEDULERS = (
    "constant",
    "constant_with_warmup",
    "linear",
    "cosine",
    "cosine_with_restarts",
    "polynomial",
)
INTERPOLATIONS = ("nearest", "nearest_exact", "box", "bilinear", "hamming", "bicubic", "lanczos")
REPORTS_REFUSED = dict.fromkeys(
    ("wandb", "comet_ml"),
    "it is a service on the net, and nothing is sent there; take tensorboard, and look with `tensorboard --logdir`",
)
PRECISIONS_REFUSED = {"fp16": "Stable Diffusion 2.1's attention overflows in it; take bf16"}
# Flags whose value, if given, is copied into a field of the plan. Other flags of the plan are handled in make_plan.
FIELDS = {
    "lora_alpha": "alpha",
    "lr_warmup_steps": "warmup_steps",
    "resolution": "resolution",
    "random_flip": "random_flip",
    "center_crop": "center_crop",
    "composite": "composite",
    "background": "background",
    "style_words": "style_words",
    "caption_dropout": "caption_dropout",
    "noise_offset": "noise_offset",
    "max_grad_norm": "max_grad_norm",
    "adam_beta1": "adam_beta1",
    "adam_beta2": "adam_beta2",
    "adam_epsilon": "adam_epsilon",
    "adam_weight_decay": "adam_weight_decay",
    "timestep_sampling": "timestep_sampling",
    "lora_targets": "lora_targets",
    "gradient_accumulation_steps": "gradient_accumulation_steps",
    "gradient_checkpointing": "gradient_checkpointing",
}
MOST_RANK = 1280  # the width of Stable Diffusion's widest layers: a larger one can say nothing more
MOST_SIDE = 2048  # pixels
MOST_SAMPLES = 1024  # of a micro-batch
MOST_PROCESSES = 1024  # of one machine
MOST_STEPS, MOST_EPOCHS = 1_000_000, 100_000
BACKGROUNDS_HELP = "auto: the one that is easiest to tell from the drawings; or a name, like white"


class _Refused(argparse.Action):
    """A flag of the reference script that is not supported; it ends the command with the reason."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        parser.error(f"--{self.dest} is not supported: {REFUSED[self.dest]}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.epilog = (
        "Where a default is not that of the reference script, it says so. 'The base's own' values are made "
        "for the base and the number of samples. Captions and prompts get the --keyword if they lack it, and the "
        "background that the drawings are on, as in 'a fox, white background': both count towards 77 tokens."
    )
    _add_folders(parser)
    _add_pictures(parser)
    _add_length(parser)
    _add_loss(parser)
    _add_optimizer(parser)
    _add_validation(parser)
    _add_device(parser)
    for flag in REFUSED:
        parser.add_argument(f"--{flag}", action=_Refused, nargs="?", help=argparse.SUPPRESS)


def _add_folders(parser: argparse.ArgumentParser) -> None:
    """Which base, which samples, where the results are written."""
    add = parser.add_argument
    add(
        "--pretrained_model_name_or_path",
        default=sticker_nano.NAME,
        help=f"{sticker_nano.NAME} (the default), sd-2.1, sd-2.1-base, a diffusers folder, a .safetensors file",
    )
    flags.add_data(parser, required=False)
    add("--dataset_name", help="the same as --train_data_dir: a local folder")
    add(
        "--output_dir",
        type=Path,
        default=Path("sd-model-finetuned-lora"),
        help="where everything is written; one folder for one training. Default: sd-model-finetuned-lora",
    )
    add(
        "--overwrite_output_dir",
        action="store_true",
        help="remove the training that is in OUTPUT_DIR, its comparison too, once this one begins",
    )


def _add_pictures(parser: argparse.ArgumentParser) -> None:
    """How the pictures of the samples are prepared."""
    add = parser.add_argument
    add(
        "--resolution",
        type=up_to(MOST_SIDE),
        help="pixels of a side; default: the base's own (reference: 512)",
    )
    add(
        "--random_flip",
        action=argparse.BooleanOptionalAction,
        help="default: what suits the base (reference: off); not for lettering",
    )
    add(
        "--center_crop",
        action="store_true",
        help="fill the square and cut off the rest; without it pictures are padded, whole "
        "(the reference crops at random)",
    )
    add(
        "--image_interpolation_mode",
        choices=INTERPOLATIONS,
        default="lanczos",
        help="how pictures are resized; default: lanczos. Of pictures, nearest_exact is nearest",
    )
    add(
        "--composite",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="put pictures onto a flat background by their alpha; --no-composite drops alpha as the reference "
        "does, and is there to measure that",
    )
    add("--background", default="auto", metavar="auto|NAME", help=BACKGROUNDS_HELP)
    add(
        "--style_words",
        type=flags.text,
        default="auto",
        metavar="auto|none|WORDS",
        help="words at the end of every caption and prompt. auto: the name of the style that the samples look most "
        "like, of those that the base knows by name; Stable Diffusion knows none (reference: none)",
    )
    add(
        "--dataloader_num_workers",
        type=up_to(MOST_THREADS, least=0),
        default=0,
        help="taken; everything is encoded once, before",
    )


def _add_length(parser: argparse.ArgumentParser) -> None:
    """Batches, steps, checkpoints."""
    add = parser.add_argument
    add(
        "--train_batch_size",
        type=up_to(MOST_SAMPLES),
        help="samples of one step, per process and micro-batch; default: the base's own (reference: 16)",
    )
    add(
        "--gradient_accumulation_steps",
        type=up_to(MOST_SAMPLES),
        default=1,
        help="micro-batches of --train_batch_size that make up one step",
    )
    add(
        "--num_train_epochs",
        type=up_to(MOST_EPOCHS),
        help="how often each sample is seen, if --max_train_steps is not given (reference: 100)",
    )
    add("--max_train_steps", type=up_to(MOST_STEPS), help="default: the base's own")
    add(
        "--checkpointing_steps",
        type=up_to(MOST_STEPS),
        help="default: the base's own, 400 with Stable Diffusion (reference: 500)",
    )
    add(
        "--checkpoints_total_limit",
        type=whole,
        help="how many resume states are kept; the adapters themselves all stay, for the last is seldom the best",
    )
    add("--resume_from_checkpoint", metavar="latest|NAME", help="go on from OUTPUT_DIR/checkpoint-N")


def _add_loss(parser: argparse.ArgumentParser) -> None:
    """The adapter's layers, and the loss they are trained with."""
    add = parser.add_argument
    add("--seed", type=seed, default=0, help="0 (reference: another one each time)")
    add("--rank", type=up_to(MOST_RANK), help="default: the base's own (reference: 4)")
    add("--lora_alpha", type=positive(10_000), help="default: the rank")
    add(
        "--lora_targets",
        choices=tuple(TARGETS),
        default=DEFAULT_TARGETS,
        help="which layers learn; feed-forward ones carry style, conv adds ResNets' (reference: attention)",
    )
    add(
        "--caption_dropout",
        type=between(0, 1),
        help="share of samples shown without caption; 0.1 (reference: 0)",
    )
    add(
        "--snr_gamma",
        type=between(0, 1000),
        help="min-SNR weighting, 0 for none; default: the base's own (reference: none)",
    )
    add(
        "--noise_offset",
        type=between(-1, 1),
        default=0.0,
        help="moves each channel's noise as a whole, for very dark or bright pictures; default: 0",
    )
    add(
        "--timestep_sampling",
        type=_timestep_sampling,
        metavar="stratified|uniform|'log-snr M'",
        help="stratified: noise levels evenly spread over a batch; uniform: as in the reference; 'log-snr -4': around "
        "this logarithm of the signal-to-noise ratio, lower is noisier; default: the base's own",
    )
    add(
        "--ema_decay",
        type=below_one,
        help="save the adapter's running average, 0 for none; default: the base's own (reference: none)",
    )
    add("--prediction_type", choices=["epsilon", "v_prediction"], help="only the base's own can be right")


def _timestep_sampling(text: str) -> str:
    """A name that ``lora.training.timesteps`` knows."""
    kind, _, mean = text.partition(" ")
    if kind == "log-snr":
        return f"{kind} {between(-20, 20)(mean):g}"
    if text not in ("stratified", "uniform"):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not stratified, uniform or 'log-snr M' with a number M"
        )
    return text


def _add_optimizer(parser: argparse.ArgumentParser) -> None:
    """Learning rate and AdamW."""
    add = parser.add_argument
    add("--learning_rate", type=positive(1), help="default: the base's own (reference: 1e-4)")
    add("--scale_lr", action="store_true", help="times processes, micro-batches and batch size")
    add(
        "--lr_scheduler",
        choices=SCHEDULERS,
        default="constant",
        help="how the rate goes on after the warm-up; default: constant. All others end with the last step, so a "
        "resume needs the same number of steps",
    )
    add(
        "--lr_warmup_steps",
        type=up_to(MOST_STEPS, least=0),
        help="with every scheduler, constant too; default: the base's own (reference: 500, without effect)",
    )
    add("--max_grad_norm", type=positive(1e9), default=1.0, help="it has an effect, unlike in the reference")
    add("--adam_beta1", type=below_one, default=0.9, help="AdamW's memory of gradients; default: 0.9")
    add("--adam_beta2", type=below_one, default=0.999, help="and of their squares; default: 0.999")
    add("--adam_weight_decay", type=between(0, 1), default=1e-2, help="pulls weights to zero; default: 0.01")
    add(
        "--adam_epsilon", type=positive(1), default=1e-8, help="keeps AdamW from dividing by 0; default: 1e-8"
    )


def _add_validation(parser: argparse.ArgumentParser) -> None:
    """Drawings and losses during the training, and where they are reported."""
    add = parser.add_argument
    add(
        "--validation_prompt",
        type=flags.text,
        help="draw this on the way, into OUTPUT_DIR/validation and TensorBoard",
    )
    add(
        "--num_validation_images",
        type=up_to(MOST_PICTURES),
        default=4,
        help="drawings of it each time; default: 4",
    )
    add(
        "--validation_epochs",
        type=up_to(MOST_EPOCHS),
        help="draw, and take the loss on held-out samples, every so many epochs; default: with each checkpoint "
        "(reference: 1)",
    )
    held_out = parser.add_mutually_exclusive_group()
    held_out.add_argument(
        "--validation_share", type=between(0, 1), default=0.0, help="hold out this share of the samples"
    )
    held_out.add_argument("--validation_data_dir", type=Path, help="a folder of samples to take the loss on")
    add("--logging_dir", type=Path, default=Path("logs"), help="inside OUTPUT_DIR")
    add(
        "--report_to",
        type=without(REPORTS_REFUSED),
        choices=["tensorboard", "all", "none"],
        default="tensorboard",
        help="all is tensorboard: services on the net are not reported to; metrics.jsonl is always written",
    )


def _add_device(parser: argparse.ArgumentParser) -> None:
    """Device, precision, memory."""
    add = parser.add_argument
    flags.add_machine(parser)
    add("--local_rank", type=_local_rank, default=-1, help="taken; the launcher's environment says it")
    add(
        "--mixed_precision",
        type=without(PRECISIONS_REFUSED),
        choices=["no", "bf16"],
        help="the base's frozen weights: bf16 on a GPU and on a CPU that multiplies it natively, else float32 (no). "
        "The adapter is always float32. fp16 is not offered: Stable Diffusion 2.1's attention overflows in it",
    )
    add("--allow_tf32", action="store_true", help="faster float32 on a GPU")
    add("--gradient_checkpointing", action="store_true", help="less memory, a third slower")


def _local_rank(text: str) -> int:
    """The number of a process on its machine, or -1 for a launch without several."""
    return -1 if text == "-1" else up_to(MOST_PROCESSES - 1, least=0)(text)


def precision(args: argparse.Namespace) -> str | None:
    """``no``, ``bf16``, or None: then the device decides. Raises UsageError.

    Without --mixed_precision, that of ``accelerate launch`` is used.
    """
    if args.mixed_precision:
        return str(args.mixed_precision)
    launched = os.environ.get("ACCELERATE_MIXED_PRECISION", "no")  # "no" is its default
    if launched not in ("no", "bf16"):
        raise UsageError(f"mixed precision {launched} is not offered; bf16 is, with --mixed_precision=bf16")
    return None if launched == "no" else launched


def make_plan(args: argparse.Namespace, base: Base, samples: int, processes: Processes) -> Plan:
    """The plan from the flags; the rest comes from the base's profile. Raises UsageError."""
    from lora.jobs import TrainSettings
    from lora.training.plan import make_plan

    _check(args, base)
    # A batch of the plan is over all processes and micro-batches; the flag means one micro-batch.
    micro_batches = args.gradient_accumulation_steps * processes.world_size
    settings = TrainSettings(
        steps=args.max_train_steps,
        batch_size=args.train_batch_size and args.train_batch_size * micro_batches,
        learning_rate=args.learning_rate,
        rank=args.rank,
        checkpoint_steps=args.checkpointing_steps,
        seed=args.seed,
    )
    plan = make_plan(base, settings, samples=samples)
    plan = replace(plan, batch_size=max(plan.batch_size, micro_batches))  # no micro-batch is empty
    if args.max_train_steps is None and args.num_train_epochs is not None:
        plan = replace(plan, steps=args.num_train_epochs * math.ceil(samples / plan.batch_size))
    given = {field: getattr(args, flag) for flag, field in FIELDS.items() if getattr(args, flag) is not None}
    return replace(
        plan,
        **given,
        learning_rate=plan.learning_rate * (plan.batch_size if args.scale_lr else 1),
        schedule=args.lr_scheduler.removesuffix("_with_warmup"),
        interpolation=args.image_interpolation_mode.removesuffix("_exact"),
        snr_gamma=_unless_zero(args.snr_gamma, plan.snr_gamma),
        ema_decay=_unless_zero(args.ema_decay, plan.ema_decay),
        validation_steps=_validation_steps(args, plan, samples),
    )


def _unless_zero(given: float | None, default: float | None) -> float | None:
    """The given value, None for 0; the default if no value was given."""
    return default if given is None else given or None


def _validation_steps(args: argparse.Namespace, plan: Plan, samples: int) -> int | None:
    """Steps between two validations; None if no flag asks for a validation."""
    if not (args.validation_prompt or args.validation_share or args.validation_data_dir):
        return None
    if args.validation_epochs is None:
        return plan.checkpoint_steps
    return int(args.validation_epochs * math.ceil(samples / plan.batch_size))


def _check(args: argparse.Namespace, base: Base) -> None:
    """Check the flags whose allowed values depend on the base or on the format of adapters. Raises UsageError."""
    from lora.adapters.adapter_file import MAX_STYLE_WORDS

    kind = base.scheduler.config.prediction_type
    if args.prediction_type not in (None, kind):
        raise UsageError(
            f"--prediction_type {args.prediction_type}: {base.name} predicts {kind}, as its scheduler says; "
            "leave the flag out"
        )
    if args.resolution and args.resolution % base.resolution_unit:
        raise UsageError(
            f"--resolution {args.resolution}: must be a multiple of {base.resolution_unit} for this base"
        )
    if len(args.style_words) > MAX_STYLE_WORDS:
        raise UsageError(f"--style_words: {len(args.style_words)} characters; {MAX_STYLE_WORDS} are the most")
    if args.background != "auto" and args.background not in base.profile.backgrounds:
        known = ", ".join(base.profile.backgrounds)
        raise UsageError(f"--background {args.background}: auto, {known} are known")
