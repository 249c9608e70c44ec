"""The judge of scenes: which characters, things and emotions a picture shows.

EfficientNet-lite0 (ImageNet weights), trained further on the pictures of ``benchmarks.scene_studio``. Each label has a
score in each of the last cells and one of their mean; the picture's score is their soft maximum, for parts may be
small. Concepts are learned as a multi-label problem, emotions as a choice of one among eight.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.features import framed
from benchmarks.prompts import EMOTIONS, ScenePrompt
from benchmarks.scene_studio import CONCEPTS, IMPLIED, LABELS, SIDE, Shown, subject
from lora.evaluation.scorers.efficientnet import network

BATCH, EPOCHS = 128, 5
RATE, HEAD_RATE = 1e-3, 5e-3  # of the network and of the new layers, at the peak
NAMED = len(CONCEPTS)


class Judge(nn.Module):
    """Scores of LABELS [N, L] from pictures in [-1, 1], float [N, 3, S, S]; it learned from S = ``side``."""

    def __init__(self, side: int = SIDE) -> None:
        super().__init__()
        self.side = nn.Buffer(torch.tensor(float(side)))
        self.network = deepcopy(network())
        self.network._fc = nn.Identity()  # ImageNet's classes
        self.local = nn.Linear(1280, len(LABELS))
        self.whole = nn.Linear(1280, len(LABELS))
        nn.init.constant_(self.whole.bias, -3.0)

    def forward(self, pixels: Tensor) -> Tensor:
        """Soft maximum of the cells' scores, and a score of their mean."""
        cells = self.network.extract_features(pixels).flatten(2).transpose(1, 2).float()
        cells = F.dropout(cells, 0.2, self.training)
        return self.local(cells).logsumexp(dim=1) - np.log(cells.shape[1]) + self.whole(cells.mean(dim=1))

    @torch.inference_mode()
    def scores(self, pictures: Sequence[np.ndarray | Image.Image]) -> Tensor:
        """Scores [N, L], on the CPU, of RGB pictures on white; arrays are framed already."""
        device, side = next(self.parameters()).device, int(self.side)
        framed_ones = [p if isinstance(p, np.ndarray) else np.asarray(framed(p, side)) for p in pictures]
        batches = torch.from_numpy(np.stack(framed_ones)).split(32)
        return torch.cat([self(pixels(batch.to(device))).float().cpu() for batch in batches])


def pixels(pictures: Tensor) -> Tensor:
    """uint8 [N, S, S, 3] as the network wants them."""
    return ((pictures.float() - 127) / 128).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)


def varied(images: Tensor, generator: torch.Generator) -> Tensor:
    """Pictures [N, 3, S, S] mirrored, turned, moved, scaled, in other colours or blurred, each at random."""
    count, device = len(images), images.device

    def chance(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=device)

    # Where: a rotation, a scale, a shift and a mirror image. Outside is white, which is 1.
    angle, scale = (chance() - 0.5) * 0.4, 0.85 + 0.35 * chance()
    mirror = torch.where(chance() < 0.5, -1.0, 1.0)
    rows = torch.stack([angle.cos() * scale * mirror, -angle.sin() * scale, (chance() - 0.5) * 0.2,
                        angle.sin() * scale * mirror, angle.cos() * scale, (chance() - 0.5) * 0.2], dim=1)  # fmt: skip
    grid = F.affine_grid(rows.view(-1, 2, 3), list(images.shape), align_corners=False)
    images = F.grid_sample(images - 1, grid, align_corners=False) + 1
    # Colours: mixed channels and another brightness and contrast in half of them.
    mix = torch.eye(3, device=device) + (chance(3, 3) - 0.5) * 0.5
    mixed = torch.einsum("nij,njhw->nihw", mix / mix.sum(dim=2, keepdim=True), images)
    mixed = (mixed - 1) * (0.7 + 0.5 * chance(1, 1, 1)) + 1
    images = torch.where(chance(1, 1, 1) < 0.5, mixed, images)
    blurred = F.interpolate(F.avg_pool2d(images, 2), scale_factor=2.0, mode="bilinear")
    images = torch.where(chance(1, 1, 1) < 0.25, blurred, images).clamp(-1, 1)
    return images.contiguous(memory_format=torch.channels_last)


