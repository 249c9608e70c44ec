"""The worker: the order of jobs, the batches, the events, and that a bad job makes no other one fail."""

import io
import queue
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from lora.checks.examine import examine
from lora.data.dataset import SamplePictures
from lora.engine import train_and_compare, train_queue, worker
from lora.engine.wire import Cancel
from lora.engine.worker import Message, Setup, Worker, threads_of
from lora.evaluation import compare
from lora.evaluation.compare import CompareSettings
from lora.jobs import (
    Cancelled,
    Checkpoint,
    Compared,
    Draw,
    Drawn,
    DrawOptions,
    Event,
    Failed,
    Findings,
    Finished,
    JobError,
    Progress,
    Sample,
    SavedCheckpoint,
    Train,
    Trained,
    TrainSettings,
)
from lora.models.base_model import Base
from lora.models.graphs import keep
from lora.models.profiles import Colour
from lora.safety import Guard
from lora.training import captured, loop
from lora.training.checkpoints import used_random_flip
from tests.waiting import Patience, cpu_seconds, when_stuck

DRAW = Draw(id=10, attempt=1, prompt="a cat", options=DrawOptions(seed=1, steps=3))


def draw(id: int = DRAW.id, **options: Any) -> Draw:
    """DRAW with another id and other options."""
    return replace(DRAW, id=id, options=replace(DRAW.options, **options))


def as_png(image: Image.Image, background_colour: Colour, options: DrawOptions) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


class Stop(BaseException):
    """Ends a worker's loop: raised by ``send_event``."""


STUCK = Cancel(job=-1)  # put into a worker's queue when it makes no progress


class Inbox(queue.SimpleQueue[Message]):
    """A queue that raises TimeoutError when it gives STUCK."""

    def get(self, block: bool = True, timeout: float | None = None) -> Message:
        message = super().get()
        if message is STUCK:
            raise TimeoutError("the event that the test waits for has not come")
        return message


class Desk:
    """A worker in this process: jobs are put in, and its events are kept until the last one is there."""

    def __init__(self, base: Base, make_sticker: Callable[..., bytes] = as_png) -> None:
        self.inbox = Inbox()
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] = lambda event: None
        self._enough: Callable[[list[Event]], bool] = lambda events: False
        self._worker = Worker(base, self.inbox, self._hear, make_sticker, lambda image: image.convert("RGBA"))

    def _hear(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)
        if self._enough(self.events):
            raise Stop

    def run(self, *jobs: Message, ends: int) -> list[Event]:
        """Work until ``ends`` jobs have come to an end."""
        over = (Finished, Trained, Cancelled, Failed)
        self._enough = lambda events: sum(isinstance(event, over) for event in events) >= ends
        for job in jobs:
            self.inbox.put(job)
        patience = Patience(cpu_seconds(), lambda: len(self.events))
        with when_stuck(lambda: self.inbox.put(STUCK), patience), suppress(Stop):
            self._worker.run()
        return self.events


@pytest.fixture
def reading_desk(base: Base, no_comparison: None) -> Iterator[Desk]:
    """A worker that looks for lettering on samples, which takes seconds."""
    desk = Desk(base)
    yield desk
    desk._worker.close()


@pytest.fixture
def no_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints are not compared: that takes longer than their training."""
    monkeypatch.setattr(train_and_compare, "_compare", lambda *_: iter(()))


@pytest.fixture
def no_lettering(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sample has lettering, and none is looked for."""
    monkeypatch.setattr("lora.checks.lettering.check", lambda images: iter([None] * len(images)))


@pytest.fixture
def desk(reading_desk: Desk, no_lettering: None) -> Desk:
    """A worker that reads no lettering and compares no checkpoints."""
    return reading_desk


