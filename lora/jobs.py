"""Jobs and events: what a worker can be asked to do, and what it reports while it works.

Jobs and events are frozen dataclasses that hold their data by value (no paths, no database ids of pictures), so a
worker can run on any machine. Nothing here imports torch.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, cast


class JobError(Exception):
    """A job cannot be done, and the person who asked for it can do something about it.

    ``code`` is a key of ``JOB_ERRORS``. ``detail`` is a short fact; it never holds text that a person wrote.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        assert code in JOB_ERRORS, code
        super().__init__(f"{JOB_ERRORS[code]}{f': {detail}' if detail else ''}")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type[JobError], tuple[str, str]]:
        """Pickle by code and detail: the default would call ``__init__`` with the whole message."""
        return JobError, (self.code, self.detail)


JOB_ERRORS = {
    "bad-picture": "a picture cannot be read",
    "caption-too-long": "a caption or prompt is too long",
    "other-base": "the adapter was trained on another base model",
    "bad-adapter": "the adapter file is damaged or is no LoRA for this base",
    "too-many-steps": "so many steps cannot be drawn",
    "not-a-number": "the training diverged (loss is not a number)",
    "unsafe-samples": "the filter does not let some samples pass",
    "unsafe-drawing": "the filter does not let a drawing pass",
    "empty-cutout": "nothing was left of the drawing after the background was removed",
    "out-of-memory": "the device ran out of memory",
    "stored-file": "a file that the job needs cannot be read",
    "internal": "the worker failed",
}

# How many draws a worker on a CPU has at a time, and how many pictures are in one batch where nothing is captured. With
# CFG the denoiser sees twice as many.
MAX_BATCH = 4


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One picture of a style with its caption. ``picture`` is the encoded file (PNG, WebP, JPEG)."""

    picture: bytes = field(repr=False)
    caption: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How to train. ``None`` means the default of the base (``lora.models.profiles``)."""

    steps: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    rank: int | None = None
    checkpoint_steps: int | None = None
    seed: int = 0
    random_flip: bool | None = None  # also train on mirrored samples


@dataclass(frozen=True, kw_only=True)
class SavedCheckpoint:
    """A checkpoint that an earlier attempt of a training saved. It is compared with the later ones."""

    step: int
    adapter: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Train:
    """Asks for an adapter that draws in the style of ``samples``.

    If the job was interrupted, ``resume`` is the ``state`` of its last ``Checkpoint``, and ``earlier`` are all its
    checkpoints so far. ``attempt`` counts from 1. Every event carries it, so the events of an earlier attempt, whose
    worker was given up, can be told apart and ignored.
    """

    id: int
    attempt: int
    keyword: str = field(repr=False)
    samples: tuple[Sample, ...]
    settings: TrainSettings = TrainSettings()
    resume: bytes | None = field(default=None, repr=False)
    earlier: tuple[SavedCheckpoint, ...] = ()


# How a drawing becomes a cut-out: auto takes the colour of a flat background and else the network, network always
# takes the network, none leaves the background.
CUTOUTS = ("auto", "network", "none")
NO_OUTLINE = "none"


USUAL_STEPS = 20  # of a drawing; estimates count so many where the base decides


