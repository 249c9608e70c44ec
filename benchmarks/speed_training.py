"""Rows 4 and 5 of ``benchmarks.speed``: training beside the loop of diffusers' reference script."""

from __future__ import annotations

import contextlib
import copy
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, cast

import torch
from PIL import Image
from torch.nn import functional as F

from benchmarks import speed_setup as setup
from benchmarks.sd21_shape import samples
from benchmarks.speed_setup import TARGETS, Setting, say
from lora.data.dataset import to_tensor
from lora.jobs import Checkpoint, Progress, Train, TrainSettings
from lora.models import sd21
from lora.models.base_model import Base
from lora.training import captured, loop
from lora.training.plan import Plan, make_plan

SAMPLES = 30
LOOKS = 1200  # pictures shown in a whole training


def rates(setting: Setting) -> None:
    """Row 4: images a second, the steps alone. Without the graph the loop is the one that other plans still use."""
    base = setup.load_base(setting)
    same = _equal(setting, base)
    ways: dict[str, tuple[int, Iterator[Any]]] = {
        "reference loop, bf16, batch 8": (8, _reference(setting, base.tokenizer, 8, setting.dtype)),
        "reference loop, float32, batch 1 (its own command)": (
            1,
            _reference(setting, base.tokenizer, 1, torch.float32),
        ),
        "ours, eager, batch 8": (8, _ours(setting, base, 8, graph=False)),
        "ours, eager, batch 1": (1, _ours(setting, base, 1, graph=False)),
        "ours, graph, batch 8": (8, _ours(setting, base, 8, graph=True)),
        "ours, graph, batch 1": (1, _ours(setting, base, 1, graph=True)),
    }
    if setting.compiled:
        ways["ours, compiled graph, batch 8"] = (8, _ours(setting, base, 8, graph=True, compiled=True))
        ways["ours, compiled graph, batch 1"] = (1, _ours(setting, base, 1, graph=True, compiled=True))
    steps = {
        name: 1 if setting.tiny else 48 if "graph" in name else 4 for name in ways
    }  # so many that the wait for a round's last step is a small part of it

    def go_on(name: str) -> None:
        for _ in range(steps[name]):
            next(ways[name][1])

    for name in ways:
        say(f"ready: {name}, {setting.timed(lambda name=name: next(ways[name][1])):.1f} s")  # type: ignore[misc]
    calls = {name: (lambda number, name=name: go_on(name)) for name in ways}
    setting.ready()
    times = setting.interleaved(calls, rounds=min(setting.rounds, 5), warm=1)
    found = {f"{name}, img/s": steps[name] * ways[name][0] / seconds for name, seconds in times.items()}
    for _, one in ways.values():
        one.close()  # type: ignore[attr-defined]
    if setting.device.type == "cuda":
        found["peak of all at once, allocated GB"] = torch.cuda.max_memory_allocated() / 1e9
    setting.report("4 training", {**same, **found})


