"""People get their files: complete, readable elsewhere, in parts that Telegram takes, and nothing of anybody else."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import pytest
from safetensors import safe_open

from bot import export_entries, zip_parts
from bot.playground import Message, Person
from bot.ready_style import FILE
from bot.tables import exports
from bot.tables.exports import ExportKind
from bot.zip_parts import Entry
from lora.data import imagefolder, pictures
from tests.bot.conftest import Running, Stage
from tests.bot.fake_engine import FakeEngine
from tests.bot.marked import stored_files, visit
from tests.bot.test_sharing import link_of
from tests.bot.trainings import CHECKPOINT, ready_to_train
from tests.patient_person import PatientPerson
from tests.waiting import until_async as until


async def files_of(person: Person) -> dict[str, bytes]:
    """What the bot has sent as files, by name."""
    sent = [message for message in person.messages if message.from_bot and message.kind == "document"]
    return {_name(message): await person.download(message.file_id or "") for message in sent}


def _name(message: Message) -> str:
    return str(message.raw["document"]["file_name"])


def opened(data: bytes) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(data))
    assert archive.testzip() is None
    return archive


async def test_all_that_is_held(stage: Stage, ada: Person) -> None:
    """Every row as JSON and every file that a row names; nothing is left on the disk afterwards."""
    async with stage.bot() as running:
        await visit(stage, ada)
        await ada.send("/mydata")
        await ada.wait_for("1 file sent")
        archive = opened((await files_of(ada))["my-data.zip"])
        names = {Path(name).stem for name in archive.namelist()}
        assert {path.name for path in stored_files(stage)} <= names
        rows = {
            table: json.loads(archive.read(f"tables/{table}.json"))
            for table in ("person", "style", "sample", "job", "drawing", "pack")
        }
        assert [person["id"] for person in rows["person"]] == [ada.id]
        assert len(rows["sample"]) == 5
        assert "qapla" in rows["sample"][0]["caption"]
        assert rows["sample"][0]["blob"] in names
        assert await exports.people(running.parts.store) == []
        assert not list((stage.config.storage.dir / "outgoing").iterdir())


async def test_a_guest_gets_nothing_of_the_owner(stage: Stage, ada: Person) -> None:
    """Their own drawings, but neither the adapter that drew them nor pictures, captions or ids."""
    async with stage.bot(), PatientPerson.join(stage.playground.address, "Bob") as bob:
        await visit(stage, ada)
        _, start = await link_of(ada)
        await bob.send(start)
        await bob.wait_for("You can draw in the style")
        await bob.send("/sticker a fox --seed 3")
        await bob.wait_for("seed 3")
        await bob.send("/mydata")
        await bob.wait_for("1 file sent")
        archive = opened((await files_of(bob))["my-data.zip"])
        files = [name for name in archive.namelist() if not name.startswith("tables/")]
        assert len(files) == 2, files  # the sticker, and its drawing before the cut-out
        content = b"".join(archive.read(name) for name in archive.namelist())
        assert str(ada.id).encode() not in content
        assert b"qapla" not in content
        await bob.send("/export")
        await bob.wait_for("only its owner sees")


async def test_samples_are_a_data_set(stage: Stage, ada: Person, tmp_path: Path) -> None:
    """The zip is an imagefolder that this project and others train on."""
    async with stage.bot():
        await visit(stage, ada)
        await export(ada, "export:samples")
    archive = opened((await files_of(ada))["zuvix.zip"])
    archive.extractall(tmp_path / "set")
    lines = (tmp_path / "set" / "metadata.jsonl").read_text().splitlines()
    assert [json.loads(line)["file_name"] for line in lines] == [f"000{n}.png" for n in range(1, 6)]
    assert all(json.loads(line)["text"].startswith("zuvix a fox, qapla") for line in lines)
    assert len(list(imagefolder.rows(tmp_path / "set" / "metadata.jsonl"))) == 5
    for name in archive.namelist()[:5]:
        pictures.open_rgba(archive.read(name))


async def export(ada: Person, button: str) -> None:
    await ada.send("/export")
    await ada.press(await ada.wait_for("What of zuvix shall I send"), button)
    await ada.wait_for("1 file sent")


async def test_an_adapter_for_other_programs(stage: Stage, ada: Person, tmp_path: Path) -> None:
    """kohya's names and the keyword in its header; it is made in a process of its own."""
    async with stage.bot() as running:
        await visit(stage, ada)
        await draw_with(running, FILE.read_bytes())
        await export(ada, "export:kohya")
    (tmp_path / "x.safetensors").write_bytes((await files_of(ada))["zuvix-kohya.safetensors"])
    with safe_open(tmp_path / "x.safetensors", "np") as file:
        assert all(name.startswith("lora_unet_") for name in file.keys())  # noqa: SIM118 - it is no dict
        assert file.metadata()["modelspec.title"] == "zuvix"