@dataclass(frozen=True, kw_only=True)
class DrawOptions:
    """How to draw a prompt. The values here are the product's defaults; nothing else repeats them.

    The chat, the database row, the pipe and the worker pass this object on whole; only who needs a field names it. A
    new option is a field here with a default, its parser (``bot/sticker_options.py``), its text, and the place that
    uses it. Rows written before the field existed get the default.
    """

    cfg: float = 5.0  # strength of classifier-free guidance; 1 = none
    sweep: tuple[float, ...] = ()  # in place of cfg: each seed is drawn with each of these CFG values
    steps: int | None = None  # denoising steps; None: as many as the base needs (lora.models.profiles)
    seed: int = 0  # of the initial noise
    near: tuple[int, ...] = ()  # seeds that the initial noise is moved towards (lora.drawing.noise)
    count: int = 1  # pictures
    strength: float = 1.0  # of the adapter; 0 = the bare base, 1 = as it was trained
    negative_prompt: str = field(default="", repr=False)
    outline: str = "#ffffff"  # colour of the outline; NO_OUTLINE = none
    outline_px: int = 8  # width of the outline in the finished 512 px sticker
    cutout: str = "auto"  # how the background is removed: one of CUTOUTS
    # The negative prompt and the outline as the person wrote them, for the person to read; "" = as they are above.
    negative_written: str = field(default="", repr=False, compare=False)
    outline_written: str = field(default="", repr=False, compare=False)
    # All words of a prompt that left something out ("a fox without a hat"), for the person to read; "" = none did.
    prompt_written: str = field(default="", repr=False, compare=False)

    def of_picture(self, index: int) -> DrawOptions:
        """The options that draw picture ``index`` of a job alone.

        Picture i of a sweep over k values has value i mod k, and the seed of number i div k. The seed of number n is
        ``seed`` + n; if ``near`` has seeds, the last of these + n.
        """
        number, place = divmod(index, max(1, len(self.sweep)))
        return replace(
            self,
            cfg=self.sweep[place] if self.sweep else self.cfg,
            sweep=(),
            seed=self.seed if self.near else self.seed + number,
            near=(*self.near[:-1], self.near[-1] + number) if self.near else (),
            count=1,
        )

    @property
    def newest_seed(self) -> int:
        """The seed that differs from picture to picture of a job."""
        return self.near[-1] if self.near else self.seed


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Asks for stickers of one prompt.

    ``adapter`` is a LoRA file (safetensors bytes), or None to draw with the base alone. If the keyword of a style is
    wanted, the prompt already contains it.

    If there is an ``uncut`` drawing (the one of an earlier ``Drawn``), nothing is drawn: it is cut out and fitted
    again, as the options say.
    """

    id: int
    attempt: int
    prompt: str = field(repr=False)
    adapter: bytes | None = field(default=None, repr=False)
    options: DrawOptions = DrawOptions()
    uncut: bytes | None = field(default=None, repr=False)
    background: tuple[int, int, int] | None = None  # of ``uncut``: the colour that its prompt asked for


@dataclass(frozen=True, kw_only=True)
class CutOut:
    """Asks for pictures without their backgrounds."""

    id: int
    attempt: int
    pictures: tuple[bytes, ...] = field(repr=False)  # encoded files


Job = Train | Draw | CutOut
AnyJob = TypeVar("AnyJob", Train, Draw, CutOut)


@dataclass(frozen=True, kw_only=True)
class FileContent:
    """The content of a file that has not been read yet. All samples of a style may be 2 GB."""

    path: Path
    size: int  # bytes

    def changed(self) -> OSError:
        """The error for a file that does not have this size any more."""
        return OSError(errno.EIO, "its size has changed", str(self.path))


def in_file(path: Path, size: int) -> bytes:
    """A FileContent for a bytes field of a job that is handed to an engine.

    The type is not true until the job has been sent or ``loaded``: only ``Engine.submit`` may be given such a job.
    """
    return cast(bytes, FileContent(path=path, size=size))


def loaded(job: AnyJob) -> AnyJob:
    """The job with the contents of its files. Raises OSError."""
    return cast(AnyJob, _loaded(job))


def _loaded(value: Any) -> Any:
    if isinstance(value, FileContent):
        return value.path.read_bytes()
    if isinstance(value, tuple):
        return tuple(_loaded(entry) for entry in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{entry.name: _loaded(getattr(value, entry.name)) for entry in fields(value)})
    return value


@dataclass(frozen=True, kw_only=True)
class Ready:
    """A worker has loaded its base and can take jobs. ``defaults`` are the values that ``None`` settings get.

    ``example_prompt`` is one that the base draws well, in English. ``layers`` are the paths of the denoiser's layers
    and the shapes of their weights: an adapter must fit these.

    ``trainings`` and ``draws`` are how many of each it may have at once. ``worker`` is its name with the engine; a
    worker that comes back after it was lost has the same one.
    """

    worker: str
    base: str
    base_hash: str
    device: str
    defaults: TrainSettings
    example_prompt: str
    layers: tuple[tuple[str, tuple[int, ...]], ...] = ()
    trainings: int = 1
    draws: int = MAX_BATCH


@dataclass(frozen=True, kw_only=True)
class Progress:
    """``step`` of ``steps`` is done. ``loss`` is the mean since the last Progress; None while drawing."""

    job: int
    attempt: int
    step: int
    steps: int
    seconds_left: float
    loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """An adapter saved during a training, and the ``state`` from which it can be resumed. Both are safetensors."""

    job: int
    attempt: int
    step: int
    adapter: bytes = field(repr=False)
    state: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Score:
    """The measured quality of one checkpoint's drawings; ``lora.evaluation.compare`` says how each is measured."""

    step: int
    style: float  # similarity to the samples; more is better
    prompt: float  # how well the prompts are followed; more is better
    # How different the drawings are from each other, divided by the same of the samples; None: only one drawing.
    diversity: float | None
    memorised: float  # share of drawings that are copies of a sample, 0 to 1