def whole(setting: Setting) -> None:
    """Row 5: thirty samples to an adapter, checkpoints included, on a warm worker."""
    base = setup.load_base(setting)
    base.compiled = setting.compiled
    batch = 8
    steps = 3 if setting.tiny else LOOKS // batch
    what, plan = job(setting, base, batch, steps=steps, checkpoint_steps=max(1, steps // 3))
    spent = {"preparing": 0.0, "steps": 0.0, "checkpoints": 0.0}
    for warm in (True, False):
        spent = dict.fromkeys(spent, 0.0)
        with setting.alone():
            last = began = time.perf_counter()
            for event in loop.train(base, what, replace(plan, steps=2, checkpoint_steps=2) if warm else plan):
                now = time.perf_counter()
                kind = "preparing" if isinstance(event, Progress) and event.loss is None else "steps"
                spent["checkpoints" if isinstance(event, Checkpoint) else kind] += now - last
                last = now
            setting.sync()
            took = time.perf_counter() - began
    reference = _reference(setting, base.tokenizer, batch, setting.dtype)
    next(reference)
    some = 2 if setting.tiny else 12
    each = setting.timed(lambda: [next(reference) for _ in range(some)]) / some
    found = {"ours, s": took, **{f"of which {key}, s": value for key, value in spent.items()}}
    setting.report(
        "5 a whole training", {**found, "reference loop at batch 8, its steps alone, s": each * steps}
    )


def job(setting: Setting, base: Base, batch: int, **changes: Any) -> tuple[Train, Plan]:
    settings = TrainSettings(batch_size=batch)
    pictures = samples(SAMPLES)
    what = Train(id=batch, attempt=1, keyword="zorvex", samples=pictures, settings=settings)
    plan = make_plan(base, settings, samples=len(pictures))
    return what, replace(plan, lora_targets=TARGETS, **changes)


def _ours(
    setting: Setting, base: Base, batch: int, *, graph: bool, compiled: bool = False
) -> Iterator[float]:
    """The product's own training, a step at a time, on networks of its own: several are interleaved here."""
    parts = {part: copy.deepcopy(getattr(base, part)) for part in ("unet", "vae", "text_encoder")}
    own = replace(base, **parts, captured=None, compiled=compiled)
    what, plan = job(setting, base, batch, steps=10**6, checkpoint_steps=10**6)
    what = replace(what, id=2 * batch + graph)
    suits, wanted = captured.suits, graph
    captured.suits = lambda run, processes: wanted
    for event in loop.train(own, what, plan):
        if isinstance(event, Progress) and event.loss is not None:
            captured.suits = suits  # the choice has been made
            yield event.loss


def warm(setting: Setting, batch: int) -> None:
    """Fill the compiler's cache for the step of a batch."""
    steps = _ours(setting, setup.load_base(setting), batch, graph=True, compiled=True)
    for _ in range(3):
        next(steps)
    steps.close()  # type: ignore[attr-defined]
    say(f"compiled training, batch {batch}")


def _equal(setting: Setting, base: Base) -> dict[str, float]:
    """Losses of a few steps, with the graph and without: the same seeds, samples and noise."""
    losses = {}
    for graph in (False, True):
        steps = _ours(setting, base, 2, graph=graph)
        losses[graph] = [next(steps) for _ in range(2 if setting.tiny else 6)]
        steps.close()  # type: ignore[attr-defined]
    apart = max(abs(a - b) / b for a, b in zip(losses[True], losses[False], strict=True))
    assert apart < 0.02, losses
    return {"losses apart by a share of at most": apart}


def _reference(setting: Setting, tokenizer: Any, batch: int, dtype: torch.dtype) -> Iterator[None]:
    """The loop of diffusers' train_text_to_image_lora.py: pictures and captions are encoded in every step."""
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
    from peft import LoraConfig
    from transformers import CLIPTextModel

    folder, device = setting.base_folder, setting.device
    unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=dtype).to(device)
    vae = AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=dtype).to(device)
    text = CLIPTextModel.from_pretrained(folder / "text_encoder", dtype=dtype).to(device)
    left_out = ("set_alpha_to_one", "steps_offset", "prediction_type")
    noise_scheduler = DDPMScheduler(**{k: v for k, v in sd21.SCHEDULER.items() if k not in left_out})
    for part in (unet, vae, text):
        part.requires_grad_(False)
    targets = ["to_k", "to_q", "to_v", "to_out.0"]
    unet.add_adapter(LoraConfig(r=16, lora_alpha=16, init_lora_weights="gaussian", target_modules=targets))
    layers = [weight for weight in unet.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(layers, lr=1e-4, betas=(0.9, 0.999), weight_decay=1e-2, eps=1e-8)
    side = unet.config.sample_size * 2 ** (len(vae.config.block_out_channels) - 1)
    shown = _transforms(side)
    rows = [(Image.open(io.BytesIO(one.picture)), one.caption) for one in samples(SAMPLES)]

    def collate(numbers: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        images = [rows[n][0].convert("RGB") for n in numbers]
        ids = tokenizer(
            [rows[n][1] for n in numbers],
            max_length=77,
            padding="max_length",
            truncation=True,
            return_tensors="pt",
        ).input_ids
        return torch.stack([shown(image) for image in images]).contiguous().float(), ids

    numbers = cast(torch.utils.data.Dataset[int], range(SAMPLES))  # a loader takes any sequence
    loader = torch.utils.data.DataLoader(
        numbers, shuffle=True, collate_fn=collate, batch_size=batch, num_workers=0, drop_last=True
    )
    low = device.type == "cuda" and dtype != torch.float32
    mixed = torch.autocast("cuda", dtype=dtype) if low else contextlib.nullcontext()
    while True:
        for pixels, ids in loader:
            pixels, ids = pixels.to(device), ids.to(device)
            latents = vae.encode(pixels.to(dtype)).latent_dist.sample() * vae.config.scaling_factor
            noise = torch.randn_like(latents)
            times = torch.randint(0, 1000, (len(latents),), device=device).long()
            noisy = noise_scheduler.add_noise(latents, noise, times)
            states = text(ids, return_dict=False)[0]
            with mixed:
                predicted = unet(noisy, times, states, return_dict=False)[0]
            loss = F.mse_loss(predicted.float(), noise.float(), reduction="mean")
            loss.repeat(batch).mean().item()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(layers, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            yield


def _transforms(side: int) -> Callable[[Image.Image], torch.Tensor]:
    """The script's own transforms; without torchvision, which the product does not need, a plain resize."""
    try:
        from torchvision import transforms
    except ImportError:
        return lambda image: to_tensor([image.resize((side, side))])[0]
    made: Callable[[Image.Image], torch.Tensor] = transforms.Compose(
        [
            transforms.Resize(side, interpolation=transforms.InterpolationMode.BILINEAR),
            transforms.RandomCrop(side),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize([0.5], [0.5]),
        ]
    )
    return made
