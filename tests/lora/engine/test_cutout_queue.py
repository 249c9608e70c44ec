"""Cut-outs in a worker: each picture is sent, whatever becomes of the others."""

from __future__ import annotations

import io

from PIL import Image, ImageDraw

from lora.drawing.sticker import StickerMaker
from lora.engine.cutout_queue import CutOutQueue
from lora.jobs import Cancelled, CutOut, CutPicture, Event, Failed, Finished, JobError


def picture(side: int = 100, colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "PNG")
    return out.getvalue()


def cut(image: Image.Image) -> Image.Image:
    """Nothing is left of what is blue; green breaks the network."""
    if image.getpixel((0, 0)) == (0, 0, 255):
        raise JobError("empty-cutout")
    if image.getpixel((0, 0)) == (0, 128, 0):
        raise RuntimeError("no network")
    return image.convert("RGBA")


def work_off(queue: CutOutQueue) -> None:
    while queue:
        queue.step()


def test_each_picture_comes_and_then_the_end() -> None:
    """Large ones smaller; of one that cannot be used, no bytes."""
    events: list[Event] = []
    queue = CutOutQueue(events.append, cut)
    queue.add(CutOut(id=1, attempt=1, pictures=(picture(3000), picture(colour="blue"), b"no picture")))
    queue.add(CutOut(id=2, attempt=3, pictures=(picture(),)))
    work_off(queue)
    first = events[0]
    assert isinstance(first, CutPicture)
    image = Image.open(io.BytesIO(first.picture))
    assert (image.format, image.mode, image.size) == ("PNG", "RGBA", (1024, 1024))
    assert events[1:4] == [
        CutPicture(job=1, attempt=1, index=1, picture=b""),
        CutPicture(job=1, attempt=1, index=2, picture=b""),
        Finished(job=1, attempt=1),
    ]
    assert [type(event) for event in events[4:]] == [CutPicture, Finished]


def test_an_error_ends_its_job_alone() -> None:
    """The worker goes on with the next one; a cancelled job ends where it is."""
    events: list[Event] = []
    queue = CutOutQueue(events.append, cut)
    queue.add(CutOut(id=1, attempt=1, pictures=(picture(colour="green"), picture())))
    queue.add(CutOut(id=2, attempt=1, pictures=(picture(), picture())))
    queue.add(CutOut(id=3, attempt=1, pictures=(picture(),)))
    queue.step()
    assert [type(event) for event in events] == [Failed]
    queue.step()
    queue.cancel(2)
    queue.cancel(2)
    work_off(queue)
    kinds = [
        (type(event), event.job)
        for event in events[1:]
        if isinstance(event, CutPicture | Cancelled | Finished)
    ]
    assert len(events) == 5
    assert kinds == [(CutPicture, 2), (Cancelled, 2), (CutPicture, 3), (Finished, 3)]


def test_the_real_network_cuts_a_ball_out_of_a_busy_background(tmp_path) -> None:  # type: ignore[no-untyped-def]
    """Its middle stays, the corners go."""
    image = Image.new("RGB", (256, 256))
    draw = ImageDraw.Draw(image)
    for line in range(0, 256, 8):
        draw.line((0, line, 256, 255 - line), fill=(line, 255 - line, 120), width=8)
    draw.ellipse((60, 60, 196, 196), fill="orange", outline="black", width=6)
    cut_out = StickerMaker(tmp_path).cut_out(image)
    assert cut_out.getpixel((128, 128))[3] > 200
    assert max(cut_out.getpixel(corner)[3] for corner in ((3, 3), (252, 3), (3, 252), (252, 252))) < 60
