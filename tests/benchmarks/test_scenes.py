"""The judge of scenes, and the prompts that it judges."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch

from benchmarks import scene_judge
from benchmarks.prompts import EMOTION_PROMPTS, EMOTIONS, SCENES, ScenePrompt
from benchmarks.scene_judge import CONCEPTS, LABELS, Studio, examples, invented, learned, right
from lora.pretrain.acts import table
from lora.pretrain.drawings import JUDGES, SETS, UNSEEN, Drawing
from lora.pretrain.names.held_out_scenes import EMOTIONS as HELD_OUT_EMOTIONS
from lora.pretrain.names.held_out_scenes import THINGS, is_held_out
from tests.lora.pretrain.small_set import PICTURES


def test_the_prompts_are_sixty_scenes_and_eight_emotions_of_twelve() -> None:
    """None is asked for twice, and the judge learns from no set that a base is trained on."""
    assert len({scene.prompt for scene in SCENES}) == 60
    assert len({scene.prompt for scene in EMOTION_PROMPTS}) == 96
    assert set(EMOTIONS) == set(table.EMOTIONS)
    assert set(scene_judge.JUDGES) <= set(UNSEEN) | set(JUDGES)
    assert not set(scene_judge.JUDGES) & set(SETS)


def test_the_scenes_are_held_out_of_training() -> None:
    """The pairs of the prompts are those that no training shows."""
    for scene in SCENES:
        assert is_held_out(scene.who, scene.what, scene.emotion if not scene.what else "")
    assert len(THINGS) + len(HELD_OUT_EMOTIONS) <= len(SCENES)
    assert not is_held_out("fox", "banana", "angry")


def test_a_small_part_in_one_cell_is_learned() -> None:
    """Which of 12 cells a label's sign is in does not matter."""
    generator = torch.Generator().manual_seed(0)
    signs = torch.randn(3, 32, generator=generator) * 3

    def pictures(count: int) -> tuple[torch.Tensor, torch.Tensor]:
        features = torch.randn(count, 12, 32, generator=generator)
        labels = torch.randint(2, (count, 3), generator=generator).float()
        for at, label in labels.nonzero().tolist():
            features[at, int(torch.randint(12, (), generator=generator))] += signs[label]
        return features.half(), labels

    judge = learned(*pictures(300), steps=150, axes=32, rate=3e-2)
    features, labels = pictures(100)
    with torch.inference_mode():
        found = judge(judge.reduced(features)) > 0
    assert (found == labels.bool()).float().mean() > 0.9


def test_a_prompt_is_right_if_all_it_names_is_seen() -> None:
    scene = ScenePrompt(prompt="", who="cat face", what="guitar", emotion="sad")

    def scores(**values: float) -> torch.Tensor:
        return torch.tensor([values.get(label.replace(" ", "_"), 0.0) for label in LABELS])

    assert right(scores(cat=2, guitar=1, sad=1), scene)
    assert not right(scores(cat=2, guitar=1, happy=1), scene)
    assert not right(scores(cat=2, fox=3, dog=3, guitar=1, sad=1), scene)


def test_composites_are_made_of_the_sets_that_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenes that a set has all drawings for are composed; the others are left out."""
    named = [
        Drawing(style="openmoji", concept=concept, tags=(), group=0 if "face" in concept else 4, svg=concept)
        for concept in PICTURES
    ]
    monkeypatch.setattr(scene_judge, "render", lambda svg: PICTURES[svg])
    studio, rng = Studio(named, ["openmoji"]), Random(0)
    wanted = ScenePrompt(prompt="", verb="drinking", who="bear", what="hot beverage")
    made = studio.scene(wanted, rng)
    assert made is not None
    assert made.labels == {"bear", "hot beverage"}
    assert np.asarray(made.picture).shape == (256, 256, 3)
    assert (
        studio.scene(ScenePrompt(prompt="", verb="drinking", who="panda", what="hot beverage"), rng) is None
    )
    crying = studio.scene(ScenePrompt(prompt="", who="banana", emotion="crying"), rng)
    assert crying is not None
    assert crying.labels == {"banana", "crying"}
    single = next(one for one in examples(studio, rng) if len(one.labels) == 1)
    assert single.labels < set(LABELS)
    assert {invented(rng).who for _ in range(200)} <= {
        c for s in (*SCENES, *EMOTION_PROMPTS) for c in (s.who,)
    }


def test_a_judge_is_stored_and_read(tmp_path: Path) -> None:
    judge = scene_judge.Judge()
    scene_judge.save(judge, tmp_path / "judge.safetensors")
    read = scene_judge.load_judge(tmp_path / "judge.safetensors")
    reduced = torch.randn(2, 49, scene_judge.AXES)
    assert torch.equal(read(reduced), judge(reduced))
    assert read(reduced).shape == (2, len(LABELS))
    assert len(CONCEPTS) > 40
