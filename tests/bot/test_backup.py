"""A backup of a bot that runs is whole; restoring checks everything first and writes nowhere else."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import io
import os
import shutil
import tarfile
from pathlib import Path

import pytest

from bot import backup, restore, scratch_folder
from bot.backup_file import names_of_blobs
from bot.blobs import Blobs, no_deletions
from bot.errors import ConfigError
from bot.store import Store


async def filled(folder: Path, count: int = 20) -> tuple[Store, Blobs]:
    """A storage with some samples."""
    store = await Store.open(folder / "bot.sqlite")
    blobs = Blobs(folder / "blobs", store)
    await store.change("INSERT INTO person (id, name, language) VALUES (7, 'Ada', 'en')")
    await store.change("INSERT INTO style (id, person, keyword) VALUES (1, 7, 'zuvix')")
    for number in range(count):
        await add(store, blobs, number)
    return store, blobs


async def add(store: Store, blobs: Blobs, number: int) -> None:
    async with blobs.keep(f"picture {number}".encode()) as (name,):
        await store.change(
            "INSERT INTO sample (style, file_unique_id, blob, kind, message_id, sent_at)"
            " VALUES (1, ?, ?, 'file', 1, 0)",
            str(number),
            name,
        )


async def test_a_backup_of_a_busy_bot_is_whole(tmp_path: Path) -> None:
    """Samples come and go while it is made; what the copy names is in it, and comes back as it was."""
    store, blobs = await filled(tmp_path / "data")
    number, ended = 100, asyncio.Event()

    async def busy() -> None:
        nonlocal number
        while not ended.is_set():
            number += 1
            await add(store, blobs, number)
            rows = await store.rows(
                "DELETE FROM sample WHERE id = (SELECT min(id) FROM sample) RETURNING blob"
            )
            await blobs.sweep([row["blob"] for row in rows])

    work = asyncio.create_task(busy())
    for turn in range(5):
        file, to = tmp_path / f"{turn}.tar", tmp_path / f"restored-{turn}"
        assert (await asyncio.to_thread(backup.backup, tmp_path / "data", file)).lost == []
        await asyncio.to_thread(restore.restore, file, to)
        names = names_of_blobs(to / "bot.sqlite")
        assert len(names) in (20, 21)
        for name in names:
            content = (to / "blobs" / name[:2] / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == name
        assert sorted(path.name for path in to.iterdir()) == ["blobs", "bot.sqlite"]
    ended.set()
    await work
    assert number > 105
    assert [name for name in os.listdir(tmp_path) if name.startswith(".")] == []
    await store.close()


async def test_nothing_is_deleted_while_files_are_copied(tmp_path: Path) -> None:
    """What a person deletes meanwhile is deleted by the next tidy."""
    store, blobs = await filled(tmp_path, count=1)
    (row,) = await store.rows("DELETE FROM sample RETURNING blob")
    with no_deletions(tmp_path / "blobs"):
        await blobs.sweep([row["blob"]])
        await blobs.sweep_all()
        assert blobs.path_of(row["blob"]) is not None
    await blobs.sweep_all()
    assert blobs.path_of(row["blob"]) is None
    await store.close()


async def test_lost_files_are_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    """One missing and one damaged picture do not make all other backups impossible."""
    store, _ = await filled(tmp_path / "data")
    await store.close()
    first, second = sorted((tmp_path / "data" / "blobs").glob("??/*"))[:2]
    first.unlink()
    second.write_bytes(b"damaged")
    manifest = backup.backup(tmp_path / "data", tmp_path / "b.tar")
    assert sorted(manifest.lost) == sorted([first.name, second.name])
    assert backup.main(["--verify", str(tmp_path / "b.tar")], None) == 1
    assert restore.restore(tmp_path / "b.tar", tmp_path / "to").blobs == 18


@pytest.mark.parametrize("harm", ["cut", "changed", "missing", "outside", "link", "text"])
async def test_a_harmed_backup_restores_nothing(tmp_path: Path, harm: str) -> None:
    """A file that is cut off, changed or made by somebody else is refused, and the folder stays empty."""
    store, _ = await filled(tmp_path / "data", count=3)
    await store.close()
    file = tmp_path / "b.tar"
    backup.backup(tmp_path / "data", file)
    _harm(file, harm)
    with pytest.raises(ConfigError):
        restore.restore(file, tmp_path / "to" / "folder")
    assert list((tmp_path / "to" / "folder").iterdir()) == []
    assert not (tmp_path / "to" / "evil").exists()


def _harm(file: Path, harm: str) -> None:
    content = file.read_bytes()
    if harm == "cut":
        file.write_bytes(content[: len(content) // 2])
    elif harm == "changed":
        file.write_bytes(content.replace(b"picture 1", b"picture X"))
    elif harm == "text":
        file.write_bytes(b"no tar at all")
    else:
        with tarfile.open(fileobj=io.BytesIO(content)) as old, tarfile.open(file, "w") as new:
            members = old.getmembers()
            for member in members[: -1 if harm == "missing" else None]:
                new.addfile(member, old.extractfile(member))
            odd = tarfile.TarInfo("../../evil" if harm == "outside" else members[-1].name)
            odd.type = tarfile.SYMTYPE if harm == "link" else tarfile.REGTYPE
            odd.linkname = "/etc/passwd"
            if harm != "missing":
                new.addfile(odd)


async def test_a_full_disk_is_no_damaged_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The operator reads how much room is needed; nothing is left."""
    store, _ = await filled(tmp_path / "data", count=1)
    await store.close()
    backup.backup(tmp_path / "data", tmp_path / "b.tar")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("shutil.copyfileobj", full)
    monkeypatch.setattr("tarfile.TarFile.addfile", full)
    with pytest.raises(ConfigError, match=f"no backup was made: the disk of {tmp_path} is full"):
        backup.backup(tmp_path / "data", tmp_path / "b.tar")
    with pytest.raises(ConfigError, match=r"the disk of .* is full: make room for \d+\.\d MB"):
        restore.restore(tmp_path / "b.tar", tmp_path / "to")
    assert list((tmp_path / "to").iterdir()) == []
    with pytest.raises(ConfigError, match="is a folder: name a file in it"):
        backup.backup(tmp_path / "data", tmp_path)


