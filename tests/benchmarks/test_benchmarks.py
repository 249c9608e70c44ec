"""What the measurements use: the words kept out of training, the unseen names, the colour judge, the runs."""

import argparse
import copy
import io
import json
import re
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks import checkpoint_choice, drawing_cache, pool, training
from benchmarks.colours import ASKED, colour_of, recoloured
from benchmarks.features import extract
from benchmarks.learn_style import WHITE, Judge, Task, on_white
from benchmarks.prompt_scores import NONE, OTHERS, PRODUCT, READ, SCORES, auc
from lora.drawing.sampling import Picture
from lora.evaluation.compare import OTHER_PROMPTS
from lora.evaluation.scorers.classifier import LEVELS, fidelity
from lora.jobs import Sample, TrainSettings
from lora.models.base_model import Base, load
from lora.models.profiles import NANO
from lora.pretrain.drawings import SETS, UNSEEN, is_cut_out
from lora.pretrain.names.held_out_words import SYNONYMS
from lora.pretrain.names.unseen import BY_STYLE
from lora.training.plan import make_plan
from tests import tiny_base
from tests.made_once import made_once

ROOT = Path(__file__).parents[2]


def test_the_held_out_words_are_sixty_and_each_asks_for_another_concept() -> None:
    """No concept has two of the words, so no question is asked twice."""
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


def test_a_drawing_on_a_coloured_background_is_put_on_white_and_so_are_the_patches_that_it_encloses() -> None:
    green = (60, 200, 90)
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    ring = np.full((64, 64, 3), green, dtype=np.uint8)
    ring[(x * x + y * y < 0.6) & (x * x + y * y > 0.2)] = (200, 30, 30)
    drawn = Picture(index=0, image=Image.fromarray(ring), background_colour=green)
    made = np.asarray(on_white(drawn))
    assert tuple(made[0, 0]) == tuple(made[32, 32]) == WHITE
    assert tuple(made[32, 11]) == (200, 30, 30)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Base:
    """A base of random networks, on the CPU."""
    torch.set_num_threads(1)  # networks so small only wait for a second one
    folder = made_once(tmp_path_factory, "noise", lambda folder: tiny_base.make(folder, steps=0))
    return load(str(folder), tmp_path_factory.mktemp("cache"), "cpu")


def flags(measurement: str, *more: str) -> argparse.Namespace:
    """What a measurement's command line makes of these flags."""
    module = {"training": training, "checkpoint_choice": checkpoint_choice}[measurement]
    return module.command_line().parse_args(list(more))


def bench(base: Base) -> pool.Bench:
    """Discs of six colours to learn, and a judge who knows them."""
    discs = [disc((40 * number, 255 - 40 * number, 90)) for number in range(6)]
    shown = [Image.alpha_composite(Image.new("RGBA", (64, 64), "white"), Image.fromarray(d)) for d in discs]
    real = tuple(picture.convert("RGB") for picture in shown)
    samples = []
    for number, one in enumerate(discs):
        buffer = io.BytesIO()
        Image.fromarray(one).save(buffer, "PNG")
        samples.append(Sample(picture=buffer.getvalue(), caption=f"ball number {number}"))
    seen = extract(real)
    names = tuple(f"ball {number}" for number in range(6))
    judge = Judge(
        subjects=seen.subject,
        names=names,
        mean=seen.style.mean(dim=0),
        std=seen.style.std(dim=0).clamp_min(1e-6),
    )
    task = Task(style="discs", samples=tuple(samples), concepts=names, real=real)
    args = flags("training", "run", "file", "--checkpoint-steps", "2", "--drawing-steps", "2")
    return pool.Bench(base=base, tasks={"discs": (task, judge)}, args=args)


def test_a_training_is_measured_at_every_checkpoint_and_the_same_again(tiny: Base) -> None:
    usual = training.Run(style="discs", seed=3, steps=4, variant=training.BASELINE)
    other = training.Run(style="discs", seed=3, steps=4, variant="convolutions too")
    first, again, different = (training.run_one(bench(tiny), run)["marks"] for run in (usual, usual, other))
    assert [one["step"] for one in first] == [0, 2, 4]
    assert first == again
    assert first[0] == different[0]  # the bare base
    assert first[-1]["way"] != different[-1]["way"]
    json.dumps(first)


