"""The initial noise near another's is noise like any other."""

import torch

from lora.drawing import noise

SHAPE = (4, 32, 32)


def test_noise_near_another_is_normal_too() -> None:
    """Mean 0 and variance 1, and as near as the share of the arc says."""
    first, near = noise.initial(SHAPE, 1), noise.initial(SHAPE, 1, (2,))
    assert abs(float(near.mean())) < 0.06
    assert abs(float(near.std()) - 1) < 0.04
    cosine = float((first * near).sum() / (first.norm() * near.norm()))
    assert abs(cosine - torch.cos(torch.tensor(noise.NEAR * torch.pi / 2))) < 0.05


def test_each_seed_leads_elsewhere() -> None:
    """The order counts; the same seeds give the same noise; no seed is an end of the way."""
    found = [noise.initial(SHAPE, 1, near) for near in ((), (2,), (3,), (2, 3), (3, 2))]
    assert len({one.numpy().tobytes() for one in found}) == 5
    assert torch.equal(noise.initial(SHAPE, 1, (2, 3)), found[3])


def test_the_ends_of_the_arc() -> None:
    """Share 0 is the one noise, share 1 the other, and noise to itself stays finite."""
    one, other = noise.initial(SHAPE, 1), noise.initial(SHAPE, 2)
    assert torch.allclose(noise.slerp(one, other, 0.0), one, atol=1e-5)
    assert torch.allclose(noise.slerp(one, other, 1.0), other, atol=1e-5)
    assert torch.isfinite(noise.slerp(one, one, 0.5)).all()
