"""Noise levels of a training's steps."""

from __future__ import annotations

from typing import Any

import torch
from diffusers import DDIMScheduler

from lora.models.sticker_nano import SCHEDULER
from lora.training.timesteps import timesteps

ALPHAS = DDIMScheduler(**SCHEDULER).alphas_cumprod


def drawn(sampling: str, batches: int = 300, size: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.stack([timesteps(sampling, size, ALPHAS, generator) for _ in range(batches)])


def test_stratified_levels_are_spread_over_each_batch() -> None:
    """Each quarter of the levels is in each batch once; uniform levels are not spread so."""
    quarters = drawn("stratified").sort(dim=1).values // (len(ALPHAS) // 4)
    assert (quarters == torch.arange(4)).all()
    assert not (drawn("uniform").sort(dim=1).values // (len(ALPHAS) // 4) == torch.arange(4)).all()


def test_the_flag_gives_what_is_known() -> None:
    """--timestep_sampling takes all three, and the same text for the same levels, so that a resume finds them equal."""
    from lora.__main__ import _parser

    read = _parser()[1]["train"]._option_string_actions["--timestep_sampling"].type
    assert callable(read)
    assert [read(text) for text in ("uniform", "log-snr -4", "log-snr -4.0")] == [
        "uniform",
        *["log-snr -4"] * 2,
    ]
    for text in ("stratified", "uniform", "log-snr 0.5"):
        sampling: Any = read(text)
        assert len(set(drawn(sampling).flatten().tolist())) > 100


def test_log_snr_levels_lie_around_their_mean() -> None:
    """Half of them have less signal than the mean says; a lower mean gives noisier levels, all of them valid."""
    for mean in (-2.0, -4.0):
        found = drawn(f"log-snr {mean:g}").flatten()
        snr = (ALPHAS / (1 - ALPHAS))[found].log()
        assert abs((snr < mean).float().mean() - 0.5) < 0.05
        assert found.min() >= 0
        assert found.max() < len(ALPHAS)
    assert drawn("log-snr -6").float().mean() > drawn("log-snr -2").float().mean()