def test_checkpoints_draw_with_each_setting_that_is_asked_for(tiny: Base) -> None:
    """The line to the style always starts at the same drawings; the base's profile is restored."""
    given = bench(tiny)
    given.args.ways = list(training.DRAW_SETTINGS)
    marks = training.run_one(given, training.Run(style="discs", seed=3, steps=2, variant=training.BASELINE))[
        "marks"
    ]
    bare = {one["drawn"]: one["way"] for one in marks if one["step"] == 0}
    learned = {one["drawn"]: one["way"] for one in marks if one["step"] == 2}
    at_cfg = {setting: cfg for setting, (cfg, _, _) in training.DRAW_SETTINGS.items()}
    assert all((way == pytest.approx(0)) == (at_cfg[setting] == 5) for setting, way in bare.items())
    assert len(set(bare.values())) == len(set(at_cfg.values()))  # without an adapter its strength is nothing
    throughout = learned.pop("CFG 3, whole strength, guided throughout")
    assert throughout == learned["CFG 3, whole strength"]  # this base is guided throughout anyway
    assert len(set(learned.values())) == len(learned)
    assert tiny.profile == bench(tiny).base.profile


def test_every_checkpoint_that_the_product_chooses_among_is_measured(tiny: Base) -> None:
    row = checkpoint_choice.run_one(bench(tiny), checkpoint_choice.Run(style="discs", seed=3, steps=4))
    assert [one["step"] for one in row["marks"]] == [one["step"] for one in row["scores"]] == [2, 4]
    assert checkpoint_choice.worth(row, row["chosen"]) < 1
    assert checkpoint_choice.by_rule(json.loads(json.dumps(row))) == row["chosen"]


ENDLESS_SECONDS = 3600.0


def measured(bench: pool.Bench, run: pool.Run) -> pool.ResultRow:
    """What the next test measures; other processes find it by its name."""
    if run.seed == 2:
        raise ValueError("seed 2 cannot be")
    if run.seed == 4:
        time.sleep(ENDLESS_SECONDS)
    return {"threads": torch.get_num_threads(), "hash": bench.base.hash}


