"""The text and buttons of the message that shows a job, in each state of the job."""

from __future__ import annotations

from bot.config import Config
from bot.errors import Buttons
from bot.estimates import Estimate
from bot.sample_words import undo_button
from bot.tables.drawings import Drawing
from bot.tables.jobs import Job, JobKind, JobState
from bot.words import Html, Words, clip
from lora.jobs import NO_OUTLINE, DrawOptions
from lora.option_text import seed_text

View = tuple[str, Buttons]  # HTML text, buttons

BAR = 12  # characters
OUTLINES = {"none": NO_OUTLINE, "white": "#ffffff", "black": "#000000"}  # those with a button


def under_way(words: Words, job: Job, estimate: Estimate, config: Config) -> View:
    """The message of a waiting or running job."""
    lines = [_headline(words, job), _place(words, job, estimate)]
    if job.kind == JobKind.TRAIN and job.samples < config.train.advised_samples[0]:
        least, most = config.train.advised_samples
        lines.append(words("train-advice", n=job.samples, least=least, most=most))
    if job.note:
        lines.append(words(job.note, keyword=job.keyword or job.lent_name))
    return "\n".join(lines), words.buttons([[("button-cancel", f"cancel:{job.id}")]])


def over(words: Words, job: Job, drawings: list[Drawing]) -> View:
    """The message of a job that has ended."""
    if job.kind == JobKind.DRAW and drawings:
        return _drawn(words, job, drawings)
    if job.error == "share-ended":
        return f"{_headline(words, job)}\n{words('error-share-ended')}", []
    if job.error == "other-base" and job.lent_keyword:
        return f"{_headline(words, job)}\n{words('error-other-base-lent')}", []
    if job.error == "other-base" and job.style is not None:
        again = [[("button-train-again", f"train:again:{job.style}")]]
        return f"{_headline(words, job)}\n{words('error-other-base')}", words.buttons(again)
    if job.state == JobState.FAILED or (job.kind == JobKind.DRAW and job.state == JobState.DONE):
        why = words(f"error-{job.error or 'internal'}")
        return f"{_headline(words, job)}\n{why}", []
    return words(f"{job.kind}-{job.state}", keyword=job.keyword, prompt=clip(job.prompt), n=job.samples), []


def cut_out_over(words: Words, job: Job, change: int | None, n: int) -> View:
    """The message of a cut-out that has ended, with how many pictures have lost their backgrounds."""
    text, _ = over(words, job, [])
    if job.state == JobState.DONE:
        text = words("cutout-done", n=n, keyword=job.keyword)
        if n < job.samples:
            text += "\n" + words("cutout-left", n=job.samples - n)
    return text, undo_button(words, change) if n else []


def _headline(words: Words, job: Job) -> str:
    if job.kind == JobKind.CUT_OUT:
        return words("cutout-headline", keyword=job.keyword, n=job.samples)
    if job.kind == JobKind.TRAIN:
        return words("train-headline", keyword=job.keyword, n=job.samples)
    if job.uncut is not None:
        return words("cut-headline", prompt=clip(job.prompt)) + _cut(words, job)
    headline = words("draw-headline", prompt=clip(job.prompt), cfg=cfg_values(words, job.options))
    return "\n".join([headline + _more(words, job), *_own_words(words, job, "draw-unknown")])


def cfg_values(words: Words, options: DrawOptions) -> str:
    """The CFG value, or those of a sweep."""
    return " / ".join(words.number(value) for value in options.sweep or (options.cfg,))


def _more(words: Words, job: Job) -> str:
    """What is not as usual: near another drawing, the strength, the negative prompt, the outline, the cut-out."""
    options, text = job.options, ""
    if options.near:
        text += words("draw-near")
    if options.strength != DrawOptions.strength and job.adapter is not None:
        text += words("draw-strength", strength=words.number(options.strength))
    if options.negative_prompt:
        text += words("draw-without", negative=clip(options.negative_written or options.negative_prompt, 100))
    return text + _cut(words, job)


