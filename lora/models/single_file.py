"""Converts a base in one .safetensors file, as A1111 and ComfyUI use it, to a diffusers folder.

Such a file holds only tensors. All settings, such as whether it predicts noise or velocity, come from its known hash,
its header or a note beside it; nothing is guessed. No network is used.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lora.errors import BaseError
from lora.files import folder_made
from lora.models import sd21
from lora.models.hashes import file_hash
from lora.models.quiet import quiet_libraries

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

# sha256 of Stability's own files, as published in sd2-community's repositories.
KNOWN = {
    "dcd690123cfc64383981a31d955694f6acf2072a80537fdb612c8e58ec87a8ac": sd21.V_768,
    "df955bdf6b682338ea9b55dfc0d8f3475aadf4836e204893d28b82355e0956d2": sd21.EPSILON_512,
}
# What trainers write into a file's header (https://github.com/Stability-AI/ModelSpec).
ARCHITECTURES = {"stable-diffusion-v2-768-v": sd21.V_768, "stable-diffusion-v2-512": sd21.EPSILON_512}


def unpack(file: Path, cache_dir: Path) -> Path:
    """The diffusers folder of a file in ``cache_dir``, made on first use. It needs as much space as the file.

    Raises BaseError if nothing tells how the file must be read, or if its tensors are not those of such a base, and
    OSError that names the folder.
    """
    if not file.is_file():
        raise BaseError(f"{file}: there is no such file")
    digest = file_hash(file, cache_dir)
    like = _like(file, digest)
    configs = like if isinstance(like, str) else f"like-{file_hash(like / 'model_index.json', cache_dir)[:8]}"
    folder = cache_dir / f"single-{digest[:12]}-{configs}"
    if (folder / "model_index.json").is_file():
        return folder
    with (
        folder_made(folder, ".single-") as part,
        tempfile.TemporaryDirectory(prefix=".like-", dir=folder.parent) as configs,
    ):
        if isinstance(like, str):
            sd21.write_configs(Path(configs), sd21.settings(like))
            like = Path(configs)
        _convert(file, like).save_pretrained(part, safe_serialization=True)
    return folder


def _like(file: Path, digest: str) -> str | Path:
    """Where the file's settings come from: an edition of SD 2.1, or a diffusers folder of the same shape."""
    note = file.with_suffix(".json")
    if note.is_file():
        return _read_note(note)
    if digest in KNOWN:
        return KNOWN[digest]
    architecture = _header(file).get("modelspec.architecture", "")
    if architecture in ARCHITECTURES:
        return ARCHITECTURES[architecture]
    raise BaseError(
        f"{file}: nothing in it says whether it predicts noise or velocity, and a wrong guess ruins all pictures. "
        f'Write {note} beside it: {{"like": "sd-2.1"}} (768 px, velocity), {{"like": "sd-2.1-base"}} (512 px, '
        f'noise), or {{"like": "a diffusers folder of the same shape"}}'
    )


def _read_note(note: Path) -> str | Path:
    try:
        like = str(json.loads(note.read_text())["like"])
    except (ValueError, KeyError, TypeError) as error:
        raise BaseError(f'{note}: must be {{"like": "sd-2.1", "sd-2.1-base" or a folder}}') from error
    if like in ARCHITECTURES.values():
        return like
    folder = note.parent / like
    if not (folder / "model_index.json").is_file():
        raise BaseError(
            f"{note}: {like} is neither {' nor '.join(ARCHITECTURES.values())} nor a diffusers folder"
        )
    return folder


def _header(file: Path) -> dict[str, str]:
    """The metadata of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, "pt") as opened:
            return dict(opened.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise BaseError(f"{file}: no safetensors file, or a damaged one") from error


def _convert(file: Path, configs: Path) -> StableDiffusionPipeline:
    """diffusers' own conversion, with settings and tokenizer from ``configs``."""
    quiet_libraries()
    from diffusers import StableDiffusionPipeline

    try:
        return StableDiffusionPipeline.from_single_file(
            str(file), config=str(configs), local_files_only=True, safety_checker=None, feature_extractor=None
        )
    except Exception as error:  # diffusers' conversion raises many kinds
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise BaseError(f"{file}: its tensors are not those of such a base: {reason}") from error
