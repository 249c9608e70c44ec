"""A person's whole visit by script: a style from 24 samples, nine stickers in it, all in a pack.

What the bot says is never compared with its texts, which may be in any language: the visit goes by its
buttons, by what kinds of message come, and by the pack.
"""

from __future__ import annotations

import io
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from PIL import Image

from bot.playground.person import ChatError, Message, Person, Picture
from bot.playground.poster import Row, poster
from bot.playground.transcript import Transcript

T = TypeVar("T")

KEYWORD = "bomux"
SAMPLES = 24
# Each with the seed of its drawings. None of them is among the samples, but a sun without a face is.
PROMPTS = {"a bear riding a bicycle": 9, "a cat wearing sunglasses": 10, "a happy sun": 11}
CFGS = (3, 5, 8)
USUAL_CFG = 5  # of the drawing without the style, which stands beside the others
TRIES = 3  # of a drawing of which nothing was left after cutting it out
QUIET_SECONDS = 240.0  # an expected answer that long after the last sign of life will not come


class VisitError(Exception):
    """An expected message did not come; the visit cannot go on."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A picture of the demo data set."""

    name: str
    data: bytes = field(repr=False)
    caption: str


async def visit(address: str, *, samples: Path, out: Path, say: Callable[[str], None]) -> None:
    """Play the visit at the playground at ``address``; results go to ``out``. Raises VisitError."""
    began = time.monotonic()
    transcript = Transcript(say)
    try:
        async with Person.join(address, "Ada", watch=transcript) as ada:
            say(f"Ada's chat: {address}/?person={ada.id}\n")
            await Visit(ada, transcript, say).play(read_samples(samples)[:SAMPLES], out)
    except (TimeoutError, ChatError) as error:
        raise VisitError(str(error)) from error
    say(f"\nThe whole visit took {_minutes(time.monotonic() - began)}.")


