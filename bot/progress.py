"""A job's one message: its text and buttons in each state that the job can be in."""

from __future__ import annotations

from bot.config import Config
from bot.errors import Buttons
from bot.estimates import Estimate
from bot.tables.drawings import Drawing
from bot.tables.jobs import Job
from bot.words import Html, Words, clip

View = tuple[str, Buttons]  # HTML text, buttons

BAR = 12  # characters


def under_way(words: Words, job: Job, standing: Estimate, config: Config) -> View:
    """What a waiting or running job's message shows."""
    lines = [_headline(words, job), _place(words, job, standing)]
    if job.kind == "train" and job.count < config.train.advised_samples[0]:
        least, most = config.train.advised_samples
        lines.append(words("train-advice", n=job.count, least=least, most=most))
    if job.note:
        lines.append(words(job.note, keyword=job.keyword))
    return "\n".join(lines), words.buttons([[("button-cancel", f"cancel:{job.id}")]])


def over(words: Words, job: Job, drawings: list[Drawing]) -> View:
    """What the message of a job that has ended shows, for good."""
    if job.kind == "draw" and drawings:
        return _drawn(words, job, drawings)
    if job.error == "other-base" and job.style is not None:
        again = [[("button-train-again", f"train:again:{job.style}")]]
        return f"{_headline(words, job)}\n{words('error-other-base')}", words.buttons(again)
    if job.state == "failed" or (job.kind == "draw" and job.state == "done"):
        why = words(f"error-{job.error or 'internal'}")
        return f"{_headline(words, job)}\n{why}", []
    return words(f"{job.kind}-{job.state}", keyword=job.keyword, prompt=clip(job.prompt)), []


def _headline(words: Words, job: Job) -> str:
    if job.kind == "train":
        return words("train-headline", keyword=job.keyword, n=job.count)
    return words("draw-headline", prompt=clip(job.prompt), cfg=number(job.cfg), seed=job.seed, n=job.count)


def _place(words: Words, job: Job, standing: Estimate) -> str:
    """Place in line, or a bar; and the time left, once that can be told."""
    if standing.place:
        key = "queue-place" if standing.place > 1 else "queue-next"
        return words(key, place=standing.place, about=_about(words, standing.seconds))
    if not standing.steps or not standing.step:
        return words("starting", about=_about(words, standing.seconds))
    bar = _bar(standing.step / standing.steps)
    if job.kind == "draw":
        return words("draw-bar", bar=bar, left=_left(words, standing.seconds))
    if standing.step >= standing.steps:  # what comes after the last step
        left = _left(words, standing.seconds or None)
        return words("train-comparing", bar=bar, left=left)
    loss = Html("") if standing.loss is None else Html(words("train-loss", loss=f"{standing.loss:.3f}"))
    return words(
        "train-bar",
        bar=bar,
        step=standing.step,
        steps=standing.steps,
        left=_left(words, standing.seconds),
        loss=loss,
    )


def _drawn(words: Words, job: Job, drawings: list[Drawing]) -> View:
    text = words("draw-done", prompt=clip(job.prompt), cfg=number(job.cfg), seeds=_seeds(drawings))
    if job.note:
        text = f"{text}\n{words(job.note, keyword=job.keyword)}"
    buttons = [[("button-add-all", f"addall:{job.id}")]] if len(drawings) > 1 else []
    return text, words.buttons(buttons)


def _seeds(drawings: list[Drawing]) -> str:
    first, last = drawings[0].seed, drawings[-1].seed
    return str(first) if first == last else f"{first}–{last}"


def _bar(part: float) -> str:
    done = round(BAR * part)
    return f"{'▰' * done}{'▱' * (BAR - done)} {part:.0%}"


def _about(words: Words, seconds: float | None) -> Html:
    return Html("") if seconds is None else Html(words("about", time=Html(words.duration(seconds))))


def _left(words: Words, seconds: float | None) -> Html:
    return Html("") if seconds is None else Html(words("left", time=Html(words.duration(seconds))))


def number(value: float) -> str:
    """A number without a needless .0"""
    return f"{value:g}"
