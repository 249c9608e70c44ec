"""The flags of train: each is explained; a flag or value without a meaning is refused with a reason."""

import argparse
from pathlib import Path

import pytest

from lora.__main__ import main
from lora.adapters import lora_layers
from lora.cli.flags import between, text
from lora.cli.train_flags import REFUSED
from lora.jobs import Sample
from tests.sample_folder import write_folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, samples: tuple[Sample, ...]) -> Path:
    folder = tmp_path_factory.mktemp("samples")
    write_folder(folder, samples)
    return folder


def test_every_choice_of_layers_can_be_asked_for() -> None:
    """--lora_targets offers the keys of TARGETS."""
    from lora.__main__ import _parser

    _, verbs = _parser()
    action = verbs["train"]._option_string_actions["--lora_targets"]
    assert action.choices == tuple(lora_layers.TARGETS)


@pytest.mark.parametrize(
    "flag", [*REFUSED, "rank=0", "seed=-1", "learning_rate=x", "lr_scheduler=x", "report_to=wandb"]
)
def test_flags_without_meaning_are_refused(flag: str, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No flag of the reference script is ignored: one without an effect here is an error with a reason."""
    with pytest.raises(SystemExit) as refused:
        main(["train", "--train_data_dir", str(data), f"--{flag}"])
    assert refused.value.code == 2
    said = capsys.readouterr().err
    assert flag.split("=")[0] in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("flag", "reason"),
    [
        ("--mixed_precision=fp16", "attention overflows in it; take bf16"),
        ("--report_to=wandb", "nothing is sent there; take tensorboard"),
        ("--report_to=comet_ml", "nothing is sent there; take tensorboard"),
        ("--adam_beta1=1", "'1' is no number from 0 to under 1"),
        ("--adam_beta2=nan", "'nan' is no number from 0 to under 1"),
        ("--adam_weight_decay=-1", "'-1' is no number from 0 to 1"),
        ("--adam_weight_decay=nan", "'nan' is no number from 0 to 1"),
        ("--snr_gamma=-3", "'-3' is no number from 0 to 1000"),
        ("--snr_gamma=nan", "'nan' is no number from 0 to 1000"),
        ("--noise_offset=nan", "'nan' is no number from -1 to 1"),
        ("--noise_offset=inf", "'inf' is no number from -1 to 1"),
        ("--learning_rate=abc", "'abc' is no number over 0, at most 1"),
        ("--ema_decay=1", "'1' is no number from 0 to under 1"),
        ("--seed=9999999999999999999999999", "no whole number from 0 to 2^63 - 1"),
        ("--seed=9223372036854775808", "no whole number from 0 to 2^63 - 1"),
        ("--local_rank=-2", "'-2' is no whole number from 0 to 1023"),
        ("--local_rank=1024", "'1024' is no whole number from 0 to 1023"),
        ("--threads=-1", "'-1' is no whole number from 0 to 1024"),
        ("--rank=" + "9" * 5000, "is no whole number from 1 to 1280"),
        ("--rank=100000", "'100000' is no whole number from 1 to 1280"),
        ("--resolution=100000", "'100000' is no whole number from 1 to 2048"),
        ("--lerning_rate=1", "unknown: --lerning_rate (did you mean --learning_rate?)"),
        ("--timestep_sampling=log-snr", "no number from -20 to 20"),
        ("--timestep_sampling=logit", "is not stratified, uniform or 'log-snr M'"),
        ("--seed=--", "argument --seed: '--' is no value"),
        ("--keyword=\udcff", r"argument --keyword: '\udcff' is no UTF-8 text"),
        ("--validation_prompt=\udcff", r"'\udcff' is no UTF-8 text"),
        ("--qqq", "unknown: --qqq; python -m lora train --help"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_the_reason(
    flag: str, reason: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is loaded, with one line that names the flag and does not list all flags."""
    with pytest.raises(SystemExit) as refused:
        main(["train", "--train_data_dir", str(data), flag])
    assert refused.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("python -m lora train: ")
    assert flag.split("=")[0] in said
    assert reason in said
    assert said.count("\n") == 1


def test_every_number_has_bounds() -> None:
    """No command takes a number that no machine can do; what only cuts off, or names something, may be any."""
    from lora.__main__ import _parser

    harmless = {"max_train_samples", "checkpoints_total_limit", "choose", "seed"}
    texts = {"report_to", "mixed_precision", "timestep_sampling"}
    flags = [
        (f"{command} --{action.dest}", action.type)
        for command, verb in _parser()[1].items()
        for action in verb._actions
        if callable(action.type) and action.type not in (Path, text) and action.dest not in harmless | texts
    ]
    assert len(flags) > 40
    for name, read in flags:
        for huge in ("100000000000", "1e30"):
            with pytest.raises((argparse.ArgumentTypeError, ValueError)):
                raise AssertionError(f"{name} takes {read(huge)}")


def test_numbers_are_digits() -> None:
    """Python's own 1_0, and digits of other scripts, are none, for no flag of any command; an exponent is."""
    from lora.__main__ import _parser

    flags = [
        (f"{command} --{action.dest}", action.type)
        for command, verb in _parser()[1].items()
        for action in verb._actions
        if callable(action.type)
        and action.type not in (Path, text)
        and action.dest not in ("report_to", "mixed_precision")
    ]
    assert len(flags) > 40
    for name, read in flags:
        for given in ("1_0", "0_1", "0.0_1", "1_0e0", "١", "log-snr 1_0"):
            with pytest.raises((argparse.ArgumentTypeError, ValueError)):
                raise AssertionError(f"{name} takes {read(given)}")
    assert [between(0, 10)(given) for given in ("1e-3", "1.", ".5", "+2", "1E0")] == [1e-3, 1, 0.5, 2, 1]


def test_every_flag_says_what_it_is_for() -> None:
    """Every flag of train and export has a help text, except those that are refused with a reason."""
    from lora.__main__ import _parser

    _, verbs = _parser()
    bare = [
        f"{name} {action.option_strings[-1]}"
        for name in ("train", "export")
        for action in verbs[name]._actions
        if action.option_strings and not action.help
    ]
    assert bare == []


def test_all_flags_of_the_reference_script_are_known() -> None:
    """Each of its flags is accepted or refused with a reason; none is unknown."""
    from lora.__main__ import _parser

    reference = (
        "pretrained_model_name_or_path revision variant dataset_name dataset_config_name train_data_dir "
        "image_column caption_column validation_prompt num_validation_images validation_epochs "
        "max_train_samples output_dir cache_dir seed resolution center_crop random_flip train_batch_size "
        "num_train_epochs max_train_steps gradient_accumulation_steps gradient_checkpointing learning_rate "
        "scale_lr lr_scheduler lr_warmup_steps snr_gamma use_8bit_adam allow_tf32 dataloader_num_workers "
        "adam_beta1 adam_beta2 adam_weight_decay adam_epsilon max_grad_norm push_to_hub hub_token "
        "prediction_type hub_model_id logging_dir mixed_precision report_to local_rank checkpointing_steps "
        "checkpoints_total_limit resume_from_checkpoint enable_xformers_memory_efficient_attention "
        "noise_offset rank image_interpolation_mode"
    )
    _, verbs = _parser()
    known = {name.removeprefix("--") for name in verbs["train"]._option_string_actions}
    assert set(reference.split()) <= known