class ReasonCode(StrEnum):
    """Why ``lora.evaluation.checkpoint_choice`` chose a checkpoint, or why it did not."""

    # chosen
    BEST = "best"  # the highest combined score of style and prompts
    LEARNED_LONGEST = "learned-longest"  # the last one that is not clearly worse than the best
    LEAST_BAD = "least-bad"  # every checkpoint copies samples or ignores prompts
    # not chosen
    COPIES = "copies"  # its drawings copy samples
    IGNORES_PROMPTS = "ignores-prompts"  # follows prompts much less than the bare base
    LEARNED_LESS = "learned-less"  # not clearly worse than the best, but earlier than the chosen one
    FURTHER = "further"  # clearly worse: further from the samples' style
    FOLLOWS_LESS = "follows-less"  # clearly worse: no further from the style, but follows prompts less


@dataclass(frozen=True, kw_only=True)
class Compared:
    """All checkpoints have drawn the same prompts with the same seeds. ``chosen`` is the step of the best one.

    ``sheet`` is a PNG: a row for each checkpoint, a column for each prompt, the chosen row marked. ``reasons`` are
    values of ``ReasonCode``, one for each of ``scores`` in their order.
    """

    job: int
    attempt: int
    chosen: int
    sheet: bytes = field(repr=False)
    scores: tuple[Score, ...]
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What a check has found on some samples. ``code`` is a key of ``lora.checks.KINDS``.

    ``severity`` is error (no training is possible), warning (the result will be worse) or advice. ``samples`` are
    numbers from 1; none means the set as a whole. ``detail`` is numbers or a code, never text that a person wrote.
    ``fault`` says in words why a line of a folder cannot be used, and may quote it. Only ``lora.checks.folder`` sets
    it, for the terminal.
    """

    code: str
    severity: str
    samples: tuple[int, ...] = ()
    detail: str = ""
    fault: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What the worker has found on the samples. It comes once, before the first training step."""

    job: int
    attempt: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The training has ended; the ``Checkpoint`` before this event is its last one.

    ``Compared`` comes before it, unless there was only one checkpoint or the comparison failed. ``uncompared`` says
    why it failed, as the code of a ``JobError``.
    """

    job: int
    attempt: int
    steps: int
    uncompared: str = ""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Picture ``index`` of a draw, cut out and fitted: WebP, longer side 512 px, at most 512 KiB.

    ``uncut`` is the drawing before that, a lossless WebP, and ``background`` the colour that its prompt asked for.
    """

    job: int
    attempt: int
    index: int
    seed: int  # ``newest_seed`` of the picture's options
    sticker: bytes = field(repr=False)
    uncut: bytes = field(default=b"", repr=False)
    background: tuple[int, int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class CutPicture:
    """Picture ``index`` of a cut-out as a PNG with transparency, its longer side at most 1024 px.

    No bytes: nothing was left of it, or it cannot be read.
    """

    job: int
    attempt: int
    index: int
    picture: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Spent:
    """Where the seconds of a draw's last picture went in its worker.

    What is missing of the time from hand-over to sticker was spent on the way to the worker and back.
    """

    waited: float  # from its arrival until its batch began
    drawn: float  # from there until it was decoded
    made: float  # from there until its sticker was a file, or could not be made
    batch: int  # pictures of its batch
    number: int  # of its batch, as its worker counts them
    idle: float  # before its batch began: the device had no batch


@dataclass(frozen=True, kw_only=True)
class Finished:
    """All pictures of a draw or a cut-out have been sent."""

    job: int
    attempt: int
    spent: Spent | None = field(default=None, compare=False)  # of a draw


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """The job was stopped on request; no more events of it follow."""

    job: int
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The job cannot be done. ``code`` and ``detail`` are those of a ``JobError``."""

    job: int
    attempt: int
    code: str
    detail: str = ""
    spent: Spent | None = field(default=None, compare=False)  # of a draw whose sticker could not be made


@dataclass(frozen=True, kw_only=True)
class Lost:
    """A worker is gone (killed, crashed, unplugged), and the jobs that it had must be submitted again."""

    worker: str
    jobs: tuple[tuple[int, int], ...]  # (job id, attempt)


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A worker died so often that the engine does not start it again. The operator has to look at its device."""

    worker: str
    device: str
    deaths: int


@dataclass(frozen=True, kw_only=True)
class CannotWork:
    """A worker cannot begin, and tries again and again: its process cannot be started, or its base cannot be loaded."""

    worker: str
    code: str  # "start" or "base"
    detail: str  # for the operator


Event = (
    Ready
    | Findings
    | Progress
    | Checkpoint
    | Compared
    | Trained
    | Drawn
    | CutPicture
    | Finished
    | Cancelled
    | Failed
    | Lost
    | LeftOut
    | CannotWork
)
