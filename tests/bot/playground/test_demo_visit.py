"""The demo's visit against the whole bot with an engine that needs no model."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bot.playground import visit
from bot.playground.poster import Row, poster
from bot.playground.run import SAMPLES
from bot.playground.transcript import Transcript
from lora.jobs import Draw, Failed, Job, Train
from tests.bot.conftest import Stage
from tests.bot.fake_engine import FakeEngine


class Failing(FakeEngine):
    """Fails the jobs that it is told to fail."""

    def __init__(self, fails: Callable[[Job], bool]) -> None:
        super().__init__()
        self._fails = fails

    async def submit(self, job: Job, worker: str) -> None:
        if not self._fails(job):
            await super().submit(job, worker)
            return
        self.jobs.append(job)
        code = "internal" if isinstance(job, Train) else "empty-cutout"
        self.say(Failed(job=job.id, attempt=job.attempt, code=code))


async def test_the_visit_ends_with_nine_stickers(stage: Stage, tmp_path: Path) -> None:
    """24 samples, a training, nine stickers in files, one poster of all, and nine stickers in one pack."""
    lines: list[str] = []
    out = tmp_path / "out"
    async with stage.bot() as running:
        await visit.visit(stage.playground.address, samples=SAMPLES, out=out, say=lines.append)
    train, *draws = running.engine.jobs
    assert isinstance(train, Train)
    assert len(train.samples) == 24
    assert all(sample.caption.startswith("bomux ") for sample in train.samples)
    options = [(job.prompt, job.options) for job in draws if isinstance(job, Draw)]
    assert len({(prompt, one.cfg) for prompt, one in options if one.strength == 1.0}) == 9
    assert [one.cfg for _, one in options if one.strength == 0.0] == [visit.USUAL_CFG] * 3  # the bare base's
    stickers = sorted(out.glob("*.webp"))
    assert [path.name for path in stickers] == [f"{number:02}.webp" for number in range(1, 10)]
    with Image.open(out / "contact-sheet.png") as poster:
        assert poster.width == 1500
    said = "\n".join(lines)
    assert "has 9 stickers" in said
    assert str(out) in said
    assert "The whole visit took" in said


async def test_the_visit_shows_the_sheet_of_checkpoints(stage: Stage, tmp_path: Path) -> None:
    """A training that ends with a choice is no failed one; the transcript has the sheet and its buttons."""
    lines: list[str] = []
    async with stage.bot(FakeEngine(compares=2)):
        await visit.visit(stage.playground.address, samples=SAMPLES, out=tmp_path / "out", say=lines.append)
    said = "\n".join(lines)
    assert "[photo] Your style bomux is ready" in said
    assert "[✓ after 2 steps] [after 4 steps]" in said


async def test_an_empty_drawing_is_asked_for_again(stage: Stage, tmp_path: Path) -> None:
    """A drawing of which nothing was left is drawn with another seed, as a person would."""

    def fails(job: Job) -> bool:
        first = {f"{visit.KEYWORD} {prompt}": seed for prompt, seed in visit.PROMPTS.items()}
        return isinstance(job, Draw) and job.options.cfg == 5 and job.options.seed == first[job.prompt]

    engine = Failing(fails)
    async with stage.bot(engine):
        await visit.visit(
            stage.playground.address, samples=SAMPLES, out=tmp_path / "out", say=lambda line: None
        )
    assert len(list((tmp_path / "out").glob("*.webp"))) == 9


async def test_a_failed_training_fails_the_visit(stage: Stage, tmp_path: Path) -> None:
    """The visit says what failed instead of going on without it."""
    async with stage.bot(Failing(lambda job: isinstance(job, Train))):
        with pytest.raises(visit.VisitError, match="the training failed"):
            await visit.visit(stage.playground.address, samples=SAMPLES, out=tmp_path, say=lambda line: None)


async def test_silence_fails_the_visit(stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a bot the visit ends with an error after a while, not never."""
    monkeypatch.setattr(visit, "QUIET_SECONDS", 0.5)
    with pytest.raises(visit.VisitError, match="an answer to /start did not come"):
        await visit.visit(stage.playground.address, samples=SAMPLES, out=tmp_path, say=lambda line: None)


def test_the_transcript_reads_like_the_chat() -> None:
    """Who said what, albums in one line, buttons below their message, progress now and then, the end always."""
    lines: list[str] = []
    transcript = Transcript(lines.append)
    ada, bot = {"is_bot": False, "first_name": "Ada"}, {"is_bot": True, "first_name": "B"}
    for number in (1, 2):
        photo: dict[str, Any] = {
            "message_id": number,
            "from": ada,
            "photo": [],
            "media_group_id": "7",
            "caption": f"c{number}",
        }
        transcript({"kind": "message", "message": photo})
    keyboard = {"inline_keyboard": [[{"text": "Stop"}]]}
    for kind in ("message", "edit", "edit"):
        transcript(
            {
                "kind": kind,
                "message": {"message_id": 3, "from": bot, "text": "1\n2", "reply_markup": keyboard},
            }
        )
    transcript({"kind": "edit", "message": {"message_id": 3, "from": bot, "text": "done"}})
    assert lines == ["Ada    [2 files] c1 | c2", "Bot    1", "       2", "       [Stop]", "Bot ~  done"]


def test_the_poster_takes_any_shape() -> None:
    """The poster is made of any transparent pictures, also of very flat ones."""
    out = io.BytesIO()
    Image.new("RGBA", (512, 8), "red").save(out, "WEBP")
    row = Row(prompt="x", stickers=[(out.getvalue(), "CFG 1")] * 3)
    assert poster(title="t", subtitle="s", samples=[out.getvalue()] * 5, rows=[row]).width == 1500
