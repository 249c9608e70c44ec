"""Rows 10 and 11 of ``benchmarks.speed``: the bundled base on a CPU, and what follows a drawing."""

from __future__ import annotations

import io
import statistics
import time
import warnings
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.speed_setup import Setting
from lora.drawing import fit, sampling
from lora.drawing.cutout import Remover, cut_out, remover
from lora.drawing.cutout.rembg import library
from lora.drawing.sampling import Item
from lora.models import base_model, sticker_nano
from lora.models.sticker_nano import BACKGROUNDS, BUNDLED

STEPS, PEER_STEPS = 10, 20
DEMO = BUNDLED / "demo"


def sticker(setting: Setting) -> None:
    """Row 10: one drawing of the bundled base. The peer is plain diffusers on the same folder, with its own sampler.

    On our side guidance stops at the profile's share of the steps.
    """
    from diffusers import StableDiffusionPipeline

    base = base_model.load(sticker_nano.NAME, setting.folder, "cpu")
    pipe = StableDiffusionPipeline.from_pretrained(base.folder, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    steps = 1 if setting.tiny else STEPS

    def ours(count: int, number: int) -> None:
        item = Item(prompt=f"a fox {number}", seed=number, cfg=5.0)
        assert [one for one in sampling.draw(base, [item], steps=count) if isinstance(one, sampling.Picture)]

    def theirs(count: int, number: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pipe(f"a fox {number}, white background", num_inference_steps=count, guidance_scale=5.0)

    calls = {
        f"ours, {steps} steps, s": partial(ours, steps),
        f"ours, {2 * steps} steps, s": partial(ours, 2 * steps),
        f"diffusers, {steps} steps, s": partial(theirs, steps),
        f"diffusers, {2 * steps} steps, s": partial(theirs, 2 * steps),
    }
    times: dict[str, Any] = {**setting.interleaved(calls, warm=1), "threads": torch.get_num_threads()}
    setting.report("10 a drawing on a CPU", times)


def finishing(setting: Setting) -> None:
    """Row 11, processor seconds: drawing, cut-out, fitting, encoding, beside rembg's own way with the same network.

    Ours asks the network on a flat background only about enclosed patches of its colour; the row says on how many of
    the demo samples it does.
    """
    rembg = library()
    network = remover(setting.folder)
    side = 128 if setting.tiny else 512
    drawings = {
        "flat background, nothing of it enclosed": _drawing(side, eye=False),
        "flat background, a patch enclosed": _drawing(side),
        "other background": _drawing(side, striped=True),
    }
    placed = (setting.folder.resolve() / "rembg").glob("cutout-*.onnx")
    same = max(placed, key=lambda path: path.stat().st_mtime)  # the peer is given the same network
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
    for name in ("white", "green"):
        found[f"samples on {name} that the network is asked about"] = _asked(BACKGROUNDS[name], network)
    setting.report("11 from a drawing to a sticker file", found)


def _asked(background: tuple[int, int, int], network: Remover) -> str:
    """For how many of the demo samples, on this background, the network is asked."""
    samples = sorted(DEMO.glob("*.png"))
    asked = 0

    class Counted:
        def alpha(self, image: Image.Image) -> Any:
            nonlocal asked
            asked += 1
            return network.alpha(image)

    for path in samples:
        with Image.open(path) as art:
            ground = Image.new("RGBA", (512, 512), background)
            ground.alpha_composite(art.convert("RGBA").resize((460, 460)), (26, 26))
        cut_out(ground.convert("RGB"), Counted(), background)
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
