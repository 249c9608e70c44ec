"""Scenes show who does what with what, as their captions say."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from lora.pretrain.acts import table
from lora.pretrain.acts.act import Act, Source
from lora.pretrain.acts.compose import SHOWN, compose
from lora.pretrain.acts.eyes import features_of, find_eyes
from lora.pretrain.acts.figure import Build
from lora.pretrain.acts.plan import PROPS, Cast
from lora.pretrain.acts.sprite import SIDE, Sprite
from lora.pretrain.acts.words import FORMS, MOODS, act_words, all_act_words
from lora.pretrain.names.held_out_words import SYNONYMS
from tests.lora.pretrain import small_set
from tests.lora.pretrain.small_set import (
    BALL,
    BOARD,
    BOOK,
    CONCEPTS,
    CUP,
    DRAWINGS,
    HAT,
    HEART,
    PICTURES,
    TEAR,
)


def row(concept: str) -> int:
    return CONCEPTS.index(concept)


@pytest.fixture(scope="module")
def source() -> Source:
    return Source(lambda at: PICTURES[CONCEPTS[at]], CONCEPTS)


def seen(picture: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """Where a picture has a colour, bool [256, 256]."""
    return (np.abs(picture[..., :3].astype(int) - colour).max(axis=2) < 24) & (picture[..., 3] > 200)


def height_of(where: np.ndarray) -> float:
    """The mean height of what is seen, 0 at the top, 1 at the bottom."""
    assert where.sum() > 100
    return float(np.nonzero(where)[0].mean()) / SIDE


def test_eyes_are_found_where_they_are() -> None:
    eyes = find_eyes(Sprite(PICTURES["bear"]))
    assert eyes is not None
    assert abs(eyes.x - 0.5 * SIDE) < 2
    assert abs(eyes.y - 0.42 * SIDE) < 2
    assert abs(eyes.apart - 0.14 * SIDE) < 2
    assert find_eyes(Sprite(PICTURES["soccer ball"])) is None


def test_features_are_taken_without_the_face() -> None:
    """Eyes, mouth and tears keep their colours; the yellow of the face is gone."""
    features = features_of(Sprite(PICTURES["loudly crying face"])).rgba
    assert (
        seen(features, small_set.INK).sum() > 0.7 * seen(PICTURES["loudly crying face"], small_set.INK).sum()
    )
    assert seen(features, TEAR).sum() > 0.7 * seen(PICTURES["loudly crying face"], TEAR).sum()
    assert (features[..., 3] > 100).mean() < 0.2


CASES = (
    ("drinking", "bear", "hot beverage", CUP),
    ("eating", "bear", "soccer ball", BALL),
    ("holding", "bear", "soccer ball", BALL),
    ("holding", "banana", "tulip", BALL),
    ("playing", "ghost", "guitar", BOOK),
    ("reading", "bear", "open book", BOOK),
    ("wearing", "bear", "top hat", HAT),
    ("riding", "bear", "skateboard", BOARD),
    ("riding", "dog", "skateboard", BOARD),
    ("in", "bear", "canoe", BOARD),
    ("on", "banana", "star", BOARD),
    ("loving", "bear", "soccer ball", BALL),
    ("beside", "ghost", "soccer ball", BALL),
)
BUILDS = {"bear": Build.HEAD, "banana": Build.THING, "ghost": Build.WHOLE, "dog": None}


def scene(verb: str, actor: str, other: str = "", emotion: str = "", face: str = "") -> Act:
    return Act(
        verb=verb,
        actor=row(actor),
        build=BUILDS[actor],
        other=row(other) if other else -1,
        emotion=emotion,
        face=row(face) if face else -1,
        neutral=row("slightly smiling face"),
        mark={"loving": row("red heart"), "breathing fire": row("fire")}.get(verb, -1),
        seed=3,
    )


@pytest.mark.parametrize(("verb", "actor", "other", "colour"), CASES)
def test_both_the_character_and_the_thing_are_seen(
    source: Source, verb: str, actor: str, other: str, colour: tuple[int, int, int]
) -> None:
    picture = compose(scene(verb, actor, other), source)
    assert seen(picture, colour).sum() > 300
    own = tuple(int(v) for v in PICTURES[actor][SIDE // 2, SIDE // 2, :3])
    assert seen(picture, (own[0], own[1], own[2])).sum() > 1000


def test_the_same_act_is_the_same_picture(source: Source) -> None:
    act = scene("holding", "banana", "soccer ball")
    assert np.array_equal(compose(act, source), compose(act, source))


def test_things_are_where_the_verb_says(source: Source) -> None:
    """A hat is above the eyes, a cup below them, a skateboard below all."""
    hat = compose(scene("wearing", "bear", "top hat"), source)
    cup = compose(scene("drinking", "bear", "hot beverage"), source)
    board = compose(scene("riding", "bear", "skateboard"), source)
    assert height_of(seen(hat, HAT)) < 0.35
    assert 0.45 < height_of(seen(cup, CUP)) < 0.75
    assert height_of(seen(board, BOARD)) > 0.8


@pytest.mark.parametrize("actor", ["bear", "banana"])
def test_emotions_are_moved_onto_heads_and_things(source: Source, actor: str) -> None:
    """A crying one has tears and an enamoured one hearts, where a calm one has neither."""
    calm = compose(scene("feeling", actor, face="slightly smiling face"), source)
    crying = compose(scene("feeling", actor, emotion="crying", face="loudly crying face"), source)
    loving = compose(scene("feeling", actor, emotion="in love", face="smiling face with heart-eyes"), source)
    assert not seen(calm, TEAR).any()
    assert not seen(calm, HEART).any()
    assert seen(crying, TEAR).sum() > 200
    assert seen(loving, HEART).sum() > 200


def test_acts_are_planned_of_one_set_and_said_with_their_verb(source: Source) -> None:
    """Every drawing with a role gets scenes, in which its own set's drawings are; the caption names both."""
    other_set = [{**drawing, "style": "other set"} for drawing in DRAWINGS]
    doubled = Source(lambda at: PICTURES[CONCEPTS[at % len(CONCEPTS)]], CONCEPTS * 2)
    drawings = DRAWINGS + other_set
    cast, rng = Cast(drawings, doubled), Random(1)
    acts = [act for at in range(len(drawings)) for _ in range(12) if (act := cast.act(at, rng))]
    assert {act.verb for act in acts} >= set(PROPS) | {"feeling"}
    for act in acts:
        rows = {at for at in (act.actor, act.other, act.face, act.mark) if at >= 0}
        assert len({drawings[at]["style"] for at in rows}) == 1
        words = act_words(act, drawings, rng)
        assert "{" not in words
        assert act.emotion == "" or act.face >= 0
        assert (CONCEPTS[act.actor % len(CONCEPTS)], act.emotion) != ("banana", "crying")  # held out
    assert cast.act(row("slightly smiling face"), rng) is None


def test_captions_have_no_held_out_word() -> None:
    assert set(FORMS) == set(SHOWN)
    assert set(MOODS) == set(table.EMOTIONS)
    assert not {word for text in all_act_words() for word in text.split()} & set(SYNONYMS)
