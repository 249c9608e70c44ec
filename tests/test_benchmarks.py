"""What the measurements rest on: the words kept out of training, the unseen names, the colour judge."""

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.colours import ASKED, colour_of, recoloured
from benchmarks.prompt_scores import CHOSEN, NONE, OTHERS, READ, SCORES, auc
from lora.choose import OTHER_PROMPTS
from lora.pretrain.drawings import SETS, UNSEEN, is_cut_out
from lora.pretrain.held_out_words import SYNONYMS
from lora.pretrain.unseen_names import BY_STYLE
from lora.scorers.classifier import LEVELS, fidelity


def test_the_held_out_words_are_sixty_and_each_asks_for_another_concept() -> None:
    """Two words for one concept would be one question asked twice."""
    assert len(SYNONYMS) == len(set(SYNONYMS.values())) == 60
    assert not set(SYNONYMS) & set(SYNONYMS.values())


@pytest.mark.parametrize("style", BY_STYLE)
def test_an_unseen_style_has_enough_names_and_none_twice(style: str) -> None:
    """28 samples and 20 other concepts can be drawn from each style, and it is not one that is trained on."""
    names = list(BY_STYLE[style].values())
    assert len(names) == len(set(names)) >= 48
    assert style in UNSEEN
    assert style not in SETS


def disc(colour: tuple[int, int, int]) -> np.ndarray:
    """A disc with a black rim, transparent round it: RGBA."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    picture = np.zeros((64, 64, 4), dtype=np.uint8)
    picture[x * x + y * y < 0.8] = (10, 10, 10, 255)
    picture[x * x + y * y < 0.6] = (*colour, 255)
    return picture


@pytest.mark.parametrize("colour", ASKED)
def test_the_judge_names_the_colour_that_a_drawing_was_given(colour: str) -> None:
    assert colour_of(recoloured(disc((200, 150, 90)), colour)) == colour


@pytest.mark.parametrize("shade", [(255, 255, 255), (128, 128, 128), (0, 0, 0)])
def test_the_judge_names_no_colour_where_there_is_none(shade: tuple[int, int, int]) -> None:
    assert colour_of(Image.new("RGB", (64, 64), shade)) is None


def test_a_drawing_that_fills_the_square_is_no_cut_out() -> None:
    assert is_cut_out(disc((200, 0, 0)))
    assert not is_cut_out(np.full((8, 8, 4), 255, dtype=np.uint8))
    assert not is_cut_out(np.zeros((8, 8, 4), dtype=np.uint8))


def test_the_measured_score_is_the_products() -> None:
    """What benchmarks.fidelity makes of a Gram matrix is what the product makes of the predictions themselves."""
    chance = torch.Generator().manual_seed(1)
    missed = torch.randn(len(READ), OTHERS + 2, 50, generator=chance).double()
    gram = (missed @ missed.transpose(1, 2) / 50).numpy()
    at = [READ.index(level) for level in LEVELS]
    wanted = fidelity([missed[i, : 1 + OTHER_PROMPTS] for i in at])
    assert CHOSEN(gram[None])[0] == pytest.approx(wanted)


def test_every_score_is_better_the_better_the_caption_fits() -> None:
    """The right caption misses little, the others more: each score is over those of the wrong ones."""
    missed = np.random.default_rng(2).normal(size=(len(READ), OTHERS + 2, 50))
    missed[:, 0] *= 0.1
    missed[:, NONE] *= 0.5
    gram = missed @ missed.transpose(0, 2, 1) / 50
    for score in SCORES:
        assert auc(score(gram[None]), score.wrong(gram[None])) >= 0.9, score.name


def test_ties_are_chance() -> None:
    """A rank with a ceiling gets no credit for equal scores."""
    assert auc(np.ones(4), np.ones((3, 4))) == 0.5
    assert auc(np.array([1.0, 3.0]), np.array([2.0])) == 0.5
    assert auc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1
