"""The words that jobs are spoken of in: what can be asked of a worker, and what it says while it works.

Everything here is plain data: frozen, keyword-only, and complete by value, so that a job can go to a
worker on any machine. Nothing here imports torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class JobError(Exception):
    """A job cannot be done, and the person who asked for it can do something about it.

    ``code`` is one of the keys of ``JOB_ERRORS``; ``detail`` is a short fact without anybody's text in it.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        assert code in JOB_ERRORS, code
        super().__init__(f"{JOB_ERRORS[code]}{f': {detail}' if detail else ''}")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type[JobError], tuple[str, str]]:
        """So that it survives the way from one process to another."""
        return JobError, (self.code, self.detail)


JOB_ERRORS = {
    "bad-picture": "a picture cannot be read",
    "caption-too-long": "a caption or prompt is too long",
    "other-base": "the adapter was trained on another base model",
    "bad-adapter": "the adapter file is damaged or is no LoRA for this base",
    "too-many-steps": "so many steps cannot be drawn",
    "not-a-number": "the training diverged (loss is not a number)",
    "empty-cutout": "nothing was left of the drawing after the background was removed",
    "out-of-memory": "the device ran out of memory",
    "internal": "the worker failed",
}


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One picture of a style with its caption. ``picture`` is the encoded file (PNG, WebP, JPEG)."""

    picture: bytes = field(repr=False)
    caption: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How to train. ``None`` means: the default of the base at hand (``bases.py``)."""

    steps: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    rank: int | None = None
    checkpoint_steps: int | None = None
    seed: int = 0
    random_flip: bool | None = None  # show samples mirrored, too


@dataclass(frozen=True, kw_only=True)
class SavedCheckpoint:
    """A checkpoint of an interrupted training, as it is handed back to be compared with the later ones."""

    step: int
    adapter: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Train:
    """Asks for an adapter that draws in the look of ``samples``.

    ``resume`` is the ``state`` of the last ``Checkpoint`` of this job, if it was interrupted, and ``earlier``
    are all its checkpoints so far.
    ``attempt`` counts from 1; events carry it, so that a worker thought dead cannot speak for its successor.
    """

    id: int
    attempt: int
    keyword: str = field(repr=False)
    samples: tuple[Sample, ...]
    settings: TrainSettings = TrainSettings()
    resume: bytes | None = field(default=None, repr=False)
    earlier: tuple[SavedCheckpoint, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Asks for ``count`` stickers of one prompt. Picture ``i`` is drawn with seed ``seed + i``.

    ``adapter`` is a LoRA file (safetensors bytes) or None for the bare base. The prompt already holds
    the keyword where one is wanted.
    """

    id: int
    attempt: int
    prompt: str = field(repr=False)
    negative_prompt: str = field(default="", repr=False)
    adapter: bytes | None = field(default=None, repr=False)
    cfg: float
    seed: int
    steps: int = 20
    count: int = 1


Job = Train | Draw


@dataclass(frozen=True, kw_only=True)
class Ready:
    """The worker has loaded its base and can take jobs. The defaults are what ``None`` settings become."""

    base: str
    base_hash: str
    device: str
    defaults: TrainSettings


@dataclass(frozen=True, kw_only=True)
class Progress:
    """``step`` of ``steps`` is done. ``loss`` is the mean since the last Progress (None while drawing)."""

    job: int
    attempt: int
    step: int
    steps: int
    seconds_left: float
    loss: float | None = None


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """An adapter saved on the way. ``state`` is what a resume needs; both are safetensors bytes."""

    job: int
    attempt: int
    step: int
    adapter: bytes = field(repr=False)
    state: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Score:
    """What the drawings of one checkpoint are worth; ``lora.evaluation.compare`` says how each is measured."""

    step: int
    style: float  # closeness to the samples' look; more is better
    prompt: float  # how well the prompts are followed; more is better
    diversity: (
        float | None
    )  # of drawings among themselves, as a share of the samples' own; None: of one alone
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
    """All checkpoints drew the same prompts with the same seeds. ``chosen`` is the step of the best one.

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
    """What a check has to say about some samples. ``code`` is one of ``lora.checks.KINDS``.

    ``severity`` is error (no training is possible), warning (it will spoil the result) or advice. ``samples``
    are numbers from 1; none means the set as a whole. ``detail`` is figures or a code of ours, never anybody's
    text. ``fault`` says in words why a line of a folder cannot be used and may quote it: only ``lora.checks.folder``
    gives one, for the terminal; no job does.
    """

    code: str
    severity: str
    samples: tuple[int, ...] = ()
    detail: str = ""
    fault: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """What the worker saw on the samples before it began to train; it comes once, before any Checkpoint."""

    job: int
    attempt: int
    findings: tuple[Finding, ...]


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The training is over; the last ``Checkpoint`` before this event is its end.

    A ``Compared`` came before, unless there was only one checkpoint or they could not be compared.
    """

    job: int
    attempt: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Picture ``index`` of a draw, cut out and fitted: a WebP of one side 512 px, at most 512 KiB."""

    job: int
    attempt: int
    index: int
    seed: int
    sticker: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Finished:
    """All pictures of a draw have been sent."""

    job: int
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Cancelled:
    """The job was stopped on request; nothing more will be said of it."""

    job: int
    attempt: int


@dataclass(frozen=True, kw_only=True)
class Failed:
    """The job cannot be done. ``code`` is one of ``JOB_ERRORS``; ``detail`` holds nobody's text."""

    job: int
    attempt: int
    code: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The worker that had these jobs is gone (killed, crashed, unplugged); they are nobody's again."""

    jobs: tuple[tuple[int, int], ...]  # (job id, attempt)


Event = (
    Ready
    | Findings
    | Progress
    | Checkpoint
    | Compared
    | Trained
    | Drawn
    | Finished
    | Cancelled
    | Failed
    | Lost
)
