"""Looks change a drawing in the way that their words say, and the same look is the same picture."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from lora.pretrain import looks
from lora.pretrain.looks import Look, random_look
from lora.pretrain.looks.kinds import KINDS
from lora.pretrain.names.held_out_words import SYNONYMS

SIDE = 96


def drawing() -> np.ndarray:
    """A red disc with a blue disc in it, RGBA."""
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    rgba = np.zeros((SIDE, SIDE, 4), dtype=np.uint8)
    rgba[x * x + y * y < 0.8] = (220, 40, 40, 255)
    rgba[x * x + (y - 0.2) ** 2 < 0.15] = (40, 60, 200, 255)
    return rgba


def shown(kind: str, option: str | None = None) -> np.ndarray:
    return Look(layers=((kind, option or KINDS[kind].options[0]),), seed=5)(drawing())


@pytest.mark.parametrize("kind", KINDS)
def test_a_look_is_the_same_for_the_same_seed_and_leaves_the_corners_free(kind: str) -> None:
    made = shown(kind)
    assert made.shape == (SIDE, SIDE, 4)
    assert made.dtype == np.uint8
    assert np.array_equal(made, shown(kind))
    assert not made[[0, 0, -1, -1], [0, -1, 0, -1], 3].any()
    assert (made[..., 3] > 200).mean() > 0.4
    plain = Look(layers=(), seed=5)(drawing())
    assert np.abs(made.astype(int) - plain).mean() > 0.5


def ring(made: np.ndarray) -> np.ndarray:
    """The colour of the outermost pixel that is opaque, in the middle row from the left."""
    row = made[SIDE // 2]
    return row[np.nonzero(row[:, 3] > 250)[0][1], :3].astype(int)


def test_lines_have_the_colour_that_their_words_say() -> None:
    """The outline of a red disc is navy or black, a border is white, and line art is white inside."""
    assert ring(shown("outline", "thick navy"))[2] > ring(shown("outline", "thick black"))[2] + 30
    assert ring(shown("outline", "very thick black")).max() < 40
    assert ring(shown("border")).min() > 160
    assert shown("line art", "black")[SIDE // 4, SIDE // 2, :3].min() > 240


def test_a_limited_palette_has_no_other_colours() -> None:
    made = shown("limited", "black and white")
    colours = np.unique(made[made[..., 3] > 250][:, :3], axis=0)
    assert len(colours) <= 4
    assert all(np.ptp(colour) == 0 for colour in colours.astype(int))


def test_random_looks_are_many_and_their_words_name_every_layer() -> None:
    rng = Random(0)
    made = [random_look(rng) for _ in range(300)]
    assert len({look.layers for look in made}) > 150
    assert made == [random_look(rng) for rng in [Random(0)] for _ in range(300)]
    for look in made:
        words = look.words(rng)
        assert words.count(", ") >= len(look.layers) - 1
        assert "{" not in words
    assert {kind for look in made for kind, _ in look.layers} == set(KINDS)


def test_no_held_out_word_is_among_the_words_of_looks() -> None:
    assert not {word for text in looks.all_words() for word in text.split()} & set(SYNONYMS)
