"""A LoRA really trains: the loss falls, the base does not change, a resume is exact, errors are raised."""

import io
import json
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.training_utils import compute_snr
from PIL import Image, ImageOps
from safetensors.torch import load
from torch import Tensor

from lora.adapters import adapter_file, lora_layers
from lora.adapters.adapter_file import read_header, read_info
from lora.adapters.lora_layers import use_file
from lora.data.dataset import SamplePictures
from lora.data.pictures import open_rgba
from lora.drawing import sampling
from lora.jobs import Checkpoint, JobError, Progress, Sample, Train, Trained, TrainSettings
from lora.models import graphs
from lora.models.base_model import Base
from lora.training import loop
from lora.training.checkpoints import Run, differences_from_default_plan
from lora.training.loss import EncodedSamples, denoising_loss, sample_indices
from lora.training.lr_schedules import SCHEDULES, lr_multiplier
from lora.training.plan import AUTO, NONE, Plan, make_plan

SETTINGS = TrainSettings(steps=60, batch_size=4, learning_rate=2e-3, rank=4, checkpoint_steps=20, seed=5)


def job(samples: Sequence[Sample], **changes: Any) -> Train:
    return replace(
        Train(id=1, attempt=1, keyword="zorvex", samples=tuple(samples), settings=SETTINGS), **changes
    )


def weights(base: Base) -> dict[str, Tensor]:
    """The base's own weights, whatever LoRA layers are round them now."""
    state = base.unet.state_dict()
    return {
        key.replace(".base_layer", ""): value.clone() for key, value in state.items() if ".lora_" not in key
    }


def checkpoints(events: Iterator[object]) -> dict[int, Checkpoint]:
    return {event.step: event for event in events if isinstance(event, Checkpoint)}


@pytest.fixture(scope="module")
def encoded(base: Base, samples: tuple[Sample, ...]) -> EncodedSamples:
    """The samples, encoded once for all tests."""
    return encode(base, samples, mirrored=True)


def encode(base: Base, samples: tuple[Sample, ...], *, mirrored: bool) -> EncodedSamples:
    plan = make_plan(base, SETTINGS, samples=len(samples))
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)])
    run = Run(
        base=base,
        job=job(samples),
        plan=plan,
        background="green",
        style_words="",
        adapter="none",
        optimizer=optimizer,
    )
    captions = [sample.caption for sample in samples]
    encoding = loop._encode(run, 0, SamplePictures(samples), captions, mirrored=mirrored)
    while True:
        try:
            next(encoding)
        except StopIteration as end:
            return end.value


@pytest.fixture(scope="module")
def trained(base: Base, samples: tuple[Sample, ...]) -> Sequence[object]:
    """All events of one whole training, and proof that the base is what it was."""
    before = weights(base)
    events = list(loop.train(base, job(samples)))
    after = weights(base)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[key], after[key]) for key in before)
    return events


def test_a_training_gives_all_its_events(trained: Sequence[object]) -> None:
    """Progress for each step, a checkpoint every 20, one at the end, and then Trained."""
    steps = [event.step for event in trained if isinstance(event, Progress) and event.loss is not None]
    assert steps == list(range(1, 61))
    assert list(checkpoints(iter(trained))) == [20, 40, 60]
    assert trained[-1] == Trained(job=1, attempt=1, steps=60)
    assert isinstance(trained[-2], Checkpoint)
    left = [event.seconds_left for event in trained if isinstance(event, Progress)]
    assert all(seconds >= 0 for seconds in left)
    assert left[-1] == 0


def test_the_loss_on_fixed_noise_falls(
    base: Base, encoded: EncodedSamples, trained: Sequence[object]
) -> None:
    """On noise that was drawn once, the trained adapter predicts clearly better than the bare base."""
    plan = replace(make_plan(base, SETTINGS, samples=6), caption_dropout=0.0)

    @torch.no_grad()
    def loss() -> float:
        return sum(float(denoising_loss(base, encoded, plan, step)) for step in range(900, 930)) / 30

    use_file(base, None)
    bare = loss()
    use_file(base, checkpoints(iter(trained))[20].adapter)
    early = loss()
    use_file(base, checkpoints(iter(trained))[60].adapter)
    late = loss()
    use_file(base, None)
    assert late < early < bare
    assert late < 0.9 * bare