@pytest.fixture
def comparing_desk(base: Base, no_lettering: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A worker that compares checkpoints by two drawings of two steps."""
    monkeypatch.setattr(train_and_compare, "SETTINGS", CompareSettings(count=2, steps=2))
    desk = Desk(base)
    yield desk
    desk._worker.close()


def training(samples: tuple[Sample, ...], **changes: Any) -> Train:
    settings = TrainSettings(steps=12, batch_size=2, rank=2, checkpoint_steps=6)
    job = Train(id=1, attempt=1, keyword="zorvex", samples=samples, settings=settings)
    return replace(job, **changes)


def test_a_draw_is_drawn(desk: Desk) -> None:
    """Each picture with its index and seed, then Finished; the attempt is in every event."""
    events = desk.run(replace(draw(count=6), attempt=3), ends=1)
    drawn = [event for event in events if isinstance(event, Drawn)]
    assert [(event.index, event.seed) for event in drawn] == [(i, 1 + i) for i in range(6)]
    assert events[-1] == Finished(job=10, attempt=3)
    assert len({event.sticker for event in drawn}) == 6
    assert all(event.attempt == 3 for event in drawn)


def test_a_sticker_is_made_with_the_options_of_its_job(base: Base) -> None:
    """The outline is an option of the drawing, not of the worker."""
    seen: list[int] = []

    def make(image: Image.Image, colour: Colour, options: DrawOptions) -> bytes:
        seen.append(options.outline_px)
        return as_png(image, colour, options)

    Desk(base, make).run(draw(10, outline_px=0), draw(11, outline_px=3), ends=2)
    assert sorted(seen) == [0, 3]


def test_draws_of_several_people_share_a_batch(
    base: Base, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Waiting pictures of one adapter and number of steps go through the denoiser together, others do not."""
    sizes = []
    whole = base.unet.forward

    def counting(latents: object, *args: object, **kwargs: object) -> object:
        sizes.append(len(latents))  # type: ignore[arg-type]
        return whole(latents, *args, **kwargs)

    monkeypatch.setattr(base.unet, "forward", counting)
    jobs = [draw(10 + i, cfg=3.0 + i, count=1 + i) for i in range(3)]
    desk.run(*jobs, draw(20, steps=2), ends=4)
    assert sizes == [8] * 3 + [4] * 3 + [2] * 2  # 4 of 6 pictures, 2 of 6, the odd one; twice each for CFG


def test_a_draw_goes_between_two_training_steps(desk: Desk, samples: tuple[Sample, ...]) -> None:
    """Whoever asks for a sticker during a training has it before the training's next step but one."""
    steps: list[int] = []

    def ask(event: Event) -> None:
        if isinstance(event, Progress) and event.job == 1:
            steps.append(event.step)
            if len(steps) == 1:
                desk.inbox.put(DRAW)

    desk.on_event = ask
    events = desk.run(training(samples), ends=2)
    order = [type(event).__name__ for event in events if not isinstance(event, Progress | Findings)]
    assert order == ["Drawn", "Finished", "Checkpoint", "Checkpoint", "Trained"]


def test_drawing_changes_no_training(desk: Desk, base: Base, samples: tuple[Sample, ...]) -> None:
    """The adapter is the one that the training alone would have made."""
    for seed in range(3):
        desk.inbox.put(draw(30 + seed, seed=seed))
    events = desk.run(training(samples), ends=4)
    mixed = [event.adapter for event in events if isinstance(event, Checkpoint)]
    alone = [event.adapter for event in loop.train(base, training(samples)) if isinstance(event, Checkpoint)]
    assert mixed == alone


def test_progress_is_reported_about_once_a_second(desk: Desk, samples: tuple[Sample, ...]) -> None:
    """About one report a second, the last step always, with the mean loss of the steps between."""
    events = desk.run(training(samples), ends=1)
    reports = [event for event in events if isinstance(event, Progress)]
    trained = [event for event in reports if event.loss is not None]
    assert 1 <= len(trained) <= 6
    assert trained[-1].step == trained[-1].steps == 12


def test_trainings_wait_for_each_other(desk: Desk, samples: tuple[Sample, ...]) -> None:
    """First come, first trained; the second starts when the first has ended."""
    events = desk.run(training(samples), training(samples, id=2), ends=2)
    assert [e.job for e in events if isinstance(e, Checkpoint | Trained)] == [1, 1, 1, 2, 2, 2]


def test_trainings_advance_together_where_there_is_room(
    base: Base, desk: Desk, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a GPU does: two train at once, the third begins when one has ended, and a cancelled one stops no other."""
    monkeypatch.setattr(train_queue, "most_at_once", lambda device: 2)
    monkeypatch.setattr(captured, "suits", lambda run, processes: True)
    desk = Desk(base)

    def cancel(event: Event) -> None:
        if isinstance(event, Checkpoint) and event.job == 2:
            desk.inbox.put(Cancel(job=2))

    desk.on_event = cancel
    events = desk.run(*(training(samples, id=id) for id in (1, 2, 3)), ends=3)
    ended = [(event.job, type(event)) for event in events if isinstance(event, Trained | Cancelled)]
    assert ended == [(2, Cancelled), (1, Trained), (3, Trained)]
    begun = {
        id: next(n for n, event in enumerate(events) if getattr(event, "job", None) == id) for id in (1, 2, 3)
    }
    first_end = events.index(next(event for event in events if isinstance(event, Cancelled)))
    assert max(begun[1], begun[2]) < first_end < begun[3]
    assert not any(name.startswith("train-") for name in getattr(base.unet, "peft_config", {}))


@pytest.mark.parametrize("victim", ["running training", "waiting training", "waiting draw", "running draw"])
def test_cancel_stops_a_job_wherever_it_is(
    base: Base, desk: Desk, samples: tuple[Sample, ...], victim: str
) -> None:
    """Cancelled is the last word of a job; the others go on; a LoRA under training leaves the denoiser."""
    jobs: list[Message] = [training(samples), training(samples, id=2), draw(count=8, steps=3)]
    target = {"running training": 1, "waiting training": 2, "waiting draw": 10, "running draw": 10}[victim]
    moment: type[Event] = Drawn if victim == "running draw" else Progress
    if victim == "waiting draw":
        jobs.append(Cancel(job=10))
    asked: list[int] = []

    def cancel(event: Event) -> None:
        if isinstance(event, moment) and not asked and victim != "waiting draw":
            asked.append(1)
            desk.inbox.put(Cancel(job=target))

    desk.on_event = cancel
    events = desk.run(*jobs, ends=3)
    said = [event for event in events if getattr(event, "job", None) == target]
    assert said[-1] == Cancelled(job=target, attempt=1)
    ended = {event.job for event in events if isinstance(event, Finished | Trained)}
    assert ended == {1, 2, 10} - {target}
    assert not any(name.startswith("train-") for name in getattr(base.unet, "peft_config", {}))
    if victim == "running draw":
        assert sum(isinstance(event, Drawn) for event in events) < 8


def test_a_cancel_of_an_ended_job_is_not_answered(desk: Desk) -> None:
    """A cancel that comes too late, or for a job never seen, is not answered and breaks nothing."""
    events = desk.run(Cancel(job=99), DRAW, ends=1)
    desk.run(Cancel(job=10), replace(DRAW, id=11), ends=2)
    assert not any(isinstance(event, Cancelled) for event in events)


def test_a_bad_job_makes_no_other_fail(desk: Desk, samples: tuple[Sample, ...]) -> None:
    """Each failure has its code; the jobs before and after it are done."""
    bad: dict[int, Message] = {
        11: replace(DRAW, id=11, adapter=b"nothing"),
        12: replace(DRAW, id=12, prompt="cat " * 80),
        13: training(samples, id=13, resume=b"nothing"),
        14: training((*samples, Sample(picture=b"GIF89a", caption="x")), id=14),
    }
    events = desk.run(DRAW, *bad.values(), replace(DRAW, id=15), training(samples), ends=7)
    codes = {event.job: event.code for event in events if isinstance(event, Failed)}
    assert codes == {11: "bad-adapter", 12: "caption-too-long", 13: "bad-adapter", 14: "bad-picture"}
    assert {event.job for event in events if isinstance(event, Finished | Trained)} == {10, 15, 1}


def test_one_empty_picture_fails_its_job_after_the_others(base: Base) -> None:
    """If nothing is left of one drawing, the good ones are still sent, and the job says why it failed."""
    made: list[int] = []

    def second_is_empty(image: Image.Image, colour: Colour, options: DrawOptions) -> bytes:
        made.append(1)
        if len(made) == 2:
            raise JobError("empty-cutout")
        return as_png(image, colour, options)

    events = Desk(base, second_is_empty).run(draw(count=3), ends=1)
    assert [event.index for event in events if isinstance(event, Drawn)] == [0, 2]
    assert events[-1] == Failed(job=10, attempt=1, code="empty-cutout")


def test_an_internal_error_is_logged_without_anybodys_text(
    base: Base, caplog: pytest.LogCaptureFixture
) -> None:
    """Other errors are internal: the person gets a kind, the log gets the place, nobody gets the prompt."""

    def fails(image: Image.Image, colour: Colour, options: DrawOptions) -> bytes:
        raise RuntimeError(DRAW.prompt)

    events = Desk(base, fails).run(DRAW, ends=1)
    assert events[-1] == Failed(job=10, attempt=1, code="internal", detail="RuntimeError")
    assert "test_worker.py" in caplog.text
    assert "cat" not in caplog.text


def test_samples_are_checked_before_a_training(reading_desk: Desk, samples: tuple[Sample, ...]) -> None:
    """One Findings before any checkpoint, with sample numbers; a resumed training is not checked again."""
    desk, two = reading_desk, samples[:2]
    events = desk.run(training(two), ends=1)
    (found,) = [event for event in events if isinstance(event, Findings)]
    assert events.index(found) < next(i for i, e in enumerate(events) if isinstance(e, Checkpoint))
    # The tiny base's decoder draws discs and nothing else, so it loses every sample.
    assert {finding.code for finding in found.findings} == {"fine-detail"}
    assert [finding.samples for finding in found.findings] == [(1,), (2,)]
    halfway = next(event.state for event in events if isinstance(event, Checkpoint))
    again = desk.run(training(two, id=2, resume=halfway), ends=2)
    assert [event.job for event in again if isinstance(event, Findings)] == [1]


@pytest.mark.parametrize("update", ["other values", "another base"])
def test_a_training_that_an_update_interrupted_is_begun_anew(
    update: str, base: Base, desk: Desk, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it had learned fits no more, but the person's samples and wish are all there."""
    first = desk.run(training(samples), ends=1)
    old = next(event for event in first if isinstance(event, Checkpoint))
    desk.events.clear()
    if update == "other values":
        monkeypatch.setattr(
            base, "profile", replace(base.profile, warmup_steps=base.profile.warmup_steps + 1)
        )
    else:
        monkeypatch.setattr(base, "hash", "0" * 64)
    earlier = (SavedCheckpoint(step=old.step, adapter=old.adapter),)
    events = desk.run(training(samples, attempt=2, resume=old.state, earlier=earlier), ends=1)
    assert any(isinstance(event, Findings) for event in events)  # as at any beginning
    assert [event.step for event in events if isinstance(event, Checkpoint)] == [6, 12]
    assert isinstance(events[-1], Trained)


def test_lettering_is_not_mirrored(
    reading_desk: Desk, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen on one sample, nothing of that training is mirrored, also when it goes on; other trainings are."""
    desk, seen = reading_desk, iter([True] + [False] * 11)
    monkeypatch.setattr("lora.checks.lettering.LetteringDetector.has_lettering", lambda *_: next(seen))
    desk.run(training(samples), ends=1)
    halfway = next(event.state for event in desk.events if isinstance(event, Checkpoint))
    desk.run(training(samples, id=2, resume=halfway), ends=2)
    desk.run(training(samples, id=3), ends=3)
    assert not any(isinstance(event, Failed) for event in desk.events)
    mirrored = {
        (event.job, used_random_flip(event.state)) for event in desk.events if isinstance(event, Checkpoint)
    }
    assert mirrored == {(1, False), (2, False), (3, True)}


def test_a_draw_waits_for_the_check_of_one_sample_at_most(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two samples the worker is free for whoever wants a sticker."""
    looked: list[Image.Image] = []
    monkeypatch.setattr(
        "lora.checks.lettering.LetteringDetector.has_lettering", lambda _, image: looked.append(image)
    )
    events = examine(base, training(samples), Guard())
    for number in range(1, 7):
        assert next(events) is None
        assert len(looked) == number
    rest = list(events)
    assert rest[:-1] == [None] * 6
    assert isinstance(rest[-1], Findings)


def test_checkpoints_are_compared_before_the_end(
    comparing_desk: Desk, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Earlier attempts' checkpoints too: each has a score, one is chosen, and the sheet can be sent as it is."""
    desk = comparing_desk
    first = desk.run(training(samples), ends=1)
    old = next(event for event in first if isinstance(event, Checkpoint))
    desk.events.clear()
    monkeypatch.setattr(train_and_compare, "SETTINGS", CompareSettings(steps=1))
    job = training(
        samples, attempt=2, resume=old.state, earlier=(SavedCheckpoint(step=old.step, adapter=old.adapter),)
    )
    events = desk.run(job, ends=1)
    compared = events[-2]
    assert isinstance(compared, Compared)
    assert isinstance(events[-1], Trained)
    assert [score.step for score in compared.scores] == [6, 12]
    assert compared.chosen in (6, 12)
    assert compared.attempt == 2
    assert len(compared.sheet) < 5 * 2**20
    with Image.open(io.BytesIO(compared.sheet)) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width <= 1280


def test_a_draw_goes_between_two_comparisons(
    comparing_desk: Desk, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks for a sticker while checkpoints are compared does not wait for the end of it."""
    desk = comparing_desk
    # On a quick machine the whole comparison fits between two reports: then nobody could ask in its middle.
    monkeypatch.setattr("lora.engine.reports.SECONDS_BETWEEN_REPORTS", 0.0)
    asked: list[int] = []

    def ask(event: Event) -> None:
        if isinstance(event, Progress) and event.step == 12 and event.loss is None and not asked:
            asked.append(1)
            desk.inbox.put(DRAW)

    desk.on_event = ask
    events = desk.run(training(samples), ends=2)
    order = [type(event).__name__ for event in events if not isinstance(event, Progress | Findings)]
    assert order == ["Checkpoint", "Checkpoint", "Drawn", "Finished", "Compared", "Trained"]


def test_a_comparison_that_fails_costs_no_training(
    comparing_desk: Desk,
    samples: tuple[Sample, ...],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The last checkpoint stands, the log has the place, and nobody's words."""

    def fails(*_: object) -> None:
        raise RuntimeError(samples[3].caption)

    monkeypatch.setattr("lora.evaluation.compare.SamplePictures", fails)
    events = comparing_desk.run(training(samples), ends=1)
    assert isinstance(events[-1], Trained)
    assert events[-1].uncompared == "internal"
    assert not any(isinstance(event, Compared) for event in events)
    assert "evaluation/compare.py" in caplog.text
    assert "ball" not in caplog.text


@pytest.mark.parametrize("kept", [True, False])
def test_a_comparison_without_memory_frees_some_or_says_so(
    base: Base, comparing_desk: Desk, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    """It is done again once the graphs that were kept are freed. If there are none, ``Trained`` tells why."""
    tries: list[Sequence[Sample]] = []

    def short_of_memory(given: Sequence[Sample]) -> SamplePictures:
        tries.append(given)
        if len(tries) == 1:
            if kept:
                keep(base.unet, "graphs")
            raise torch.OutOfMemoryError
        return SamplePictures(given)

    monkeypatch.setattr(compare, "SamplePictures", short_of_memory)
    events = comparing_desk.run(training(samples), ends=1)
    ended = events[-1]
    assert isinstance(ended, Trained)
    assert ended.uncompared == ("" if kept else "out-of-memory")
    assert any(isinstance(event, Compared) for event in events) == kept
    assert len(tries) == (2 if kept else 1)


@pytest.mark.parametrize(
    ("device", "threads", "taken"), [("cuda:1", 0, 8), ("auto", 0, 8), ("cuda:1", 3, 3), ("cpu", 0, 32)]
)
def test_workers_of_several_gpus_share_the_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, threads: int, taken: int
) -> None:
    """Four GPUs on 32 cores."""
    monkeypatch.setattr(worker, "every_device", lambda: tuple(f"cuda:{number}" for number in range(4)))
    monkeypatch.setattr("torch.get_num_threads", lambda: 32)
    setup = Setup(base="tiny", cache_dir=tmp_path, device=device, threads=threads, compile=False)
    assert threads_of(setup) == taken


def test_unsafe_samples_are_not_trained_on(
    base: Base, samples: tuple[Sample, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The finding names them, then the training fails, before anything is learned."""
    monkeypatch.setattr(Guard, "refuses", lambda *_: True)
    found = [event for event in _until_error(base, training(samples)) if event is not None]
    (findings,) = found
    assert isinstance(findings, Findings)
    assert [(one.code, one.samples) for one in findings.findings] == [("unsafe", (1, 2, 3, 4, 5, 6))]


def _until_error(base: Base, job: Train) -> Iterator[Findings | None]:
    events = examine(base, job, Guard("open-nsfw"))
    with pytest.raises(JobError, match="does not let some samples pass"):
        yield from events
