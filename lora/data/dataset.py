"""Pictures with captions: from an imagefolder with ``metadata.jsonl``, and as tensors to train on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lora.data import captions, imagefolder
from lora.data.imagefolder import DatasetError as DatasetError
from lora.data.pictures import PictureError, open_rgba, visible_box
from lora.jobs import JobError, Sample

MARGIN = 0.05  # of the side, kept free round a drawing, as in the pictures the bundled base learned from
FILTERS = {  # how pictures can be resized
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def read_folder(
    folder: Path, *, image_column: str = "image", caption_column: str = "text", keyword: str = ""
) -> list[Sample]:
    """The samples of an imagefolder, in the order of its ``metadata.jsonl`` or ``.csv``.

    Raises DatasetError at the first line that cannot be used, or whose caption leaves no room for the keyword that
    it will get and for the background.
    """
    samples = []
    for entry in imagefolder.entries(folder, image_column=image_column, caption_column=caption_column):
        if isinstance(entry, imagefolder.Fault):
            raise DatasetError(str(entry))
        length = captions.length(entry.caption, keyword)
        if not length.fits:
            raise DatasetError(f"{entry.where}: the caption of {entry.name!r} has {length}; shorten it")
        samples.append(Sample(picture=entry.picture, caption=entry.caption))
    return samples


class SamplePictures(Sequence[Image.Image]):
    """The pictures of samples as RGBA, each decoded when it is asked for: 16 megapixels are 64 MB.

    Asking for one raises JobError, with the sample's number, if it cannot be used.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = samples

    def __len__(self) -> int:
        return len(self._samples)

    @overload
    def __getitem__(self, place: int) -> Image.Image: ...

    @overload
    def __getitem__(self, place: slice) -> SamplePictures: ...

    def __getitem__(self, place: int | slice) -> Image.Image | SamplePictures:
        if isinstance(place, slice):
            return SamplePictures(self._samples[place])
        try:
            return open_rgba(self._samples[place].picture)
        except PictureError as error:
            number = place % len(self._samples) + 1
            raise JobError("bad-picture", f"sample {number}: {error}") from error


def on_flat_background(
    image: Image.Image,
    size: int,
    colour: tuple[int, int, int],
    *,
    center_crop: bool = False,
    interpolation: str = "lanczos",
) -> Image.Image:
    """A picture in the middle of a flat square of ``size`` pixels. RGBA -> RGB.

    It is composited before it is resized. That equals a premultiplied resize of a picture whose colours were
    bled under its transparent part: nothing hidden under alpha 0 can tint an edge. A cut-out drawing is
    trimmed and gets a small margin; an opaque picture is only padded. With ``center_crop`` the square is
    filled instead, and what stands out over it is cut off.
    """
    room = size
    if has_transparency(image):
        image = image.crop(visible_box(image))
        room = size if center_crop else round(size * (1 - 2 * MARGIN))
    flat = Image.new("RGBA", image.size, (*colour, 255))
    flat.alpha_composite(image)
    return _in_square(flat.convert("RGB"), size, room, colour, center_crop, FILTERS[interpolation])


def without_alpha(
    image: Image.Image,
    size: int,
    colour: tuple[int, int, int],
    *,
    center_crop: bool = False,
    interpolation: str = "lanczos",
) -> Image.Image:
    """The same square as the reference script makes it: alpha is dropped, so colours under alpha 0 are seen."""
    flat = image.convert("RGB")
    return _in_square(flat, size, size, colour, center_crop, FILTERS[interpolation])


def _in_square(
    flat: Image.Image,
    size: int,
    room: int,
    colour: tuple[int, int, int],
    fill: bool,
    resampling: Image.Resampling,
) -> Image.Image:
    """An RGB picture resized so that its longer side (``fill``: its shorter one) is ``room``, and centred."""
    scale = room / (min(flat.size) if fill else max(flat.size))
    small = flat.resize((max(1, round(flat.width * scale)), max(1, round(flat.height * scale))), resampling)
    square = Image.new("RGB", (size, size), colour)
    square.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
    return square


def has_transparency(image: Image.Image) -> bool:
    """Whether any pixel of an RGBA picture is not fully opaque."""
    return bool(np.asarray(image.getchannel("A")).min() < 255)


def to_tensor(images: Sequence[Image.Image]) -> Tensor:
    """RGB pictures of one size as float32 [n, 3, height, width] in -1..1."""
    values = np.stack([np.asarray(image) for image in images]).astype(np.float32)
    values /= 127.5  # in place: fresh memory takes longer than the arithmetic
    values -= 1
    return torch.from_numpy(values).permute(0, 3, 1, 2)