def read_samples(folder: Path) -> list[Sample]:
    """The pictures of an imagefolder with their captions."""
    lines = (folder / "metadata.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line.strip()]
    return [
        Sample(name=row["file_name"], data=(folder / row["file_name"]).read_bytes(), caption=row["text"])
        for row in rows
    ]


class Visit:
    """What Ada does, in her order."""

    def __init__(self, ada: Person, transcript: Transcript, say: Callable[[str], None]) -> None:
        self._ada = ada
        self._transcript = transcript
        self._say = say

    async def play(self, samples: Sequence[Sample], out: Path) -> None:
        """All of it."""
        await self._ada.send("/start")
        await self._heard("an answer to /start")
        await self._ada.send(f"/new {KEYWORD}")
        await self._heard("the new style", lambda message: KEYWORD in message.text)
        await self._timed("Showing the samples", self._show(samples))
        await self._timed("Learning the style", self._train())
        rows = [
            await self._timed(f"Drawing “{prompt}” three times", self._draw(prompt)) for prompt in PROMPTS
        ]
        bare = [await self._draw_without_style(prompt) for prompt in PROMPTS]
        stickers = [sticker for row in rows for sticker in row]
        await self._timed("Filling the pack", self._fill_pack(stickers))
        drawn = [[await self._sticker(sticker) for sticker in row] for row in rows]
        without_style = [await self._sticker(sticker) for sticker in bare]
        keep(samples=samples, drawn=drawn, without_style=without_style, out=out)
        (pack,) = await self._ada.packs()
        self._say(f"\nThe pack “{pack['title']}” ({pack['name']}) has {len(pack['stickers'])} stickers.")
        self._say(f"The stickers and contact-sheet.png are in {out}")

    async def _show(self, samples: Sequence[Sample]) -> None:
        """Most in albums of files with captions, some as stickers with the caption in a reply."""
        files, as_stickers = samples[:-4], samples[-4:]
        for part in (files[:10], files[10:]):
            await self._ada.album(
                [Picture(data=one.data, name=one.name, caption=one.caption, as_="document") for one in part]
            )
            await self._heard("a word on the album")
        for one in as_stickers:
            sent = await self._ada.send_picture(one.data, as_="sticker", emoji="🎨")
            await self._heard("a word on the sticker")
            await self._ada.send(one.caption, reply_to=sent)
            await self._heard("a word on the caption", partial(_says, one.caption))
        await self._ada.send("/samples")
        await self._heard(f"{len(samples)} samples", lambda message: str(len(samples)) in message.text)

    async def _train(self) -> None:
        await self._ada.send("/train")
        progress = await self._heard("the start of the training")
        if progress.button("cancel:") is None:
            raise VisitError(f"the training did not start: {progress.text}")
        last = await self._heard("the end of the training", lambda message: message.id > progress.id)
        if last.button("train:"):
            raise VisitError(f"the training failed: {last.text}")

    async def _draw(self, prompt: str) -> list[Message]:
        """The prompt at each CFG value with its seed, asked for at once; in the order of the values."""
        drawn: dict[int, Message] = {}
        for attempt in range(TRIES):
            left = [cfg for cfg in CFGS if cfg not in drawn]
            drawn |= await self._ask(prompt, left, seed=PROMPTS[prompt] + attempt) if left else {}
        if len(drawn) < len(CFGS):
            raise VisitError(f"{len(CFGS) - len(drawn)} drawings of “{prompt}” did not come")
        return [drawn[cfg] for cfg in CFGS]

    async def _draw_without_style(self, prompt: str) -> Message:
        """The prompt as the bare base draws it, with the style at strength 0."""
        for attempt in range(TRIES):
            seed = PROMPTS[prompt] + attempt
            if drawn := await self._ask(prompt, [USUAL_CFG], seed=seed, more=" --strength 0"):
                return drawn[USUAL_CFG]
        raise VisitError(f"no drawing of “{prompt}” without the style came")

    async def _ask(
        self, prompt: str, cfgs: Sequence[int], *, seed: int, more: str = ""
    ) -> dict[int, Message]:
        """The stickers that came, by CFG value. A job has one message, with a cancel button until its end."""
        since = self._ada.seq
        for cfg in cfgs:
            await self._ada.send(f"/sticker {prompt} --cfg {cfg} --seed {seed}{more}")

        def over() -> bool:
            told = [message for message in self._ada.heard(since) if message.kind == "text"]
            return len(told) >= len(cfgs) and not any(message.button("cancel:") for message in told)

        await self._until(over, f"{len(cfgs)} drawings")
        came = [message for message in self._ada.heard(since) if message.kind == "sticker"]
        return {_cfg_of(message): message for message in came}

    async def _fill_pack(self, stickers: Sequence[Message]) -> None:
        for sticker in stickers:
            button = sticker.button("add:")
            if button is None:
                raise VisitError("a sticker has no button that adds it to a pack")
            self._transcript.press(button.label)
            await self._ada.press(sticker, "add:")
            await self._ada.wait_for_notice()
        await self._until(lambda: not self._with_button("add:", stickers), "the stickers' way into the pack")
        packed = sum(len(pack["stickers"]) for pack in await self._ada.packs())
        if packed != len(stickers):
            raise VisitError(f"{packed} of {len(stickers)} stickers got into the pack")

    def _with_button(self, data: str, among: Sequence[Message]) -> list[Message]:
        """Those of the messages that have such a button now."""
        ids = {message.id for message in among}
        return [message for message in self._ada.messages if message.id in ids and message.button(data)]

    async def _sticker(self, message: Message) -> bytes:
        """A sticker's file, held once more against Telegram's rules."""
        data = await self._ada.download(str(message.file_id))
        with Image.open(io.BytesIO(data)) as image:
            if image.format != "WEBP" or max(image.size) != 512 or len(data) > 512 * 1024:
                raise VisitError(f"a sticker breaks the rules: {image.format} {image.size} {len(data)} bytes")
        return data

    async def _heard(self, what: str, wanted: Callable[[Message], bool] = lambda message: True) -> Message:
        """The first message since Ada's last deed that is ``wanted``."""
        await self._until(lambda: any(map(wanted, self._ada.heard())), what)
        return next(filter(wanted, self._ada.heard()))

    async def _until(self, reached: Callable[[], bool], what: str) -> None:
        """Read along until it is so. Raises VisitError when nothing at all has happened for too long."""
        quiet = time.monotonic()
        while not reached():
            if await self._ada.read(min(5.0, QUIET_SECONDS)):
                quiet = time.monotonic()
            if time.monotonic() - quiet > QUIET_SECONDS:
                raise VisitError(f"{what} did not come: nothing happened for {QUIET_SECONDS:.0f} s")

    async def _timed(self, what: str, deed: Awaitable[T]) -> T:
        began = time.monotonic()
        result = await deed
        self._say(f"\n— {what} took {_minutes(time.monotonic() - began)} —\n")
        return result


def keep(
    *,
    samples: Sequence[Sample],
    drawn: Sequence[Sequence[bytes]],
    without_style: Sequence[bytes],
    out: Path,
) -> None:
    """Write the stickers, a list for each prompt, as files, and one picture of everything.

    ``without_style`` has the bare base's sticker of each prompt, which is in the picture only.
    """
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob("*.webp"):
        old.unlink()
    stickers = [sticker for row in drawn for sticker in row]
    for number, sticker in enumerate(stickers, start=1):
        (out / f"{number:02}.webp").write_bytes(sticker)
    words = [f"CFG {cfg}" for cfg in CFGS]
    sheet = poster(
        title=KEYWORD,
        subtitle=f"a style learned from {len(samples)} samples, and {len(stickers)} stickers drawn in it",
        samples=[sample.data for sample in samples],
        rows=[
            Row(prompt=prompt, stickers=[(bare, "without the style"), *zip(row, words, strict=True)])
            for prompt, bare, row in zip(PROMPTS, without_style, drawn, strict=True)
        ],
    )
    sheet.save(out / "contact-sheet.png")


def _says(text: str, message: Message) -> bool:
    return text in message.text


def _cfg_of(message: Message) -> int:
    """The CFG value that a sticker was drawn with: its button is the one that is marked."""
    cfg = (button for button in message.buttons if (button.data or "").startswith("cfg:"))
    marked = next(button for button in cfg if button.label.startswith("•"))
    return int(str(marked.data).rpartition(":")[2])


def _minutes(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else f"{int(seconds // 60)} min {seconds % 60:.0f} s"
