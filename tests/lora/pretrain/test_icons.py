"""Icons of one colour become drawings of several, and only those with a right name are used."""

from __future__ import annotations

from random import Random

import numpy as np

from lora.pretrain import drawings
from lora.pretrain.drawings import JUDGES, SETS, UNSEEN
from lora.pretrain.looks.painted import painted
from lora.pretrain.names.icons import ICONS, WRONG


def ring(inner: int) -> np.ndarray:
    """A black ring whose middle has the alpha ``inner``, RGBA."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    icon = np.zeros((96, 96, 4), dtype=np.uint8)
    icon[x * x + y * y < 0.8, 3] = 255
    icon[x * x + y * y < 0.4, 3] = inner
    return icon


def test_lines_light_parts_and_holes_get_colours_of_their_own() -> None:
    for inner in (0, 51):
        made = painted(ring(inner), Random(1))
        assert np.array_equal(made, painted(ring(inner), Random(1)))
        assert (made[48, 48, 3], made[48, 8, 3], made[0, 0, 3]) == (255, 255, 0)
        assert np.abs(made[48, 48, :3].astype(int) - made[48, 8, :3]).max() > 40
    solid = painted(ring(255), Random(2))
    assert len(np.unique(solid[solid[..., 3] == 255][:, :3], axis=0)) == 1
    assert len({tuple(painted(ring(0), Random(seed))[48, 48, :3]) for seed in range(12)}) > 3


def test_icons_are_named_by_emoji_and_wrong_ones_are_left_out() -> None:
    entries = [{"label": label} for label in ("computer mouse", "mouse", "guitar")]
    names = drawings._names("phosphor", entries)
    assert set(names) == {"guitar-duotone", "computer-mouse-duotone"}
    assert set(WRONG) == set(ICONS)
    assert not set(ICONS) & {*SETS, *UNSEEN, *JUDGES}
