"""Pictures with captions: to and from an imagefolder with ``metadata.jsonl``, and as tensors to train on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import binary_erosion
from torch import Tensor

from lora import captions, imagefolder
from lora.files import write_whole
from lora.imagefolder import DatasetError as DatasetError
from lora.jobs import JobError, Sample
from lora.pictures import PictureError, check, open_rgba

MARGIN = 0.05  # of the side, kept free round a drawing, as in the pictures the bundled base learned from
CLEARLY_FAR = 35.0  # CIE76 distance from which on white, the best-known ground, is far enough from a palette
FILTERS = {  # how pictures can be resized
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "hamming": Image.Resampling.HAMMING,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SUFFIXES = {"PNG": "png", "WEBP": "webp", "JPEG": "jpg"}


def read_folder(
    folder: Path, *, image_column: str = "image", caption_column: str = "text", keyword: str = ""
) -> list[Sample]:
    """The samples of an imagefolder, in the order of its ``metadata.jsonl`` or ``.csv``.

    Raises DatasetError at the first line that cannot be used, or whose caption leaves no room for the keyword that
    it will get and for the ground.
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


def write_folder(folder: Path, samples: Sequence[Sample]) -> None:
    """Write samples as an imagefolder; ``metadata.jsonl`` comes last, so a folder that has it is whole."""
    rows = []
    for number, sample in enumerate(samples):
        name = f"{number:03d}.{SUFFIXES[check(sample.picture).format]}"
        write_whole(folder / name, sample.picture)
        rows.append(json.dumps({"file_name": name, "text": sample.caption}, ensure_ascii=False))
    write_whole(folder / "metadata.jsonl", ("\n".join(rows) + "\n").encode())


def open_samples(samples: Sequence[Sample]) -> list[Image.Image]:
    """All pictures as RGBA. Raises JobError that names the first bad one by its number."""
    images = []
    for number, sample in enumerate(samples, start=1):
        try:
            images.append(open_rgba(sample.picture))
        except PictureError as error:
            raise JobError("bad-picture", f"sample {number}: {error}") from error
    return images


def on_flat_ground(
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
    if see_through(image):
        image = image.crop(image.getchannel("A").getbbox())
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
    """The same square as the reference script would see it: alpha is dropped, hidden colours come to light."""
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


def see_through(image: Image.Image) -> bool:
    """Whether any pixel of an RGBA picture is not fully opaque."""
    return bool(np.asarray(image.getchannel("A")).min() < 255)


def to_tensor(images: Sequence[Image.Image]) -> Tensor:
    """RGB pictures of one size as float32 [n, 3, height, width] in -1..1."""
    stacked = np.stack([np.asarray(image, dtype=np.float32) for image in images])
    return torch.from_numpy(stacked / 127.5 - 1).permute(0, 3, 1, 2)


def choose_background(images: Sequence[Image.Image], backgrounds: Mapping[str, tuple[int, int, int]]) -> str:
    """The name of the ground that is easiest to tell from these drawings.

    Each picture counts alike. A ground's distance is the 5th percentile, over visible pixels, of the CIE76
    difference to it, edges counting five times: that is where a cut-out goes wrong. White wins if it is
    clearly far, for every base knows it best. Pictures that are mostly opaque bring their own ground, so the
    nearest name to their border is taken.
    """
    opaque = [image for image in images if not see_through(image)]
    cut_out = [image for image in images if see_through(image)]
    if len(opaque) > len(cut_out):
        border = np.concatenate([_border(image) for image in opaque])
        return min(backgrounds, key=lambda name: float(np.median(_difference(border, backgrounds[name]))))
    palette, weights = _palette(cut_out)
    far = {name: _low(_difference(palette, colour), weights) for name, colour in backgrounds.items()}
    if far.get("white", 0) >= CLEARLY_FAR:
        return "white"
    return max(far, key=lambda name: far[name])


def _palette(images: Sequence[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
    """Lab colours [n, 3] of all visible pixels and their weights [n], which sum to 1 for each picture."""
    colours, weights = [], []
    for image in images:
        image = image.crop(image.getchannel("A").getbbox())
        image.thumbnail((128, 128), Image.Resampling.NEAREST)  # a palette needs no more, and no mixed colours
        pixels = np.asarray(image, dtype=np.float32)
        alpha = pixels[..., 3] / 255
        solid = np.pad(alpha > 0.5, 1)
        edge = (solid & ~binary_erosion(solid, iterations=2))[1:-1, 1:-1]
        weight = alpha * (alpha > 0.5) * (1 + 4 * edge)
        seen = weight > 0
        colours.append(_lab(pixels[..., :3][seen]))
        weights.append(weight[seen] / max(weight.sum(), 1e-6))
    return np.concatenate(colours), np.concatenate(weights)


def _border(image: Image.Image) -> np.ndarray:
    """Lab colours [n, 3] of a picture's outermost pixels."""
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    return _lab(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]))


def _difference(lab: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return np.linalg.norm(lab - _lab(np.array([colour], dtype=np.float32)), axis=1)


def _low(values: np.ndarray, weights: np.ndarray) -> float:
    """The weighted 5th percentile."""
    order = np.argsort(values)
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, 0.05 * below[-1])])


def _lab(rgb: np.ndarray) -> np.ndarray:
    """sRGB 0..255 [n, 3] as CIE L*a*b* under D65 (IEC 61966-2-1, CIE 15)."""
    scaled = rgb / 255
    linear = np.where(scaled <= 0.04045, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = linear @ to_xyz.T / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), xyz * (24389 / 27 / 116) + 16 / 116)
    return np.stack([116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1)