@pytest.mark.parametrize("ends", [False, True])
async def test_what_is_said_of_a_training_that_is_not_done(stage: Stage, ada: Person, ends: bool) -> None:
    """That it goes on, while it does; after a cancel, after how many steps it ended, also with the file."""
    engine = FakeEngine()
    engine.hold_after_checkpoint = True
    async with ready_to_train(stage, ada, engine) as running:
        await ada.send("/train")
        await until(lambda: running.parts.store.value(CHECKPOINT))
        if ends:
            await ada.send("/cancel")
            await until(lambda: running.parts.store.value("SELECT state = 'cancelled' FROM job"))
        told = (
            "was ended early: the file holds what I learned in 2 steps" if ends else "training has not ended"
        )
        await draw_with(running, FILE.read_bytes())
        await ada.send("/export")
        shown = await ada.wait_for("What of zuvix shall I send")
        assert told in shown.text
        if ends:
            await ada.press(shown, "export:diffusers")
            assert told in (await ada.wait_for("1 file sent")).text


async def draw_with(running: Running, adapter: bytes) -> None:
    """Let every style draw with this adapter."""
    store = running.parts.store
    async with running.parts.blobs.keep(adapter) as (name,):
        await store.change("UPDATE checkpoint SET adapter = ?", name)


async def test_an_adapter_that_cannot_be_converted(stage: Stage, ada: Person) -> None:
    """The person is told, the export is over, the next one works."""
    async with stage.bot() as running:
        await visit(stage, ada)
        await ada.send("/export")
        shown = await ada.wait_for("What of zuvix shall I send")
        await ada.press(shown, "export:diffusers")
        await ada.wait_for("I could not make that file")
        assert await exports.people(running.parts.store) == []
        await ada.press(shown, "export:samples")
        await ada.wait_for("1 file sent")


async def test_large_sets_come_in_parts(stage: Stage, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each part has its own table and is whole; what fits into none is named."""
    async with stage.bot() as running:
        await visit(stage, ada)
        pictures, _ = await export_entries.of_samples(running.parts.store, running.parts.blobs, 1)
        room = export_entries.room_for_table(pictures)
        two = 2 * max(entry.size for entry, _ in pictures)
        monkeypatch.setattr(zip_parts, "PART_BYTES", room + two)
        await ada.send("/export")
        await ada.press(await ada.wait_for("What of zuvix"), "export:samples")
        await ada.wait_for("files sent")
        sent = await files_of(ada)
        assert len(sent) > 1
        assert all(len(data) <= zip_parts.PART_BYTES for data in sent.values())
        tables = [opened(data).read("metadata.jsonl").decode().splitlines() for data in sent.values()]
        assert sum(map(len, tables)) == 5
        monkeypatch.setattr(zip_parts, "PART_BYTES", two)
        await ada.send("/mydata")
        await ada.wait_for("too large for Telegram")
        assert await exports.people(running.parts.store) == []


async def test_an_export_is_sent_after_a_kill(stage: Stage, ada: Person) -> None:
    """What was asked for comes after the restart; what lay on the disk half-written is deleted."""
    async with stage.bot() as running:
        await visit(stage, ada)
        await exports.ask(running.parts.store, ada.id, ExportKind.EVERYTHING)
    left = stage.config.storage.dir / "outgoing" / "half" / "part.zip"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"x")
    async with stage.bot():
        await ada.wait_for("1 file sent", since=0)
    assert not left.exists()


def test_parts_are_as_few_as_their_size_allows() -> None:
    """In order, none over the limit."""
    entries = [Entry(name=str(n), content=b"x" * 100) for n in range(5)]
    parts, too_large = zip_parts.split([*entries, Entry(name="large", content=b"x" * 2000)], 900)
    assert [[entry.name for entry in part] for part in parts] == [["0", "1"], ["2", "3"], ["4"]]
    assert [entry.name for entry in too_large] == ["large"]
