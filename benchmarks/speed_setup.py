"""What the rows of ``benchmarks.speed`` share: a base of SD 2.1-base's shape, adapters, peers, timing."""

from __future__ import annotations

import fcntl
import gc
import json
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.sd21_shape import scaled
from lora.adapters import lora_layers
from lora.adapters.adapter_file import AdapterInfo
from lora.drawing import sampling, solver
from lora.drawing.sampling import Item, Picture
from lora.models import base_model, sd21
from lora.models.base_model import Base
from lora.models.profiles import profile_of, shape_of

PEOPLE = 16
TARGETS = "attention+ff"  # the product's default
CFG = 7.5


@dataclass(kw_only=True)
class Setting:
    """Where and how a row is measured. ``tiny``: scaled down, to try the script itself on a CPU."""

    folder: Path
    results: Path | None
    tiny: bool
    rounds: int
    compiled: bool
    waits: bool = False  # for its turn: it is a child of ``figures``
    device: torch.device = field(init=False)
    dtype: torch.dtype = field(init=False)

    def __post_init__(self) -> None:
        gpu = torch.cuda.is_available() and not self.tiny
        self.device = torch.device("cuda:0" if gpu else "cpu")
        self.dtype = torch.bfloat16 if gpu else torch.float32
        self.folder = self.folder / ("tiny" if self.tiny else "sd-2.1-base")
        os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(self.folder.parent / "inductor"))

    @property
    def steps(self) -> int:
        return 2 if self.tiny else 25

    @property
    def base_folder(self) -> Path:
        return self.folder / "base"

    def sync(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within it no other process measures on the same GPU."""
        with locked(self.folder / "measuring"):
            yield

    def ready(self) -> None:
        """Between first calls and those that count: on its first call, a child of ``figures`` waits for its turn."""
        if not self.waits:
            return
        self.waits = False
        gc.collect()
        if torch.cuda.is_initialized():
            torch.cuda.synchronize()
            torch.cuda.empty_cache()
        say(READY)
        sys.stdin.readline()

    def timed(self, call: Callable[[], Any]) -> float:
        """Seconds of a call, to the end of what it has queued."""
        self.sync()
        start = time.perf_counter()
        call()
        self.sync()
        return time.perf_counter() - start

    def interleaved(
        self, calls: Mapping[str, Callable[[int], Any]], *, rounds: int | None = None, warm: int = 2
    ) -> dict[str, float]:
        """{name: median seconds} of calls made in turn, after ``warm`` rounds that do not count.

        All rounds have the GPU alone."""
        times: dict[str, list[float]] = {name: [] for name in calls}

        def turn(number: int) -> None:
            for name, call in calls.items():
                took = self.timed(lambda: call(number))  # noqa: B023  # it is called at once
                say(f"  {'warm' if number < 0 else number:>4} {name}: {took * 1e3:.1f} ms")
                if number >= 0:
                    times[name].append(took)

        with self.alone():
            for number in range(-(1 if self.tiny else warm), rounds or self.rounds):
                turn(number)
        return {name: statistics.median(values) for name, values in times.items()}

    def report(self, row: str, found: Mapping[str, Any]) -> None:
        """Print a row as text, and keep it with the machine, the versions, the date and the command."""
        print(f"\n{row}")
        for key, value in found.items():
            print(f"  {key}: {f'{value:.4g}' if isinstance(value, float) else value}")
        sys.stdout.flush()
        if self.results is None:
            return
        self.results.mkdir(parents=True, exist_ok=True)
        line = {"row": row, "found": dict(found), "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": command(sys.argv), **machine()}  # fmt: skip
        with (self.results / "speed.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def command(argv: Sequence[str]) -> str:
    """How this process was started, without the folders of the machine (``--dir``, ``--results``) and ``--waits``."""
    said = re.sub(r" --(waits|(dir|results)[= ]\S+)", "", " ".join(["", *argv[1:]]))
    return f"python3 -m benchmarks.{Path(argv[0]).stem}{said}"


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Within it no other process has the same lock."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    print(f"[{time.monotonic() - BEGAN:6.1f} s] {text}", flush=True)


BEGAN = time.monotonic()
READY, MEASURED = "ready", "measured"  # what a child of ``figures`` says to its parent


def machine() -> dict[str, Any]:
    """The device and the versions that a figure depends on."""
    import diffusers
    import peft

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "device": gpu or platform.processor() or platform.machine(),
        "cpus": os.cpu_count(),
        "torch": torch.__version__,
        "diffusers": diffusers.__version__,
        "peft": peft.__version__,
        "python": platform.python_version(),
    }


def make(setting: Setting) -> None:
    """Make the base's folder on first use; random weights have the right time and say nothing of quality."""
    if not (setting.base_folder / "made").exists():
        _make(setting)
        say("the base is made")


def load(setting: Setting) -> Base:
    """The base, on the setting's device."""
    return base_model.load(str(setting.base_folder), setting.folder, str(setting.device))


def load_base(setting: Setting) -> Base:
    """The base; it and the people's adapters are made on first use by one of the processes that want them."""
    base = make_all(setting) or load(setting)
    say("base and adapters are there")
    return base


def make_all(setting: Setting, adapters: int = PEOPLE + 1) -> Base | None:
    """Make what is missing of the base and so many people's adapters; the base, if it was loaded for that."""
    setting.folder.mkdir(parents=True, exist_ok=True)
    with locked(setting.folder / "making"):
        return _complete(setting, adapters)


def _complete(setting: Setting, adapters: int) -> Base | None:
    """Make what is missing; the base, if it was needed for that."""
    missing = [number for number in range(adapters) if not adapter_path(setting, number).exists()]
    if not missing:
        return None
    make(setting)
    base = load(setting)
    for number in missing:
        adapter_path(setting, number).write_bytes(_adapter(base, number))
    return base


def _make(setting: Setting) -> None:
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    parts = scaled(sd21.EPSILON_512) if setting.tiny else sd21.settings(sd21.EPSILON_512)
    folder = setting.base_folder
    sd21.write_configs(folder, parts)
    torch.manual_seed(0)
    with setting.device:
        UNet2DConditionModel(**parts["unet"]).to(setting.dtype).save_pretrained(folder / "unet")
        AutoencoderKL(**parts["vae"]).save_pretrained(folder / "vae")
        text = CLIPTextModel(CLIPTextConfig(**parts["text_encoder"])).to(setting.dtype)
        text.save_pretrained(folder / "text_encoder")
    (folder / "made").touch()


def adapter_path(setting: Setting, number: int) -> Path:
    return setting.folder / f"adapter-{number}.safetensors"


def adapters(setting: Setting) -> list[bytes]:
    return [adapter_path(setting, number).read_bytes() for number in range(PEOPLE + 1)]


def _adapter(base: Base, seed: int) -> bytes:
    """An adapter of the product's default kind with random weights, as strong as trained ones."""
    rank = 16
    about = AdapterInfo(
        keyword="zorvex", base=base.name, base_hash=base.hash, rank=rank, alpha=rank, steps=1, seed=seed,
        background="white", targets=TARGETS, prediction_type="epsilon", resolution=512,
    )  # fmt: skip
    lora_layers.add(base, "made", rank=rank, alpha=rank, seed=seed, targets=TARGETS)
    chance = torch.Generator(base.device).manual_seed(seed)
    for key, weight in lora_layers.weights_of(base, "made").items():
        fresh = torch.randn(weight.shape, generator=chance, device=base.device)
        weight.data.copy_(fresh / 16 if ".lora_A." in key else fresh * 0.05)
    try:
        return lora_layers.save_adapter(base, "made", about)
    finally:
        lora_layers.remove(base, "made")


def pipeline(setting: Setting, base: Base | None = None) -> Any:
    """diffusers' own, all in the base's precision, with the sampler that the product uses.

    ``base`` is the setting's, if it is loaded; only what it says of itself is used.
    """
    from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline

    pipe = StableDiffusionPipeline.from_pretrained(
        setting.base_folder, torch_dtype=setting.dtype, safety_checker=None
    ).to(setting.device)
    profile = profile_of(shape_of(pipe.unet.config, pipe.scheduler.config))
    about = base or cast(Base, SimpleNamespace(scheduler=pipe.scheduler, profile=profile))
    config = solver.make_scheduler(about, setting.steps).config
    pipe.scheduler = DPMSolverMultistepScheduler.from_config(config)
    pipe.set_progress_bar_config(disable=True)
    for part in (pipe.unet, pipe.vae, pipe.text_encoder):
        part.requires_grad_(False)
    return pipe


def put_on(setting: Setting, pipe: Any, number: int) -> None:
    """An adapter file on a pipeline, as diffusers' documentation has it."""
    path = adapter_path(setting, number)
    pipe.load_lora_weights(path.parent, weight_name=path.name, adapter_name="style")


def fused(setting: Setting, base: Base) -> Any:
    """A pipeline with an adapter merged into its weights, compiled: the fastest that diffusers has for one adapter."""
    pipe = pipeline(setting, base)
    put_on(setting, pipe, 0)
    pipe.fuse_lora()
    pipe.unload_lora_weights()
    return compiled(setting, pipe, "reduce-overhead")


def compiled(setting: Setting, pipe: Any, mode: str) -> Any:
    pipe.unet.requires_grad_(False)
    pipe.unet.to(memory_format=torch.channels_last)
    if setting.compiled:
        pipe.unet = torch.compile(pipe.unet, mode=mode, fullgraph=True, dynamic=False)
    return pipe


def drawn_by(setting: Setting, pipe: Any, prompts: list[str], seed: int) -> list[Image.Image]:
    generators = [torch.Generator().manual_seed(seed + i) for i in range(len(prompts))]
    made = pipe(prompts, num_inference_steps=setting.steps, guidance_scale=CFG, generator=generators)
    images: list[Image.Image] = made.images
    return images


def items(files: list[bytes | None], first: int) -> list[Item]:
    """One picture for each file, with prompts that were not asked for before."""
    return [
        Item(
            prompt=f"zorvex fox number {first + i}", adapter=data, seed=first + i, cfg=CFG, background="white"
        )
        for i, data in enumerate(files)
    ]


def pictures(base: Base, wanted: list[Item], steps: int, *, eagerly: bool = False) -> list[Image.Image]:
    draw = sampling.draw_eagerly if eagerly else sampling.draw
    made = [one for one in draw(base, wanted, steps=steps) if isinstance(one, Picture)]
    assert len(made) == len(wanted)
    return [one.image for one in sorted(made, key=lambda one: one.index)]


def apart(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of two pictures in levels of 255."""
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def off(value: Tensor, reference: Tensor) -> float:
    """The relative difference ||value - reference|| / ||reference||."""
    return float((value.float() - reference.float()).norm() / reference.float().norm())