async def test_a_full_folder_is_left_alone(tmp_path: Path) -> None:
    """Restoring never mixes two bots' data; a failed backup leaves the old file."""
    store, _ = await filled(tmp_path / "data", count=1)
    await store.close()
    backup.backup(tmp_path / "data", tmp_path / "b.tar")
    before = (tmp_path / "b.tar").read_bytes()
    with pytest.raises(ConfigError, match="not empty"):
        restore.restore(tmp_path / "b.tar", tmp_path / "data")
    (tmp_path / "data" / "bot.sqlite").write_bytes(b"damaged" * 1000)
    with pytest.raises(ConfigError, match="no backup was made"):
        backup.backup(tmp_path / "data", tmp_path / "b.tar")
    assert (tmp_path / "b.tar").read_bytes() == before
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(ConfigError, match="no database"):
        backup.backup(tmp_path / "data", tmp_path / "b.tar")


async def test_nothing_but_a_backup_is_replaced(tmp_path: Path) -> None:
    """A mistyped name costs no database, no settings and no device."""
    store, _ = await filled(tmp_path / "data", count=1)
    await store.close()
    (tmp_path / "config.toml").write_text("[train]")
    os.mkfifo(tmp_path / "pipe")
    for name in ("data/bot.sqlite", "data/bot.lock", "data/blobs/x", "config.toml", "pipe"):
        with pytest.raises(ConfigError, match=r"must end with .tar|is there and no backup"):
            backup.backup(tmp_path / "data", tmp_path / name)
    (tmp_path / "empty").touch()  # as mktemp makes it
    for name in ("empty", "empty", "data/b.tar"):
        backup.backup(tmp_path / "data", tmp_path / name)
    assert names_of_blobs(tmp_path / "data" / "bot.sqlite")


async def test_a_restore_goes_on_where_one_was_killed(tmp_path: Path) -> None:
    """What a kill has left is no content of the folder and is deleted, but not what another restore works in."""
    store, _ = await filled(tmp_path / "data", count=1)
    await store.close()
    backup.backup(tmp_path / "data", tmp_path / "b.tar")
    (tmp_path / "to").mkdir()
    with scratch_folder.scratch(tmp_path / "to", restore.PART) as at_work:
        (tmp_path / "to" / ".restoring-killed" / "blobs").mkdir(parents=True)
        restore.restore(tmp_path / "b.tar", tmp_path / "to")
        found = sorted(path.name for path in (tmp_path / "to").iterdir())
        assert found == [at_work.name, "blobs", "bot.sqlite"]
    with pytest.raises(ConfigError, match="is no folder"):
        restore.restore(tmp_path / "b.tar", tmp_path / "b.tar")


@pytest.mark.parametrize(
    "forged", [b'"step": "x"', b'"step": -5', b'"step": 5, "lost": [[1]]', b"[" * 200_000]
)
async def test_a_manifest_of_other_values_is_refused(tmp_path: Path, forged: bytes) -> None:
    """Whatever stands in it, one sentence says that this is no backup."""
    store, _ = await filled(tmp_path / "data", count=1)
    await store.close()
    backup.backup(tmp_path / "data", tmp_path / "b.tar")
    with tarfile.open(tmp_path / "b.tar") as good, tarfile.open(tmp_path / "forged.tar", "w") as bad:
        for member in good.getmembers():
            source = good.extractfile(member)
            assert source is not None
            data = source.read()
            if member.name == "manifest.json":
                kept = data.rstrip().removesuffix(b"}")
                data = forged if forged[:1] == b"[" else kept + b", " + forged + b"}"
            member.size = len(data)
            bad.addfile(member, io.BytesIO(data))
    with pytest.raises(ConfigError, match="manifest cannot be read"):
        restore.restore(tmp_path / "forged.tar", tmp_path / "to")
