"""Rows 10 and 11 of ``benchmarks.speed``: the bundled base on a CPU, and what follows a drawing."""

from __future__ import annotations

import io
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.speed_setup import Setting
from lora.drawing import fit, half_denoiser, sampling
from lora.drawing.cutout import Remover, bundled, cut_out, remover
from lora.drawing.cutout.flat import Box
from lora.drawing.cutout.rembg import home_of, library, placed
from lora.drawing.sampling import Item
from lora.jobs import JobError
from lora.models import base_model, sticker_nano
from lora.models.sticker_nano import BACKGROUNDS, BUNDLED

PEER_STEPS = 20  # of DDIM, which the base comes with
DEMO = BUNDLED / "demo"


def sticker(setting: Setting) -> None:
    """Row 10: a sticker of the bundled base as the product makes it, and its drawing alone.

    The peer is plain diffusers on the same folder with its own sampler, which gives a drawing of half the side.
    Seconds are those of the clock and of the processor: the machine may be shared.
    """
    from diffusers import StableDiffusionPipeline

    base = base_model.load(sticker_nano.NAME, setting.folder, "cpu")
    half_denoiser.use_bfloat16(base)
    network = remover(setting.folder)
    pipe = StableDiffusionPipeline.from_pretrained(base.folder, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    steps, peer_steps = (1, 1) if setting.tiny else (base.profile.draw_steps, PEER_STEPS)

    def drawing(number: int) -> sampling.Picture:
        item = Item(prompt=f"a fox {number}", seed=number, cfg=5.0)
        (made,) = (
            one for one in sampling.draw(base, [item], steps=steps) if isinstance(one, sampling.Picture)
        )
        return made

    def whole(number: int) -> None:
        made = drawing(number)
        with suppress(JobError):  # one step draws nothing that could be cut out
            fit.encode(fit.fit(cut_out(made.image, network, made.background_colour)))

    def theirs(number: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pipe(f"a fox {number}, white background", num_inference_steps=peer_steps, guidance_scale=5.0)

    calls: dict[str, Callable[[int], object]] = {
        f"a sticker, {steps} steps": whole,
        f"its drawing, {steps} steps": drawing,
        f"diffusers' drawing, {peer_steps} steps": theirs,
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
    for number in range(setting.rounds + 1):
        for name, call in calls.items():
            began, used = time.perf_counter(), time.process_time()
            call(number)
            found[name].append((time.perf_counter() - began, time.process_time() - used))
    report: dict[str, Any] = {"threads": torch.get_num_threads(), "bfloat16": base.dtype == torch.bfloat16}
    for name, rounds in found.items():
        seconds, cpu_seconds = zip(*rounds[1:], strict=True)
        report[f"{name}, s"], report[f"{name}, CPU s"] = map(statistics.median, (seconds, cpu_seconds))
        report[f"{name}, s at best"] = min(seconds)
    setting.report("10 a sticker on a CPU", report)


def finishing(setting: Setting) -> None:
    """Row 11, processor seconds: drawing, cut-out, fitting, encoding, beside rembg's own way with the same network.

    Ours asks the network on a flat background only about enclosed patches of its colour, and only for the part around
    them; the row says on how many of the demo samples it does, and what these take.
    """
    rembg = library()
    network = remover(setting.folder)
    side = 128 if setting.tiny else 512
    drawings = {
        "flat background, nothing of it enclosed": _drawing(side, eye=False),
        "flat background, a patch enclosed": _drawing(side),
        "other background": _drawing(side, striped=True),
    }
    same = placed(bundled.FILE, home_of(setting.folder))  # the peer is given the same network
    session = rembg.new_session("u2net_custom", model_path=str(same))
    found: dict[str, Any] = {}
    for name, drawing in drawings.items():
        peer = partial(_with_rembg, rembg, drawing, session)
        ours = partial(_ours, drawing, network)
        rounds = 1 if setting.tiny else setting.rounds
        times = [(_cpu_seconds(peer), _cpu_seconds(ours)) for _ in range(rounds + 1)][1:]
        theirs, own = (statistics.median(values) for values in zip(*times, strict=True))
        found |= {f"{name}: rembg and PNG, CPU s": theirs, f"{name}: ours, CPU s": own}
        found[f"{name}: times as fast"] = theirs / own
    theirs, own = _of_samples(partial(_with_rembg, rembg, session=session), network, setting)
    found |= {"samples on white: rembg and PNG, CPU s": theirs, "samples on white: ours, CPU s": own}
    found["samples on white: times as fast"] = theirs / own
    for name in ("white", "green"):
        found[f"samples on {name} that the network is asked about"] = _asked(BACKGROUNDS[name], network)
    setting.report("11 from a drawing to a sticker file", found)


def _of_samples(
    peer: Callable[[Image.Image], bytes], network: Remover, setting: Setting
) -> tuple[float, float]:
    """Processor seconds of a demo sample on white, the peer's and ours in turns: means, with all kinds of patches."""
    samples = [_sample(path, BACKGROUNDS["white"]) for path in sorted(DEMO.glob("*.png"))]
    times = [
        (_cpu_seconds(partial(peer, one)), _cpu_seconds(partial(_ours, one, network)))
        for one in samples[: 1 if setting.tiny else None]
    ]
    theirs, own = (statistics.mean(values) for values in zip(*times, strict=True))
    return theirs, own


def _sample(path: Path, background: tuple[int, int, int]) -> Image.Image:
    """A demo sample of 460 px in a picture of 512."""
    ground = Image.new("RGBA", (512, 512), background)
    with Image.open(path) as art:
        ground.alpha_composite(art.convert("RGBA").resize((460, 460)), (26, 26))
    return ground.convert("RGB")


def _asked(background: tuple[int, int, int], network: Remover) -> str:
    """For how many of the demo samples, on this background, the network is asked."""
    samples = sorted(DEMO.glob("*.png"))
    asked = 0

    class Counted:
        def alpha(self, image: Image.Image, part: Box | None = None) -> Any:
            nonlocal asked
            asked += 1
            return network.alpha(image, part)

    for path in samples:
        cut_out(_sample(path, background), Counted(), background)
    return f"{asked} of {len(samples)}"


def _drawing(side: int, *, striped: bool = False, eye: bool = True) -> Image.Image:
    """A disc with an outline and a white eye, on white or on stripes."""
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    picture = np.full((side, side, 3), 255, dtype=np.uint8)
    if striped:
        picture[(np.arange(side) // 8) % 2 == 0] = (120, 180, 90)
    picture[x * x + y * y < 0.55] = (20, 20, 20)
    picture[x * x + y * y < 0.5] = (230, 120, 40)
    if eye:
        picture[(x - 0.2) ** 2 + (y + 0.2) ** 2 < 0.02] = (255, 255, 255)
    return Image.fromarray(picture)


def _ours(drawing: Image.Image, network: Any) -> bytes:
    return fit.encode(fit.fit(cut_out(drawing, network, (255, 255, 255))))


def _with_rembg(rembg: Any, drawing: Image.Image, session: Any) -> bytes:
    """``rembg.remove`` of encoded bytes, as its command line does it, then the 512 px PNG, optimised."""
    sent = io.BytesIO()
    drawing.save(sent, "PNG")
    cut = Image.open(io.BytesIO(rembg.remove(sent.getvalue(), session=session)))
    out = io.BytesIO()
    cut.resize((512, 512), Image.Resampling.LANCZOS).save(out, "PNG", optimize=True)
    return out.getvalue()


def _cpu_seconds(call: Any) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start