def _cut(words: Words, job: Job) -> str:
    """Outline and cut-out, if they are not as usual; the outline always if only they have changed."""
    options, text = job.options, ""
    if job.uncut is not None or options.outline != DrawOptions.outline:
        name = next((name for name, colour in OUTLINES.items() if colour == options.outline), None)
        colour = clip(options.outline_written or options.outline, 40)
        text += words(f"cut-outline-{name}" if name else "cut-outline", colour=colour)
    if options.cutout != DrawOptions.cutout:
        text += words(f"cut-{options.cutout}")
    return text


def _own_words(words: Words, job: Job, unknown: str) -> list[str]:
    """What the person wrote, if it was translated; ``unknown`` is the text about the words that were not."""
    lines = []
    if job.prompt_original is not None:
        lines.append(
            words("draw-own-words", original=clip(job.options.prompt_written or job.prompt_original))
        )
    if job.prompt_unknown:
        lines.append(words(unknown, words=clip(job.prompt_unknown)))
    return lines


def _place(words: Words, job: Job, estimate: Estimate) -> str:
    """The place in the queue or a progress bar, and the time left if it is known."""
    if estimate.place:
        key = "queue-place" if estimate.place > 1 else "queue-next"
        key = "queue-own" if estimate.behind_own else key
        return words(key, place=estimate.place, about=_about(words, estimate.seconds))
    if not estimate.steps or not estimate.step or job.kind == JobKind.CUT_OUT:
        return words("starting", about=_about(words, estimate.seconds))
    bar = _bar(estimate.step / estimate.steps)
    if job.kind == JobKind.DRAW:
        return words("draw-bar", bar=bar, left=_left(words, estimate.seconds))
    if estimate.step >= estimate.steps:  # the checkpoints are compared
        left = _left(words, estimate.seconds or None)
        return words("train-comparing", bar=bar, left=left)
    loss = (
        Html("") if estimate.loss is None else Html(words("train-loss", loss=words.number(estimate.loss, 3)))
    )
    return words(
        "train-bar",
        bar=bar,
        step=estimate.step,
        steps=estimate.steps,
        left=_left(words, estimate.seconds),
        loss=loss,
    )


def _drawn(words: Words, job: Job, drawings: list[Drawing]) -> View:
    cfg = cfg_values(words, job.options)
    line = words("draw-done", prompt=clip(job.prompt), cfg=cfg, seeds=_seeds(job, drawings))
    lines = [line + _more(words, job)]
    if job.state == JobState.FAILED:  # the others have been sent
        lines.append(words("drawn-part", n=len(drawings), count=job.options.count))
        lines.append(words(f"error-{job.error or 'internal'}"))
    lines += _own_words(words, job, "drawn-unknown")
    if job.note:
        lines.append(words(job.note, keyword=job.keyword or job.lent_name))
    buttons = [[("button-add-all", f"addall:{job.id}")]] if len(drawings) > 1 else []
    if (
        job.note == "note-lent" and job.style is not None and job.chat is None
    ):  # in a group it is nobody's business
        buttons.append([("button-report", f"report:{job.style}")])
    return "\n".join(lines), words.buttons(buttons)


def _seeds(job: Job, drawings: list[Drawing]) -> str:
    ends = [job.options.of_picture(drawing.position) for drawing in (drawings[0], drawings[-1])]
    first, last = (seed_text(one.seed, one.near) for one in ends)
    return first if first == last else f"{first}–{last}"


def _bar(part: float) -> str:
    done = round(BAR * part)
    return f"{'▰' * done}{'▱' * (BAR - done)} {part:.0%}"


def _about(words: Words, seconds: float | None) -> Html:
    return Html("") if seconds is None else Html(words("about", time=Html(words.duration(seconds))))


def _left(words: Words, seconds: float | None) -> Html:
    return Html("") if seconds is None else Html(words("left", time=Html(words.duration(seconds))))


def number(value: float) -> str:
    """A number without a trailing ``.0``, as it stands in the data of buttons."""
    return f"{value:g}"