def test_runs_are_kept_when_others_fail_or_the_time_is_up(
    tiny: Base,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """In real processes: one run is done already, one fails, one goes on for ever; half a line is no result."""
    monkeypatch.setattr(pool, "prepared", lambda args, styles: {})
    file = tmp_path / "results" / "file.jsonl"
    args = flags("checkpoint_choice", "run", str(file), "--base", str(tiny.folder), "--cache", str(tmp_path))
    args.workers, args.seconds = 2, ENDLESS_SECONDS
    runs = [pool.Run(style="fxemoji", seed=seed, steps=5) for seed in range(4)]
    known = {"base": tiny.hash, "style": "fxemoji", "seed": 0, "steps": 5, "seconds": 1.0}
    file.parent.mkdir()
    file.write_text(json.dumps(known) + '\n{"base": "half a li')
    with pytest.raises(SystemExit, match="1 runs failed"):
        pool.run_all(args, runs, measured, str, began=time.monotonic())
    assert "seed 2 cannot be" in capfd.readouterr().err
    rows = pool.read(file)
    assert [row["seed"] for row in rows] in ([0, 1, 3], [0, 3, 1])
    assert {row["hash"] for row in rows[1:]} == {tiny.hash}
    args.seconds, began = 1.0, time.monotonic()
    endless = pool.Run(style="fxemoji", seed=4, steps=5)
    pool.run_all(args, [runs[0], runs[1], runs[3], endless], measured, str, began=began)
    assert time.monotonic() - began < ENDLESS_SECONDS
    assert "1 runs to do" in (said := capfd.readouterr().out)
    assert "time is up" in said
    assert pool.read(file) == rows


def test_a_run_is_to_be_done_again_for_another_base_or_other_steps() -> None:
    run = training.Run(style="fxemoji", seed=1, steps=600, variant="rank 4")
    done = {"base": "abc", "style": "fxemoji", "seed": 1, "steps": 600, "variant": "rank 4", "marks": []}
    assert pool.todo([run], [done], "abc") == []
    assert pool.todo([run], [done], "other") == [run]
    assert pool.todo([run], [{**done, "steps": 300}], "abc") == [run]
    assert pool.todo([run], [{**done, "variant": "rank 8"}], "abc") == [run]


def test_processes_share_all_gpus() -> None:
    assert [pool.device_of("cuda", number, 2) for number in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert pool.device_of("cuda:1", 0, 2) == "cuda:1"
    assert pool.device_of("cpu", 5, 0) == "cpu"


def result(base: str, variant: str, way: float, drawn: str | None = training.FIRST) -> str:
    """A line of a file of results. The oldest ones do not say how the checkpoints were ``drawn``."""
    said = {"drawn": drawn} if drawn else {}
    marks = [{**said, "step": step, "way": way, "left": 1 - way, "accuracy": way} for step in (0, 100)]
    run = {"style": "fxemoji", "seed": 0, "steps": 100, "rate": checkpoint_choice.RATE, "variant": variant}
    scores = [score(100, style=way, prompt=1.0)]
    return json.dumps({"base": base, **run, "chosen": 100, "marks": marks, "scores": scores}) + "\n"


def score(step: int, *, style: float, prompt: float, memorised: float = 0.0) -> dict[str, float]:
    return {"step": step, "style": style, "prompt": prompt, "diversity": 1.0, "memorised": memorised}


def test_other_rules_are_tried_on_the_same_scores(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Style alone takes the last one here, which is worth 0.3 less; what copies is never taken."""
    worths = {50: 0.9, 100: 0.5, 200: 0.2}
    marks = [{"step": step, "way": 0.0, "left": 1.0, "accuracy": 1 + value} for step, value in worths.items()]
    scores = [
        score(50, style=1.0, prompt=1.0, memorised=0.5),
        score(100, style=0.5, prompt=1.0),
        score(200, style=0.6, prompt=0.5),
    ]
    row = {
        "base": "a",
        "style": "fxemoji",
        "seed": 0,
        "steps": 200,
        "rate": checkpoint_choice.RATE,
        "chosen": 200,
    }
    file = tmp_path / "file.jsonl"
    file.write_text(json.dumps({**row, "marks": marks, "scores": scores}) + "\n")
    checkpoint_choice.report(flags("checkpoint_choice", "report", str(file), "--steps", "200"))
    said = capsys.readouterr().out
    last, first = "1 of 1; on average +0.000", "1 of 1; on average +0.300"
    assert f"| style + 0 x prompt | 0 | {last} | {last} |" in said
    assert f"| style + 0 x prompt | 0.15 | {first} | {last} |" in said
    assert f"| style + 1 x prompt | 0 | {first} | {first} |" in said


def test_only_the_runs_of_one_base_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The newest base's, unless another one is named."""
    file = tmp_path / "file.jsonl"
    old = result("a1", training.BASELINE, 0.1) + result("a1", "rank 4", 0.2)
    file.write_text(old + result("a2", training.BASELINE, 0.5) + result("a2", "rank 4", 0.7))
    training.report(flags("training", "report", str(file)))
    newest = capsys.readouterr().out
    assert "Base a2, 2 runs; 2 of other bases are left out." in newest
    assert "| rank 4 | 100 | 1 | 0.700 ± 0.000 | 0.300 ± 0.000 | 0.700 ± 0.000 | +0.200 ± 0.000 |" in newest
    training.report(flags("training", "report", str(file), "--base-hash", "a1"))
    assert "| +0.100 ± 0.000 | +0.100 ± 0.000 |" in capsys.readouterr().out
    checkpoint_choice.report(flags("checkpoint_choice", "report", str(file), "--steps", "100"))
    assert "At least as good as the last one: 2 of 2" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2 bases begin so; there are results of a1, a2"):
        training.report(flags("training", "report", str(file), "--base-hash", "a"))


def test_drawings_of_one_way_are_reported_and_others_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Results of ways that can be drawn no more are still reported, but never in the place of today's."""
    file = tmp_path / "file.jsonl"
    file.write_text(result("a1", "rank 4", 0.1, None) + result("a1", "cosine", 0.2, "CFG 5"))
    with pytest.raises(SystemExit, match=r'drawn at CFG 5, whole strength; there are: --way "CFG 5"$'):
        training.report(flags("training", "report", str(file)))
    training.report(flags("training", "report", str(file), "--way", "CFG 5"))
    said = capsys.readouterr().out
    assert "| rank 4 | 100 | 1 | 0.100" in said
    assert "| cosine | 100 | 1 | 0.200" in said


def test_the_products_variant_is_the_bundled_bases_own_plan(tiny: Base) -> None:
    """Else what is reported as the product's would be another training."""
    plan = make_plan(replace(tiny, profile=NANO), TrainSettings(), samples=28)
    assert replace(plan, **training.VARIANTS[training.BASELINE]) != plan
    assert replace(plan, **{**training.VARIANTS[training.BASELINE], **training.PRODUCT}) == plan
    assert training.PRODUCT in training.VARIANTS.values()


# They load a base in another way: for a GPU, or to compare precisions; or its weights are random.
OTHERWISE_LOADED = {"speed_setup", "sd21_shape", "mutated_weights"}


def test_bases_are_loaded_as_a_worker_loads_them() -> None:
    """In bfloat16 where the CPU multiplies it natively: else another base than people's would be measured."""
    loaded = re.compile(r"base_model import [^\n]*\bload\b|base_model\.load\(")
    scripts = {path.stem: path.read_text() for path in (ROOT / "benchmarks").glob("*.py")}
    found = {name for name, text in scripts.items() if loaded.search(text) and "use_bfloat16(" not in text}
    assert found == OTHERWISE_LOADED


def test_drawings_of_another_precision_are_others(tiny: Base, tmp_path: Path) -> None:
    """Those that are stored of a base in float32 are not taken for those in bfloat16."""
    drawing_cache.drawings(tiny, [("a cat", 1)], tmp_path, 1)
    drawing_cache.drawings(tiny, [("a cat", 1)], tmp_path, 1)
    assert len([*tmp_path.glob("*.png")]) == 1
    half = replace(tiny, unet=copy.deepcopy(tiny.unet).bfloat16(), dtype=torch.bfloat16)
    drawing_cache.drawings(half, [("a cat", 1)], tmp_path, 1)
    assert len([*tmp_path.glob("*.png")]) == 2


def test_the_measured_score_is_the_products() -> None:
    """What benchmarks.fidelity makes of a Gram matrix is what the product makes of the predictions themselves."""
    chance = torch.Generator().manual_seed(1)
    missed = torch.randn(len(READ), OTHERS + 2, 50, generator=chance).double()
    gram = (missed @ missed.transpose(1, 2) / 50).numpy()
    at = [READ.index(level) for level in LEVELS]
    wanted = fidelity([missed[i, : 1 + OTHER_PROMPTS] for i in at])
    assert PRODUCT(gram[None])[0] == pytest.approx(wanted)


def test_every_score_is_better_the_better_the_caption_fits() -> None:
    """The right caption misses little, the others more: each score is over those of the wrong ones."""
    missed = np.random.default_rng(2).normal(size=(len(READ), OTHERS + 2, 50))
    missed[:, 0] *= 0.1
    missed[:, NONE] *= 0.5
    gram = missed @ missed.transpose(0, 2, 1) / 50
    for score in SCORES:
        assert auc(score(gram[None]), score.wrong(gram[None])) >= 0.9, score.name


def test_equal_scores_count_as_chance() -> None:
    """A rank with a ceiling gets no credit for equal scores."""
    assert auc(np.ones(4), np.ones((3, 4))) == 0.5
    assert auc(np.array([1.0, 3.0]), np.array([2.0])) == 0.5
    assert auc(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1
