"""What two people do with the bot from the first greeting to packs, for ``kills.py``.

Each thing is asked for once. An answer is waited for as long as the bot makes progress. Where the bot may say that a
job failed, its person asks again, and that is counted.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from bot.playground import Message, Picture
from tests.journeys.bot_process import BotProcess
from tests.journeys.observing import rows
from tests.journeys.visitor import PATIENCE, arrive, picture, sticker_file
from tests.patient_person import PatientPerson
from tests.waiting import until_async

KEYWORD = "zuvix"
FAILED = ("went wrong on my side", "could not learn", "cannot send", "cannot be read")


@dataclass(kw_only=True)
class Asked:
    """What somebody has asked for, and so must have at the end."""

    person: int
    captions: list[str] = field(default_factory=list)  # of their samples, in order
    draws: int = 0  # /sticker messages
    trainings: int = 0
    packed: int = 0  # stickers in packs


@dataclass(kw_only=True)
class Visit:
    """One pair's visit: Ada teaches, packs, changes and shares; Bob draws in her style and brings a file of it."""

    bot: BotProcess
    number: int  # of the pair: it decides pictures and seeds
    told: Counter[str]  # how often something was told to have failed

    async def run(self) -> list[Asked]:
        """Do all of it; gives what the two must have at the end."""
        address = self.bot.playground.address
        async with (
            PatientPerson.join(address, f"Ada{self.number}") as ada,
            PatientPerson.join(address, f"Bob{self.number}") as bob,
        ):
            hers, his = Asked(person=ada.id), Asked(person=bob.id)
            await self._collect(ada, hers)
            await self._take_a_pack_and_undo(ada)
            await self._train(ada, hers)
            link = await self._share(ada)
            file, _ = await asyncio.gather(self._export(ada), self._pack(ada, hers, self.number * 100))
            await self._change_pack(ada)
            await self._be_a_guest(bob, his, link)
            await self._bring_file(bob, his, file)
            return [hers, his]

    async def _collect(self, ada: PatientPerson, hers: Asked) -> None:
        """Six samples: a sticker, a photo, a file, an album; captions in every way."""
        first = self.number * 10
        await arrive(ada, KEYWORD)
        await ada.send_picture(sticker_file(first), as_="sticker", emoji="🦊")
        await ada.wait_for("1 in all", PATIENCE)
        await ada.send("a red fox")
        await ada.wait_for(f"{KEYWORD} a red fox", PATIENCE)
        await ada.send_picture(picture(first + 1), as_="photo", caption="a blue ball")
        sent = await ada.send_picture(picture(first + 2), as_="document")
        await ada.wait_for("3 in all", PATIENCE)
        await ada.send("a green ball", reply_to=sent)
        await ada.wait_for(f"{KEYWORD} a green ball", PATIENCE)
        lines = ("a cat\na dog\na hen", "", "")
        album = [Picture(data=picture(first + 3 + n), caption=line) for n, line in enumerate(lines)]
        await ada.album(album)
        await ada.wait_for("6 in all", PATIENCE)
        words = ("a red fox", "a blue ball", "a green ball", "a cat", "a dog", "a hen")
        hers.captions = [f"{KEYWORD} {each}" for each in words]

    async def _take_a_pack_and_undo(self, ada: PatientPerson) -> None:
        """Three stickers of somebody's pack come in, and go again."""
        stickers = [
            Picture(data=sticker_file(self.number * 10 + n), as_="sticker", emoji="🐙") for n in (7, 8, 9)
        ]
        name = f"Foxes{self.number}"
        await ada.publish(name, "Foxes", stickers)
        await ada.send(f"t.me/addstickers/{name}")
        told = await ada.wait_for(f"3 new pictures for {KEYWORD}, 9 in all", PATIENCE)
        await ada.press(told, "undo:")
        await ada.wait_for("6 pictures are left", PATIENCE)

    async def _train(self, ada: PatientPerson, hers: Asked) -> None:
        while True:
            await ada.send("/train")
            hers.trainings += 1
            if not self._failed(await ada.wait_for(_either("is ready!", *FAILED), PATIENCE), "training"):
                return

    async def _share(self, ada: PatientPerson) -> str:
        await ada.send("/share")
        told = await ada.wait_for(_either("Whoever opens this link", "showed the link once"), PATIENCE)
        if "showed the link once" in told.text:  # a kill came before the answer
            self.told["link not seen"] += 1
            await ada.press(told, "share:renew")
            told = await ada.wait_for("Whoever opens this link", PATIENCE)
        found = re.search(r"\?start=(\S+)", told.text)
        assert found is not None
        return found[1]

    async def _export(self, ada: PatientPerson) -> bytes:
        """The trained adapter as a file."""
        asked = ada.seq
        await ada.send("/export")
        question = await ada.wait_for(f"What of {KEYWORD} shall I send", PATIENCE, since=asked)
        await ada.press(question, "export:diffusers")
        sent = await ada.wait_for(lambda message: message.kind == "document", PATIENCE, since=asked)
        assert sent.file_id is not None
        return await ada.download(sent.file_id)

    async def _pack(self, person: PatientPerson, asked: Asked, seed: int) -> None:
        """Two stickers into a pack."""
        drawn = await self._draw(person, asked, seed)
        before = asked.packed
        for sticker in drawn:
            await person.press(sticker, "add:")
            asked.packed += 1
        done = f"SELECT count(*) FROM pack_sticker WHERE state = 'added' AND told AND person = {person.id}"
        await until_async(lambda: rows(self.bot, done) == [(before + len(drawn),)])

    async def _draw(self, person: PatientPerson, asked: Asked, seed: int) -> list[Message]:
        """Two stickers of one prompt; each once, though a kill may have one sent again."""
        while True:
            since = person.seq
            await person.send(f"/sticker a fox drinking coffee --seed {seed} --n 2")
            asked.draws += 1
            over = _either(f"seed {seed}–{seed + 1}", *FAILED)
            done = await person.wait_for(over, PATIENCE, since=since)
            if not self._failed(done, "drawing"):
                break
        stickers = {
            button.data: message
            for message in person.heard(since)
            if message.kind == "sticker" and (button := message.button("add:"))
        }
        return list(stickers.values())

    async def _change_pack(self, ada: PatientPerson) -> None:
        """Move a sticker to the front, and undo that."""
        while True:
            await ada.send("/packs move 2 to 1")
            told = await ada.wait_for(_either("is number 1 now", "does not let me look"), PATIENCE)
            if "number 1" in told.text:
                break
            self.told["pack not seen"] += 1
        await ada.send("/undo")
        await ada.wait_for("Taken back", PATIENCE)

    async def _be_a_guest(self, bob: PatientPerson, his: Asked, link: str) -> None:
        await bob.send(f"/start {link}")
        await bob.wait_for(f"You can draw in the style {KEYWORD} now", PATIENCE)
        await self._pack(bob, his, self.number * 100 + 50)

    async def _bring_file(self, bob: PatientPerson, his: Asked, file: bytes) -> None:
        """The adapter's file becomes a style of his; a bot that has just started asks to send it again."""
        while True:
            await bob.send_picture(file, name="look.safetensors", as_="document", caption="quorbel")
            told = await bob.wait_for(_either("Your file is the style quorbel", "am just starting"), PATIENCE)
            if "Your file" in told.text:
                break
            self.told["file too early"] += 1
        await self._draw(bob, his, self.number * 100 + 70)

    def _failed(self, message: Message, what: str) -> bool:
        found = any(word in message.text for word in FAILED)
        self.told[f"{what} failed"] += found
        return found


def _either(*words: str) -> Callable[[Message], bool]:
    return lambda message: any(word in message.text for word in words)
