"""The denoiser of drawing computes what diffusers' own computes."""

import copy

import pytest
import torch
from torch import Tensor, nn

from lora.drawing.lean_denoiser import LeanDenoiser, make_lean_denoiser
from lora.models.base_model import Base


@pytest.fixture
def lean(base: Base) -> LeanDenoiser:
    made = copy.deepcopy(base.unet)
    assert make_lean_denoiser(made)
    assert isinstance(made, LeanDenoiser)
    return made


@pytest.fixture
def latents(base: Base) -> Tensor:
    side = base.unet.config.sample_size
    found = torch.randn(3, 4, side, side, generator=torch.Generator().manual_seed(0))
    return found.to(memory_format=torch.channels_last)


@torch.no_grad()
def test_a_pair_of_texts_sees_a_picture_once(base: Base, lean: LeanDenoiser, latents: Tensor) -> None:
    """As each of the pair alone, also with what the noise level adds computed before, among that of other levels."""
    texts = base.embed(["", "a cat", "", "a dog", "blue", "a cup"])
    wanted = base.unet(
        latents.repeat_interleave(2, 0), torch.tensor([300]), encoder_hidden_states=texts
    ).sample
    shifts = lean.shifts_of(torch.tensor([700, 300, 20]))
    for timestep in (torch.tensor([300]), shifts[1:2]):
        found = lean(latents, timestep, encoder_hidden_states=texts).sample
        torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_without_pairs_it_is_the_denoiser(base: Base, lean: LeanDenoiser, latents: Tensor) -> None:
    """Each picture with a noise level of its own."""
    texts, times = base.embed(["a cat", "a dog", ""]), torch.tensor([1, 500, 999])
    found, wanted = (one(latents, times, encoder_hidden_states=texts).sample for one in (lean, base.unet))
    torch.testing.assert_close(found, wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_channels_stay_last(base: Base, lean: LeanDenoiser, latents: Tensor) -> None:
    """Another layout would be copied before each convolution."""
    lean.to(memory_format=torch.channels_last)
    seen: list[bool] = []

    def look(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        seen.append(given[0].is_contiguous(memory_format=torch.channels_last))

    for module in lean.modules():
        if isinstance(module, nn.GroupNorm | nn.Conv2d):
            module.register_forward_pre_hook(look)
    lean(latents, torch.tensor([300]), encoder_hidden_states=base.embed(["", "a cat"] * 3))
    assert seen
    assert all(seen)


@torch.no_grad()
def test_the_compiler_takes_all_of_it_at_once(base: Base, lean: LeanDenoiser, latents: Tensor) -> None:
    compiled = torch.compile(lean, fullgraph=True, dynamic=False, backend="eager")
    texts, shifts = base.embed(["", "a cat"] * 3), lean.shifts_of(torch.tensor([300]))
    found, wanted = (one(latents, shifts, encoder_hidden_states=texts).sample for one in (compiled, lean))
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)


def test_a_denoiser_of_another_kind_stays(base: Base) -> None:
    other = copy.deepcopy(base.unet)
    other.class_embedding = nn.Linear(2, 2)
    assert not make_lean_denoiser(other)
    assert type(other) is type(base.unet)
