"""Tensors of drawing, counted without a GPU."""

import gc

import torch

from benchmarks import memory_budget
from benchmarks.memory_budget import META, Live
from lora.models.lean import blocks


def test_a_small_card_draws_in_three_gigabytes() -> None:
    """The rest of 3.2 GB is for workspaces. Neither the decoder nor the texts have all networks beside them."""
    found = memory_budget.drawing(small=True)
    stays, peaks = ({part: both[i] / 1e9 for part, both in found.items()} for i in (0, 1))
    assert 2.7 < peaks["base"] < 2.8
    assert max(peaks.values()) < 2.8
    assert peaks["decoded"] < 2.4
    assert peaks["decoded"] > stays["a step"] > 1.8


def test_only_what_is_alive_counts() -> None:
    with Live() as live:
        one = torch.zeros(1000, device=META)
        view = one[:10]
        del one
        assert live.now == 4096
        view += torch.zeros(300, device=META)[:10]
        assert (live.now, live.peak) == (4096, 4096 + 1536)
        del view
        gc.collect()
        assert live.now == 0


def test_sums_of_an_upsampler_need_little_more_than_they_are() -> None:
    with Live() as live:
        weight = torch.zeros(640, 640, 3, 3, device=META, dtype=torch.bfloat16)
        sums = blocks.upsampling_kernel(weight)
        beside = live.peak - live.now
    assert sums.shape == (640, 640, 4, 4)
    assert beside < sums.nbytes
