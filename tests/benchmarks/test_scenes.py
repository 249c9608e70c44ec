"""The judge of scenes, and the prompts that it judges."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import scene_studio, scenes
from benchmarks.prompts import EMOTION_PROMPTS, EMOTIONS, SCENES, ScenePrompt
from benchmarks.scene_judge import learned, load_judge, right, save
from benchmarks.scene_studio import LABELS, Shown, Studio
from benchmarks.scenes import UNTRAINED
from lora.pretrain.acts import table
from lora.pretrain.drawings import JUDGES, SETS, UNSEEN, Drawing
from lora.pretrain.names.held_out_scenes import EMOTIONS as HELD_OUT_EMOTIONS
from lora.pretrain.names.held_out_scenes import THINGS, is_held_out
from lora.pretrain.names.icons import ICONS
from tests.lora.pretrain.small_set import PICTURES


def test_the_prompts_are_sixty_scenes_and_eight_emotions_of_twelve() -> None:
    """None is asked for twice, and the judge learns from no set that a base is trained on."""
    assert len({scene.prompt for scene in SCENES}) == 60
    assert len({scene.prompt for scene in EMOTION_PROMPTS}) == 96
    assert set(EMOTIONS) == set(table.EMOTIONS)
    assert set(UNTRAINED) <= set(UNSEEN) | set(JUDGES)
    assert not set(UNTRAINED) & {*SETS, *ICONS}


def test_the_scenes_are_held_out_of_training() -> None:
    """The pairs of the prompts are those that no training shows."""
    for scene in SCENES:
        assert is_held_out(scene.who, scene.what, scene.emotion if not scene.what else "")
    assert len(THINGS) + len(HELD_OUT_EMOTIONS) <= len(SCENES)
    assert not is_held_out("fox", "banana", "angry")


def test_a_prompt_is_right_if_all_it_names_is_seen() -> None:
    scene = ScenePrompt(prompt="", who="cat face", what="guitar", emotion="sad")

    def scores(**values: float) -> torch.Tensor:
        return torch.tensor([values.get(label.replace(" ", "_"), 0.0) for label in LABELS])

    assert right(scores(cat=2, guitar=1, sad=1), scene)
    assert not right(scores(cat=2, guitar=1, happy=1), scene)
    assert not right(scores(cat=2, fox=3, dog=3, guitar=1, sad=1), scene)


def test_what_every_such_scene_shows_is_no_mistake() -> None:
    """Hearts of somebody in love, and the glasses of somebody cool, take no place among the highest scores."""
    loving = ScenePrompt(prompt="", verb="loving", who="cat face", what="fish")
    values = {"red heart": 4.0, "dog": 3.0, "cat": 2.0, "fish": 1.0}
    scores = torch.tensor([values.get(label, 0.0) for label in LABELS])
    assert right(scores, loving)
    assert not right(scores, ScenePrompt(prompt="", verb="holding", who="cat face", what="fish"))


def test_composites_are_made_of_the_set_that_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenes that a set has all drawings for are composed; the others are left out."""
    named = [
        Drawing(style="openmoji", concept=concept, tags=(), group=0 if "face" in concept else 4, svg=concept)
        for concept in PICTURES
    ]
    monkeypatch.setattr(scene_studio, "render", lambda svg: PICTURES[svg])
    studio, rng = Studio(named, "openmoji"), Random(0)
    made = studio.scene(ScenePrompt(prompt="", verb="drinking", who="bear", what="hot beverage"), rng)
    assert made is not None
    assert made.labels == {"bear", "hot beverage"}
    assert made.picture.shape == (scene_studio.SIDE, scene_studio.SIDE, 3)
    missing = ScenePrompt(prompt="", verb="drinking", who="panda", what="hot beverage")
    assert studio.scene(missing, rng) is None
    crying = studio.scene(ScenePrompt(prompt="", who="banana", emotion="crying"), rng)
    assert crying is not None
    assert crying.labels == {"banana", "crying"}
    single = next(one for one in studio.examples(rng) if len(one.labels) == 1)
    assert single.labels < set(LABELS)


def test_a_judge_learns_and_is_stored(tmp_path: Path) -> None:
    """After a few steps on two pictures it tells them apart, and does so when it is read again."""
    side = scene_studio.SIDE
    pictures = [np.full((side, side, 3), 255, dtype=np.uint8) for _ in range(2)]
    pictures[0][40:150, 40:150] = (250, 40, 40)
    pictures[1][20:60, 20:170] = (30, 60, 250)
    shown = [
        Shown(picture=picture, labels=frozenset(labels))
        for picture, labels in zip(pictures, ({"fox", "sad"}, {"pizza", "happy"}), strict=True)
    ]
    judge = learned(shown, torch.device("cpu"), epochs=5, batch=2)
    save(judge, tmp_path / "judge.safetensors")
    scores = load_judge(tmp_path / "judge.safetensors").scores(pictures)
    fox, pizza = (scores[:, LABELS.index(name)] for name in ("fox", "pizza"))
    assert scores.shape == (2, len(LABELS))
    assert (fox - pizza)[0] > (fox - pizza)[1]
    assert torch.isfinite(scores).all()


def test_drawings_of_another_machine_are_judged_and_compared_with_the_eye(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read from files; each drawing is right by both, by one, or by nobody."""
    for number, value in enumerate((0, 90, 180)):
        Image.new("RGB", (8, 8), (value, 0, 0)).save(tmp_path / f"scenes-{number:02}.png")
    prompts = tuple(ScenePrompt(prompt=f"{number}", who="fox") for number in range(3))
    monkeypatch.setattr(scenes, "load_judge", lambda path, device: FakeJudge())
    args = Namespace(pictures=tmp_path, judge=None, device="cpu", seen_scenes="yny")
    scenes.measure(args, "scenes", prompts)
    said = capsys.readouterr().out
    assert "33.3% of 3" in said
    assert "right by both 1, by the judge alone 0, by the eye alone 1, wrong by both 1" in said
    with pytest.raises(SystemExit, match="3 letters"):
        scenes.compared([True] * 3, "yy")


class FakeJudge:
    """Sees a fox in a black picture, and two other things in each that is red."""

    def scores(self, pictures: list[Image.Image]) -> torch.Tensor:
        rows = torch.zeros(len(pictures), len(LABELS))
        for row, picture in zip(rows, pictures, strict=True):
            red = picture.getpixel((0, 0))[0]
            row[LABELS.index("fox")] = 1.0
            row[[LABELS.index("dog"), LABELS.index("cat")]] = red / 50
        return rows


def test_the_command_composes_trains_and_checks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With four small pictures; the judge is stored, and is right or wrong on each scene that the set has."""
    side = 32
    shown = [Shown(picture=np.full((side, side, 3), 9, dtype=np.uint8), labels=frozenset({"fox", "sad"}))] * 4
    monkeypatch.setattr(scenes, "load_named", lambda folder: [])
    monkeypatch.setattr(scenes, "learnable", lambda named, styles, count, size: shown[:count])
    monkeypatch.setattr(scenes, "real_scenes", lambda named, styles, prompts, size: [(prompts[0], shown[0])])
    file = tmp_path / "judge.safetensors"
    flags = (
        "--examples",
        "4",
        "--epochs",
        "1",
        "--step-size",
        "4",
        "--side",
        str(side),
        "--judge",
        str(file),
    )
    monkeypatch.setattr("sys.argv", ["scenes", "judge", *flags])
    scenes.main()
    assert capsys.readouterr().out.count("the judge on real composites") == 2
    assert int(load_judge(file).side) == side