def test_an_adapter_says_what_it_is(base: Base, trained: Sequence[object]) -> None:
    """Keyword, base, rank, alpha, steps, seed and background are in the file, and no sample's caption is."""
    data = checkpoints(iter(trained))[40].adapter
    info = read_info(data)
    assert info is not None
    assert (info.keyword, info.base, info.base_hash) == ("zorvex", "tiny", base.hash)
    assert (info.rank, info.alpha, info.steps, info.seed) == (4, 4, 40, 5)
    assert info.background in base.profile.backgrounds
    assert "lora_adapter_metadata" in read_header(data)
    assert b"ball" not in data[: int.from_bytes(data[:8], "little")]
    assert all(tensor.dtype == torch.float32 for tensor in load(data).values())


def test_few_pictures_are_decoded_at_a_time(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty samples of 16 megapixels would be 3 GB; at most the one in use and the next one are in memory."""
    opened: list[weakref.ref[Image.Image]] = []
    alive: list[int] = []

    def recording(picture: bytes) -> Image.Image:
        image = open_rgba(picture)
        opened.append(weakref.ref(image))
        alive.append(sum(one() is not None for one in opened))
        return image

    monkeypatch.setattr("lora.data.dataset.open_rgba", recording)
    events = loop.train(base, job(samples))
    assert any(isinstance(event, Progress) and event.loss is not None for event in events)  # and no further
    assert len(opened) >= len(samples)
    assert max(alive) <= 2
    assert not any(image() for image in opened)
    events.close()


def cut_off(sample: Sample) -> Sample:
    """Without its left third, so that it is not its own mirror image."""
    image, out = open_rgba(sample.picture), io.BytesIO()
    image.paste((0, 0, 0, 0), (0, 0, image.width // 3, image.height))
    image.save(out, "PNG")
    return replace(sample, picture=out.getvalue())


def test_several_are_encoded_at_once_where_memory_allows(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same latents; and none is mirrored for a training that never shows that."""
    sizes: list[int] = []
    one_call = Base.encode
    monkeypatch.setattr(Base, "encode", lambda self, some: (sizes.append(len(some)), one_call(self, some))[1])
    as_they_are = tuple(cut_off(sample) for sample in samples)
    expected, to_square = encode(base, as_they_are, mirrored=False), loop._to_square
    with monkeypatch.context() as patch:
        patch.setattr(loop, "_to_square", lambda run, image: ImageOps.mirror(to_square(run, image)))
        other_way = encode(base, as_they_are, mirrored=False)
    assert sizes == [1] * 12
    assert not torch.allclose(expected.latent_mean, other_way.latent_mean, atol=1e-2)
    for at_once, ways, calls in ((1, 2, [1] * 12), (4, 2, [4, 4, 4]), (4, 1, [4, 2])):
        monkeypatch.setattr(loop, "_encoded_at_once", lambda device, resolution, most=at_once: most)
        sizes.clear()
        found = encode(base, as_they_are, mirrored=ways == 2)
        assert sizes == calls
        for part in ("latent_mean", "latent_std"):
            both = torch.cat((getattr(expected, part), getattr(other_way, part)))
            torch.testing.assert_close(getattr(found, part), both[:ways], atol=1e-5, rtol=1e-5)
    plan = replace(make_plan(base, replace(SETTINGS, steps=1), samples=6), random_flip=False)
    sizes.clear()
    list(loop.train(base, job(samples), plan))
    assert sum(sizes) == 6


def test_fewer_are_encoded_at_once_if_memory_is_short(
    base: Base, samples: tuple[Sample, ...], encoded: EncodedSamples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After what was kept has been freed. If it is short for one picture, the training fails."""
    sizes: list[int] = []
    one_call, most = Base.encode, 1

    def narrow(self: Base, pixels: Tensor) -> tuple[Tensor, Tensor]:
        sizes.append(len(pixels))
        if len(pixels) > most:
            raise torch.OutOfMemoryError
        return one_call(self, pixels)

    monkeypatch.setattr(Base, "encode", narrow)
    monkeypatch.setattr(loop, "_encoded_at_once", lambda device, resolution: 4)
    graphs.keep(base.vae, object())
    found = encode(base, samples, mirrored=True)
    assert sizes == [4, 4, 2, *[1] * 4, *[4, 2, *[1] * 4] * 2]
    assert not graphs.free_kept()
    torch.testing.assert_close(found.latent_mean, encoded.latent_mean, atol=1e-5, rtol=1e-5)
    most = 0
    with pytest.raises(torch.OutOfMemoryError):
        encode(base, samples, mirrored=True)


def test_captions_and_prompts_end_with_the_nearest_style(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base reads the same words in training and in drawing; a plan may name other words, or none."""
    knows = replace(base, profile=replace(base.profile, styles=Path("the table")))
    monkeypatch.setattr(loop, "nearest_style", lambda images, table: f"plush of {len(images)} by {table}")
    read: list[str] = []
    embed = Base.embed
    monkeypatch.setattr(Base, "embed", lambda self, texts: (read.extend(texts), embed(self, texts))[1])
    one_step = replace(make_plan(base, replace(SETTINGS, steps=1), samples=6), background="white")
    for which, asked, words in (
        (knows, "auto", ", plush of 6 by the table"),
        (knows, "none", ""),
        (base, "auto", ""),
        (base, "felt", ", felt"),
    ):
        read.clear()
        (made,) = checkpoints(loop.train(which, job(samples), replace(one_step, style_words=asked))).values()
        ending = f"{words}, on a plain white background"
        assert read == [*(f"zorvex {sample.caption}{ending}" for sample in samples), ""]
        about = read_info(made.adapter)
        assert about is not None
        assert about.style_words == words.removeprefix(", ")
        item = sampling.Item(prompt="a fox", seed=1, cfg=3.0)
        assert sampling.texts_of(which, item, about, "white") == ("", f"zorvex a fox{ending}")
    room = replace(samples[0], caption="fox " * 64)
    list(loop.train(base, job([room]), one_step))
    with pytest.raises(JobError, match="sample 1: 64 tokens; 62 fit"):
        list(loop.train(base, job([room]), replace(one_step, style_words="a very long style")))


@pytest.mark.parametrize("step", [20, 40])
def test_a_resumed_training_ends_the_same(
    base: Base, samples: tuple[Sample, ...], trained: Sequence[object], step: int
) -> None:
    """From any checkpoint, weights and optimizer end where the unbroken run ended, to 1e-6."""
    whole = checkpoints(iter(trained))
    again = checkpoints(loop.train(base, job(samples, attempt=2, resume=whole[step].state)))
    assert set(again) == {s for s in whole if s > step}
    for mine, theirs in ((again[60].adapter, whole[60].adapter), (again[60].state, whole[60].state)):
        a, b = load(mine), load(theirs)
        assert a.keys() == b.keys()
        assert max(float((a[key] - b[key]).abs().max()) for key in a) <= 1e-6


def test_drawing_in_between_changes_nothing(
    base: Base, samples: tuple[Sample, ...], trained: Sequence[object]
) -> None:
    """Somebody else's adapter on the same denoiser between two steps leaves the training as it was."""
    other = checkpoints(iter(trained))[20].adapter
    seen = {}
    for event in loop.train(base, job(samples, settings=replace(SETTINGS, steps=20))):
        use_file(base, other if isinstance(event, Progress) and event.step % 2 else None)
        with torch.no_grad():
            base.unet(torch.randn(1, 4, 8, 8), 3, encoder_hidden_states=base.embed(["x"]))
        if isinstance(event, Checkpoint):
            seen = load(event.adapter)
    expected = load(other)
    assert max(float((seen[key] - expected[key]).abs().max()) for key in seen) <= 1e-6


def test_a_resume_from_the_last_checkpoint_gives_it_again(
    base: Base, samples: tuple[Sample, ...], trained: Sequence[object]
) -> None:
    """A training that was killed after its last checkpoint gives that checkpoint once more, and Trained."""
    last = checkpoints(iter(trained))[60]
    events = list(loop.train(base, job(samples, resume=last.state)))
    assert [type(event) for event in events if not isinstance(event, Progress)] == [Checkpoint, Trained]
    again = events[-2]
    assert isinstance(again, Checkpoint)
    assert load(again.adapter).keys() == load(last.adapter).keys()


@pytest.mark.parametrize("case", ["other samples", "other seed", "other rank", "damaged", "no state"])
def test_the_state_of_another_training_is_refused(
    base: Base, samples: tuple[Sample, ...], trained: Sequence[object], case: str
) -> None:
    """Only a state with an equal fingerprint is resumed; another one would train on without an error."""
    state = checkpoints(iter(trained))[20].state
    jobs = {
        "other samples": job(samples[:5], resume=state),
        "other seed": job(samples, settings=replace(SETTINGS, seed=6), resume=state),
        "other rank": job(samples, settings=replace(SETTINGS, rank=8), resume=state),
        "damaged": job(samples, resume=state[:-1000]),
        "no state": job(samples, resume=b"nothing"),
    }
    with pytest.raises(JobError) as refused:
        list(loop.train(base, jobs[case]))
    assert refused.value.code == "bad-adapter"
    assert "train-1-1" not in base.unet.peft_config


def test_a_state_from_before_there_were_style_words_goes_on_without_any(
    base: Base, samples: tuple[Sample, ...], trained: Sequence[object]
) -> None:
    """With --style_words=none; with the default of today it is another training, and a worker begins anew."""
    state = checkpoints(iter(trained))[60].state
    header = read_header(state)
    known = json.loads(header["training"])
    assert known.pop("style_words") == AUTO
    header["training"] = json.dumps(known | {"style_words": NONE})
    without = with_header(state, header)
    header["training"] = json.dumps(known)
    older = with_header(state, header)
    plan = replace(make_plan(base, SETTINGS, samples=6), style_words=NONE)
    for one in (without, older):
        events = list(loop.train(base, job(samples, resume=one), plan))
        assert isinstance(events[-1], Trained)
        assert differences_from_default_plan(one, base, job(samples)) == ["style_words was none and is auto"]


def with_header(state: bytes, header: dict[str, str]) -> bytes:
    """The state with another header."""
    return adapter_file.to_bytes(load(state), header)


def test_a_state_of_a_later_step_than_the_last_is_refused(
    base: Base, samples: tuple[Sample, ...], trained: Sequence[object]
) -> None:
    """With fewer steps than are done there is nothing to train, and no adapter of that step to give."""
    plan = replace(make_plan(base, SETTINGS, samples=6), schedule="constant")
    shorter = replace(plan, steps=40)
    state = checkpoints(iter(trained))[60].state
    header = read_header(state)
    header["training"] = json.dumps(json.loads(header["training"]) | plan.fixed)
    state = with_header(state, header)
    assert [type(event) for event in loop.train(base, job(samples, resume=state), plan)][-1] is Trained
    with pytest.raises(JobError) as refused:
        list(loop.train(base, job(samples, resume=state), shorter))
    why = "it is of step 60, and this training ends with step 40"
    assert why in refused.value.detail
    fewer = job(samples, settings=replace(SETTINGS, steps=40))
    assert why in differences_from_default_plan(state, base, fewer), "a worker begins anew"


@pytest.mark.parametrize("case", ["step", "deep", "one value", "half"])
def test_a_state_with_odd_content_is_refused(
    base: Base, samples: tuple[Sample, ...], trained: list[object], case: str
) -> None:
    """A negative step, JSON without an end, a weight of one value (torch would spread it), weights of 16 bits."""
    state = checkpoints(iter(trained))[20].state
    header, tensors = read_header(state), load(state)
    name = next(name for name in tensors if name.startswith("weight/"))
    changed = {
        "step": (tensors, header | {"step": "-3"}),
        "deep": (tensors, header | {"training": "[" * 100_000}),
        "one value": (tensors | {name: tensors[name].flatten()[:1].clone()}, header),
        "half": ({key: value.half() for key, value in tensors.items()}, header),
    }
    with pytest.raises(JobError) as refused:
        list(loop.train(base, job(samples, resume=adapter_file.to_bytes(*changed[case]))))
    assert refused.value.code == "bad-adapter"


def test_a_diverging_training_stops(base: Base, samples: tuple[Sample, ...]) -> None:
    """A loss that is not a number ends the training before a checkpoint holds it."""
    plan = replace(make_plan(base, SETTINGS, samples=6), learning_rate=1e30, warmup_steps=0)
    with pytest.raises(JobError) as failed:
        list(loop.train(base, job(samples), plan))
    assert failed.value.code == "not-a-number"


def test_bad_samples_are_named(base: Base, samples: tuple[Sample, ...]) -> None:
    """A truncated picture and a caption that is too long name their sample."""
    bad = {
        "bad-picture": Sample(picture=samples[0].picture[:200], caption="x"),
        "caption-too-long": Sample(picture=samples[0].picture, caption="cat " * 69),
    }
    for code, sample in bad.items():
        with pytest.raises(JobError) as failed:
            list(loop.train(base, job([*samples, sample])))
        assert failed.value.code == code
        assert "sample 7" in failed.value.detail
    assert failed.value.detail.endswith("69 tokens; 67 fit")  # beside keyword and background


def test_gradients_are_really_clipped(base: Base, samples: tuple[Sample, ...]) -> None:
    """The reference script's clipping does nothing; here a tiny limit changes what is learned."""
    plan = make_plan(base, replace(SETTINGS, steps=1), samples=6)
    # With a large epsilon, the size of AdamW's step depends on the size of the gradient.
    plan = replace(plan, adam_epsilon=1.0, warmup_steps=0)
    free, clipped = (
        load(checkpoints(loop.train(base, job(samples), replace(plan, max_grad_norm=limit)))[1].adapter)
        for limit in (1e9, 1e-9)
    )
    key = next(key for key in free if "lora_B" in key)
    assert clipped[key].abs().max() < 1e-6 * free[key].abs().max()


@pytest.mark.parametrize("kind", ["v_prediction", "epsilon"])
def test_the_loss_is_that_of_diffusers(base: Base, encoded: EncodedSamples, kind: str) -> None:
    """Noising, target and min-SNR weight agree with diffusers' scheduler and its reference script."""
    lora_layers.activate(base, None)
    scheduler = DDIMScheduler.from_config(base.scheduler.config, prediction_type=kind)
    plan = replace(make_plan(base, SETTINGS, samples=6), snr_gamma=5.0, batch_size=4)
    inputs: dict[str, Tensor] = {}

    def unet(noisy: Tensor, timesteps: Tensor, encoder_hidden_states: Tensor) -> object:
        inputs.update(noisy=noisy, timesteps=timesteps, texts=encoder_hidden_states)
        return type("Output", (), {"sample": torch.zeros_like(noisy)})

    fake = replace(base, unet=unet, scheduler=scheduler)
    exact = replace(encoded, latent_std=torch.zeros_like(encoded.latent_std))
    loss = denoising_loss(fake, exact, replace(plan, random_flip=False, caption_dropout=0.0), 3)
    indices, timesteps = sample_indices(plan, 3, 6), inputs["timesteps"]
    x_0 = encoded.latent_mean[0, indices]
    alpha_bar = scheduler.alphas_cumprod[timesteps].view(-1, 1, 1, 1)
    noise = (inputs["noisy"] - alpha_bar.sqrt() * x_0) / (1 - alpha_bar).sqrt()
    torch.testing.assert_close(scheduler.add_noise(x_0, noise, timesteps), inputs["noisy"])
    target = noise if kind == "epsilon" else scheduler.get_velocity(x_0, noise, timesteps)
    snr = compute_snr(scheduler, timesteps)
    weight = snr.clamp(max=5) / (snr if kind == "epsilon" else snr + 1)
    torch.testing.assert_close(loss, (target.square().mean(dim=(1, 2, 3)) * weight).mean())
    assert abs(float(noise.mean())) < 0.2
    assert 0.85 < float(noise.std()) < 1.15
    torch.testing.assert_close(inputs["texts"], encoded.text_embeddings[indices])


def test_random_values_come_from_seed_and_step_alone(base: Base, encoded: EncodedSamples) -> None:
    """The same step of the same training always has the same loss; another step or seed has another one."""
    lora_layers.activate(base, None)
    plan = make_plan(base, SETTINGS, samples=6)
    with torch.no_grad():
        first, again = (float(denoising_loss(base, encoded, plan, 7)) for _ in range(2))
        torch.manual_seed(1)
        later = float(denoising_loss(base, encoded, plan, 7))
        other_step = float(denoising_loss(base, encoded, plan, 8))
        other_seed = float(denoising_loss(base, encoded, replace(plan, seed=6), 7))
    assert first == again == later
    assert len({first, other_step, other_seed}) == 3


def test_every_sample_is_used_equally_often(base: Base) -> None:
    """Whatever the batch, after a whole number of rounds each sample has been seen equally often."""
    plan: Plan = replace(make_plan(base, SETTINGS, samples=7), batch_size=4)
    seen = [index for step in range(7) for index in sample_indices(plan, step, 7)]
    assert [seen.count(index) for index in range(7)] == [4] * 7
    assert seen[:7] != seen[7:14]


def test_every_schedule_warms_up(base: Base) -> None:
    """The reference's constant schedule has no warm-up; here each schedule starts low and rises evenly."""
    for schedule in SCHEDULES:
        plan = replace(make_plan(base, SETTINGS, samples=6), steps=100, warmup_steps=10, schedule=schedule)
        assert [lr_multiplier(plan, step) for step in (0, 4, 9)] == [0.1, 0.5, 1.0]
        assert lr_multiplier(plan, 10) == 1.0
    assert lr_multiplier(replace(plan, schedule="constant"), 99) == 1.0
    assert lr_multiplier(replace(plan, schedule="linear"), 99) < 0.02
    assert lr_multiplier(replace(plan, schedule="cosine"), 55) == pytest.approx(0.5)


@pytest.mark.parametrize("targets", ["attention+ff", "attention+ff+conv"])
def test_half_precision_bases_train_in_float32(
    targets: str, base: Base, samples: tuple[Sample, ...], tiny_folder: object
) -> None:
    """On a bfloat16 base the LoRA and the optimizer are float32 still, and they move."""
    from lora.models import base_model

    half = base_model.load(str(tiny_folder), base.folder.parent, "cpu")
    half.unet.to(torch.bfloat16)
    half.text_encoder.to(torch.bfloat16)
    half.dtype = torch.bfloat16
    plan = replace(make_plan(half, replace(SETTINGS, steps=3), samples=len(samples)), lora_targets=targets)
    done = checkpoints(loop.train(half, job(samples), plan))[3]
    state = load(done.state)
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    moved = [value for key, value in state.items() if key.startswith("weight/") and "lora_B" in key]
    assert all(float(value.abs().max()) > 0 for value in moved)
    assert {weight.dtype for weight in half.unet.parameters()} == {torch.bfloat16}
    item = sampling.Item(prompt="a cat", adapter=done.adapter, seed=1, cfg=5.0)
    assert isinstance([*sampling.draw(half, [item], steps=3)][-1], sampling.Picture)
