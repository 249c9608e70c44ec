"""Sampling: a picture depends on its own item only, and is the one that diffusers would draw."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from peft.tuners.lora import LoraLayer
from PIL import Image

from lora.adapters.lora_layers import use_file
from lora.data.captions import with_keyword
from lora.drawing import sampling, solver
from lora.drawing.sampling import DrawProgress, Item, Picture
from lora.jobs import Checkpoint, Draw, DrawOptions, JobError, Sample, Train, TrainSettings
from lora.models import base_model
from lora.models.base_model import Base
from lora.models.profiles import NANO, USUAL, Profile
from lora.training import loop

CAT = Item(prompt="a cat", seed=3, cfg=5.0)


def pictures(base: Base, *items: Item, steps: int = 8) -> list[Image.Image]:
    drawn = [event for event in sampling.draw(base, items, steps=steps) if isinstance(event, Picture)]
    return [picture.image for picture in sorted(drawn, key=lambda picture: picture.index)]


def far(one: Image.Image, other: Image.Image) -> int:
    return int(np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).max())


def scale_in_use(denoiser: torch.nn.Module) -> float:
    """The scale of the adapter in use, which all its layers share. Layers that only other files had are left out."""
    layers = [module for module in denoiser.modules() if isinstance(module, LoraLayer)]
    (scale,) = {
        layer.scaling[name] for layer in layers for name in layer.active_adapters if name in layer.scaling
    }
    return scale


@pytest.fixture(scope="module")
def adapter(base: Base, samples: tuple[Sample, ...]) -> bytes:
    """A trained adapter of the tiny base."""
    settings = TrainSettings(steps=30, batch_size=4, learning_rate=5e-3, rank=4, checkpoint_steps=30)
    job = Train(id=1, attempt=1, keyword="zorvex", samples=samples, settings=settings)
    (done,) = (event for event in loop.train(base, job) if isinstance(event, Checkpoint))
    return done.adapter


def test_a_picture_does_not_depend_on_its_batch(base: Base, adapter: bytes) -> None:
    """Alone, or among six others with other adapters, prompts and CFGs: the same picture."""
    mine = replace(CAT, adapter=adapter)
    (alone,) = pictures(base, mine)
    others = [replace(CAT, seed=seed, cfg=cfg) for seed, cfg in ((1, 1.0), (2, 9.0), (4, 3.0))]
    among = pictures(
        base, *others, mine, *(replace(item, adapter=adapter, prompt="a dog") for item in others)
    )
    assert far(alone, among[3]) <= 1
    assert alone.size == (64, 64)
    assert alone.mode == "RGB"


@pytest.mark.parametrize(
    ("changes", "batches"),
    [
        ({}, [2]),
        ({"seed": 4, "cfg": 9.0, "prompt": "a dog", "negative_prompt": "blue"}, [2]),
        ({"strength": 0.5}, [2]),  # of no adapter
        ({"adapter": b"other"}, [1, 1]),
        ({"background": "green"}, [1, 1]),
    ],
)
def test_what_the_pictures_of_a_batch_have_in_common(changes: dict[str, Any], batches: list[int]) -> None:
    """One adapter, one background, one number of steps; all else may differ."""
    items = [CAT, replace(CAT, **changes)]
    assert [len(batch) for batch in sampling._batches(items, 8, size=4)] == batches
    assert sampling.batch_key(CAT, 8) != sampling.batch_key(CAT, 9)


def test_an_item_has_every_option_that_sampling_uses() -> None:
    """Picture i of a job is drawn with seed + i."""
    options = DrawOptions(cfg=7.0, seed=5, negative_prompt="blue", count=3, strength=0.5)
    item = Item.of_job(Draw(id=1, attempt=1, prompt="a cat", adapter=b"x", options=options), 2)
    assert item == Item(prompt="a cat", adapter=b"x", cfg=7.0, seed=7, negative_prompt="blue", strength=0.5)


def test_a_sweep_draws_each_seed_with_each_cfg() -> None:
    """Picture by picture what the same options without a sweep draw."""
    options = DrawOptions(sweep=(3.0, 8.0), seed=5, count=4)
    alone = [options.of_picture(index) for index in range(4)]
    assert [(one.seed, one.cfg) for one in alone] == [(5, 3.0), (5, 8.0), (6, 3.0), (6, 8.0)]
    assert all(one.of_picture(0) == one for one in alone)


def test_pictures_near_another_differ_in_the_last_seed() -> None:
    """The first seeds say near which drawing they are."""
    options = DrawOptions(seed=5, near=(7, 9), count=2)
    assert [(one.seed, one.near) for one in map(options.of_picture, (0, 1))] == [(5, (7, 9)), (5, (7, 10))]


def test_strength_is_how_much_of_the_adapter_is_used(base: Base, adapter: bytes) -> None:
    """None at 0; another picture at each strength; the next batch has its own."""
    mine = replace(CAT, adapter=adapter, background="green")
    drawn = pictures(base, *(replace(mine, strength=strength) for strength in (0.0, 0.5, 1.0, 1.5)))
    (bare,) = pictures(base, replace(CAT, prompt=with_keyword("a cat", "zorvex"), background="green"))
    assert far(drawn[0], bare) <= 1
    assert len({image.tobytes() for image in drawn}) == 4
    assert far(pictures(base, mine)[0], drawn[2]) <= 1


def test_every_field_of_an_item_changes_the_picture(base: Base, adapter: bytes) -> None:
    """Seed, prompt, CFG, negative prompt and adapter each change the picture; doing it again does not."""
    changes: list[dict[str, Any]] = [
        {},
        {"seed": 4},
        {"prompt": "a dog"},
        {"cfg": 9.0},
        {"negative_prompt": "blue"},
        {"adapter": adapter},
    ]
    drawn = [pictures(base, replace(CAT, **change))[0] for change in changes]
    assert len({image.tobytes() for image in drawn}) == len(changes)
    assert pictures(base, CAT)[0].tobytes() == drawn[0].tobytes()


def test_without_guidance_no_second_pass(base: Base) -> None:
    """CFG 1 is the plain prediction: the negative prompt is not even looked at."""
    plain = replace(CAT, cfg=1.0)
    assert (
        pictures(base, plain)[0].tobytes() == pictures(base, replace(plain, negative_prompt="x"))[0].tobytes()
    )
    mixed = pictures(base, plain, CAT)  # in one batch with a guided one, it goes through the guided path
    assert far(mixed[0], pictures(base, plain)[0]) <= 1


@pytest.mark.parametrize(("stop", "passes"), [(1.0, [2, 2, 2, 2]), (0.5, [2, 2, 1, 1])])
def test_guidance_stops_where_the_profile_says(base: Base, stop: float, passes: list[int]) -> None:
    """The steps after it see the picture once, with its prompt, and so does a picture without guidance."""
    early = replace(base, profile=replace(base.profile, guidance_stop=stop))
    seen: list[int] = []
    hook = base.unet.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    try:
        pictures(early, CAT, steps=4)
        assert seen == passes
        seen.clear()
        pictures(early, replace(CAT, cfg=1.0), steps=4)
        assert seen == [1, 1, 1, 1]
    finally:
        hook.remove()


@pytest.mark.parametrize("profile", [USUAL, NANO])
def test_an_adapter_has_its_strength_in_every_step(base: Base, adapter: bytes, profile: Profile) -> None:
    """A picture that was given up midway does not change the next one."""
    base = replace(base, profile=profile)
    mine = replace(CAT, adapter=adapter)
    weak = replace(mine, strength=0.5)
    usual = pictures(base, mine, steps=4)[0].tobytes()
    seen: list[float] = []
    hook = base.unet.register_forward_pre_hook(lambda denoiser, _: seen.append(scale_in_use(denoiser)))
    try:
        pictures(base, weak, mine, steps=4)
    finally:
        hook.remove()
    assert [strength / seen[-1] for strength in seen] == [0.5] * 4 + [1.0] * 4
    next(sampling.draw(base, [weak], steps=4))  # given up after one step
    assert pictures(base, mine, steps=4)[0].tobytes() == usual


def test_steps_are_reported_before_each_picture(base: Base) -> None:
    """Every denoising step is an event, so that the caller can report or stop between two of them."""
    events = list(sampling.draw(base, [CAT], steps=5))
    assert events[:5] == [DrawProgress(step=number, steps=5) for number in range(1, 6)]
    assert isinstance(events[5], Picture)
    assert events[5].background_colour == (255, 255, 255)


def test_the_styles_keyword_and_background_are_used(base: Base, adapter: bytes) -> None:
    """An adapter's keyword is put into a prompt that lacks it, and its samples' background is asked for."""
    said = replace(CAT, adapter=adapter, prompt="zorvex a cat")
    unsaid = replace(CAT, adapter=adapter, prompt="a cat")
    assert pictures(base, said)[0].tobytes() == pictures(base, unsaid)[0].tobytes()
    (picture,) = (event for event in sampling.draw(base, [said], steps=1) if isinstance(event, Picture))
    about = use_file(base, adapter)
    assert about is not None
    assert picture.background_colour == base.profile.backgrounds[about.background]


@pytest.mark.parametrize("zero_snr", [False, True])
def test_sampling_is_that_of_diffusers(base: Base, zero_snr: bool) -> None:
    """StableDiffusionPipeline with the same scheduler, noise and texts draws the same picture."""
    scheduler = base.scheduler
    if zero_snr:
        scheduler = DDIMScheduler.from_config(
            base.scheduler.config, rescale_betas_zero_snr=True, timestep_spacing="trailing"
        )
    mine = replace(base, scheduler=scheduler)
    use_file(base, None)
    pipeline = StableDiffusionPipeline(
        vae=base.vae,
        unet=base.unet,
        text_encoder=base.text_encoder,
        tokenizer=base.tokenizer,
        scheduler=solver.make_scheduler(mine, 8),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        theirs = pipeline(
            base.with_background("a cat", "white"),
            negative_prompt="blue",
            num_inference_steps=8,
            guidance_scale=5.0,
            latents=torch.randn(4, 8, 8, generator=torch.Generator().manual_seed(3))[None],
        ).images[0]
    ours = pictures(mine, replace(CAT, negative_prompt="blue"))[0]
    assert far(ours, theirs) <= 1


def test_the_longest_prompt_still_has_its_background(base: Base) -> None:
    """What is accepted is read to its end: on another background it is another picture; one token more is refused."""
    longest = "cat " * 69
    white, green = pictures(
        base, *(Item(prompt=longest, seed=3, cfg=5.0, background=b) for b in ("white", "green"))
    )
    assert white.tobytes() != green.tobytes()
    with pytest.raises(JobError, match="70 tokens; 69 fit"):
        pictures(base, replace(CAT, prompt="cat " * 70))
    with pytest.raises(JobError, match="76 tokens; 75 fit"):
        pictures(base, replace(CAT, negative_prompt="cat " * 76))


@pytest.mark.parametrize(
    ("item", "code"),
    [
        (replace(CAT, prompt="cat " * 76), "caption-too-long"),
        (replace(CAT, negative_prompt="cat " * 76), "caption-too-long"),
        (replace(CAT, adapter=b"nothing"), "bad-adapter"),
        (replace(CAT, cfg=1e38), "not-a-number"),
    ],
)
def test_what_cannot_be_drawn_is_said(base: Base, item: Item, code: str) -> None:
    """Too long, a bad adapter, or numbers out of bounds: a code, and no picture."""
    with pytest.raises(JobError) as failed:
        pictures(base, item)
    assert failed.value.code == code
    assert "cat" not in str(failed.value)
    assert pictures(base, CAT)


def test_more_steps_than_noise_levels(base: Base) -> None:
    """A sampler cannot go through more levels than the base was trained on: said at once, with the most."""
    with pytest.raises(JobError, match="2000; this base has 1000") as failed:
        pictures(base, CAT, steps=2000)
    assert failed.value.code == "too-many-steps"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="nothing moves without a GPU")
def test_making_room_for_large_pictures_changes_none(
    tiny_folder: Path, cache_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The text encoder leaves the GPU before decoding and comes back for new words; pictures are the same."""
    on_gpu = base_model.load(str(tiny_folder), cache_dir, "cuda")
    dog = replace(CAT, prompt="a dog")
    usual = [pictures(on_gpu, item)[0].tobytes() for item in (CAT, dog)]
    assert next(on_gpu.text_encoder.parameters()).is_cuda
    monkeypatch.setattr("lora.models.offload.LARGE", on_gpu.resolution)
    on_gpu._embeddings.clear()
    assert [pictures(on_gpu, item)[0].tobytes() for item in (CAT, dog)] == usual
    assert not next(on_gpu.text_encoder.parameters()).is_cuda
    assert next(on_gpu.unet.parameters()).is_cuda
