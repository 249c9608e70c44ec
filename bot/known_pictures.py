"""Which sample shows the same picture as a new one, however it was sent."""

from __future__ import annotations

from functools import partial

from bot import decoding
from bot.blobs import Blobs
from bot.store import Store
from bot.tables import samples
from bot.tables.samples import Sample
from lora.checks.likeness import ENOUGH_PX, Likeness, likeness, same
from lora.data.pictures import PictureError
from lora.data.shrink import open_apart

REMEMBERED = 500  # likenesses of 24 to 36 KiB; others are made again when they are needed


class KnownPictures:
    """Compares a new picture with a style's samples."""

    def __init__(self, *, store: Store, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs
        self._remembered: dict[str, Likeness] = {}  # by blob

    async def likeness(self, data: bytes) -> Likeness:
        """The likeness of a file. Raises PictureError for one that cannot be used."""
        return await decoding.in_turn(partial(_likeness, data))

    async def find(self, style: int, seen: Likeness) -> Sample | None:
        """The style's first sample that shows the same; a sample whose file cannot be read is none."""
        for sample in await samples.of_style(self._store, style):
            known = await self.of_sample(sample)
            if known is not None and same(seen, known):
                return sample
        return None

    async def of_sample(self, sample: Sample) -> Likeness | None:
        """The likeness of a sample; None if its file cannot be read."""
        known = self._remembered.pop(sample.blob, None)
        if known is None:
            try:
                known = await decoding.in_turn(partial(self._read, sample.blob))
            except (OSError, PictureError):
                return None
        self._remembered[sample.blob] = known  # the newest is last
        if len(self._remembered) > REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        return known

    def _read(self, blob: str) -> Likeness:
        return _likeness(self._blobs.read_now(blob))


def _likeness(data: bytes) -> Likeness:
    return likeness(open_apart(data, ENOUGH_PX))