def loss_of(scores: Tensor, labels: Tensor, known: Tensor) -> Tensor:
    """Binary cross-entropy of the concepts that are ``known``, and cross-entropy of the emotion if there is one."""
    concepts = F.binary_cross_entropy_with_logits(
        scores[:, :NAMED], labels[:, :NAMED] * 0.95 + 0.002, weight=known[:, :NAMED], reduction="sum"
    )
    felt = labels[:, NAMED:]
    log_share = scores[:, NAMED:].log_softmax(dim=1)
    return concepts / len(scores) - (felt * log_share).sum() / felt.sum().clamp_min(1)


def learned(
    shown: Sequence[Shown],
    device: torch.device,
    *,
    epochs: int = EPOCHS,
    batch: int = BATCH,
) -> Judge:
    """A judge that has learned what these pictures show. Smaller batches have smaller steps."""
    rate = RATE * (batch / BATCH) ** 0.5
    torch.manual_seed(0)
    generator = torch.Generator(device).manual_seed(0)
    judge = Judge(shown[0].picture.shape[0]).to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]  # torch types no memory_format
    pictures = torch.from_numpy(np.stack([one.picture for one in shown])).to(device)
    labels, known = (table.to(device) for table in targets(shown))
    heads = [*judge.local.parameters(), *judge.whole.parameters()]
    groups = [{"params": list(judge.network.parameters()), "lr": rate}, {"params": heads, "lr": HEAD_RATE}]
    optimizer = torch.optim.AdamW(groups, weight_decay=0.02)
    steps = epochs * (len(shown) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [rate, HEAD_RATE], total_steps=steps + 1, pct_start=0.15
    )
    for _ in range(epochs):
        losses = []
        for rows in torch.randperm(len(shown), generator=generator, device=device).split(batch):
            if len(rows) < batch:
                continue
            images = varied(pixels(pictures[rows]), generator)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                scores = judge(images)
            loss = loss_of(scores.float(), labels[rows], known[rows])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(judge.parameters(), 5.0)
            optimizer.step()
            schedule.step()
            losses.append(loss.detach())
        print(f"mean loss {torch.stack(losses).mean().item():.3f}", flush=True)
    return judge.eval()


def targets(shown: Sequence[Shown]) -> tuple[Tensor, Tensor]:
    """For each of LABELS, 0 or 1, and whether that is known: float [N, L] each."""
    labels = torch.tensor([[float(label in one.labels) for label in LABELS] for one in shown])
    return labels, torch.tensor([[float(label not in one.open) for label in LABELS] for one in shown])


def right(scores: Tensor, prompt: ScenePrompt) -> bool:
    """Whether scores [L] say that a picture shows what the prompt names.

    Of all concepts, the one or two that are named must be among the two or three with the highest scores; those that
    are seen in every such scene do not count. An emotion must be the one with the highest score.
    """
    named = {subject(c) for c in (prompt.who, prompt.what) if c}
    implied = IMPLIED.get("in love" if prompt.verb == "loving" else prompt.emotion)
    order = [CONCEPTS[i] for i in scores[:NAMED].argsort(descending=True).tolist()]
    best = [concept for concept in order if concept in named or concept != implied][: len(named) + 1]
    felt = EMOTIONS[int(scores[NAMED:].argmax())]
    return named <= set(best) and prompt.emotion in ("", felt)


def save(judge: Judge, path: Path) -> None:
    """Write the judge's weights as safetensors, kernels in half precision."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half() if value.dim() > 1 else value for name, value in judge.state_dict().items()}
    save_file({name: value.contiguous() for name, value in weights.items()}, path)


def load_judge(path: Path, device: str | torch.device = "cpu") -> Judge:
    """Read what ``save`` wrote."""
    judge = Judge()
    judge.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    return judge.eval().to(device)
