"""How a step learns: the two losses, and gradients that several GPUs share.

The work of a step is a thousand small kernels, and launching them one by one takes the processor longer than the GPU
needs for all of them. So on a GPU the loss of the pictures and its gradients are recorded once as a CUDA graph and
replayed. All gradients lie in one tensor: averaging them over the GPUs is one call, and so is clipping them.
"""

from __future__ import annotations

import gc
from typing import Any

import torch
import torch.distributed as dist
from diffusers import DDIMScheduler
from torch import Tensor, nn

from lora.models.sticker_nano import SCHEDULER
from lora.pretrain.model import Model, predict
from lora.pretrain.variants import Vocabulary

EMPTY, REPLACED = 0.1, 0.02
TAUGHT, TEACH_WEIGHT = 256, 0.08  # texts, and how much they count beside the pictures,
TEACH_EVERY = 4  # steps: the words are learnt long before the pictures
# Min-SNR weighs a loss by less and less where there is more noise, and by nothing where sampling starts. But that is
# where words decide on a shape: below an SNR of 0.06 they explain a tenth to a half of the first edition's loss, above
# 0.3 a twentieth (``python -m benchmarks.noise_levels``).
LEAST_WEIGHT = 0.4
PEAK = 6e-4
CLIP = 1.0


class EMA:
    """An exponential moving average of parameters, warmed up so that early steps are forgotten."""

    def __init__(self, weights: list[nn.Parameter]) -> None:
        self.weights = weights
        self.values = [w.detach().clone() for w in weights]
        self.steps = 0

    @torch.no_grad()
    def update(self) -> None:
        self.steps += 1
        decay = min(0.9995, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(self.values, [w.detach() for w in self.weights], 1 - decay)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the averages and the live weights; call it twice to look at the averages' pictures."""
        for value, weight in zip(self.values, self.weights, strict=True):
            kept = weight.detach().clone()
            weight.copy_(value)
            value.copy_(kept)


class TrainingBatches:
    """The two losses of a step: of pictures, and of words."""

    def __init__(
        self, model: Model, words: dict[str, Tensor], vocabulary: Vocabulary, compiled: bool
    ) -> None:
        device = next(model.parameters()).device
        self._model = model
        self._forward: Any = torch.compile(predict, dynamic=False) if compiled else predict
        self._alphas = DDIMScheduler(**SCHEDULER).alphas_cumprod.to(device)
        ids = torch.from_numpy(vocabulary.compact(words["ids"].long().numpy()))
        self._texts, self._said = ids.to(device), words["embeddings"].float().to(device)
        self._bos, self._eos = vocabulary.rows("", 2)
        self._empty = torch.tensor(vocabulary.rows(""), device=device)

    def pictures(self, latents: Tensor, ids: Tensor, generator: torch.Generator) -> Tensor:
        """The weighted v-prediction loss of latents [B, 8, 32, 32] with caption rows [B, 77]."""
        device = latents.device
        # A caption may also stay silent on one of its words: row 0 learns to mean "something".
        unknown = torch.rand(ids.shape, generator=generator, device=device) < REPLACED
        ids = torch.where(unknown & (ids != self._bos) & (ids != self._eos), 0, ids)
        drop = torch.rand(len(ids), 1, generator=generator, device=device) < EMPTY
        ids = torch.where(drop, self._empty, ids)
        noise = torch.randn(latents.shape, generator=generator, device=device)
        # One from each of B equal parts of the noise levels, so that a batch's loss does not hang on its luck.
        at = torch.arange(len(latents), device=device) + torch.rand(
            len(latents), generator=generator, device=device
        )
        steps = (at * (1000 / len(latents))).long().clamp_max(999)
        signal = self._alphas[steps]
        a, s = signal.sqrt()[:, None, None, None], (1 - signal).sqrt()[:, None, None, None]
        noisy = (a * latents + s * noise).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            v = self._forward(self._model.unet, self._model.text, noisy, steps, ids).float()
        ratio = signal / (1 - signal).clamp_min(1e-8)
        weight = (ratio.clamp_max(5) / (ratio + 1)).clamp_min(LEAST_WEIGHT)
        return ((v - (a * noise - s * latents)).square().mean(dim=(1, 2, 3)) * weight).mean()

    def words(self, generator: torch.Generator) -> Tensor:
        """One minus the mean cosine between what the encoder and what the teacher says of ``TAUGHT`` texts."""
        device = self._texts.device
        rows = torch.randint(len(self._texts), (TAUGHT,), generator=generator, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            told = self._model.told(self._texts[rows], self._eos)
        return 1 - (told * self._said[rows]).sum(dim=1).mean()


class Gradients:
    """The gradients of all weights, each a view into ``flat``."""

    def __init__(self, weights: list[nn.Parameter]) -> None:
        self.flat = torch.zeros(sum(w.numel() for w in weights), device=weights[0].device)
        start = 0
        for weight in weights:
            weight.grad = self.flat.as_strided(weight.size(), weight.stride(), start)
            start += weight.numel()

    def share(self) -> None:
        """Average over all processes, then clip to a norm of ``CLIP``."""
        if dist.is_initialized():
            dist.all_reduce(self.flat, op=dist.ReduceOp.AVG)
        self.flat.mul_((CLIP / self.flat.norm().clamp_min(1e-6)).clamp_max(1))


class Learner:
    """One process's part in the training of ``model``, for batches of one size."""

    def __init__(
        self, model: Model, lessons: TrainingBatches, batch: int, generator: torch.Generator
    ) -> None:
        device = generator.device
        self._weights = [w for w in model.parameters() if w.requires_grad]
        self._lessons, self._generator = lessons, generator
        self.averages = EMA(self._weights)
        self._gradients = Gradients(self._weights)
        self._optimizer = torch.optim.AdamW(
            self._weights, lr=PEAK, betas=(0.9, 0.99), weight_decay=0.01, fused=device.type == "cuda"
        )
        self._latents = torch.zeros(batch, 8, 32, 32, device=device)
        self._ids = torch.zeros(batch, 77, dtype=torch.long, device=device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._loss = torch.zeros((), device=device)
        self.taught = torch.zeros((), device=device)  # the last loss of the words
        self.steps = 0

    def record(self) -> None:
        """Compile and record what ``step`` does with pictures. On a CPU there is nothing to record."""
        if self._generator.device.type != "cuda":
            return
        gc.collect()  # a graph of autograd that waits for it would hold the stream that it ran on
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._pictures()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        # thread_local: NCCL's own threads may touch the device while this one records.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._pictures()
        self._graph = graph

    def _pictures(self) -> None:
        self._gradients.flat.zero_()
        loss = self._lessons.pictures(self._latents, self._ids, self._generator)
        loss.backward()
        # A loss that is kept keeps its graph, and with it the stream that it ran on.
        self._loss = loss.detach()

    def step(self, latents: Tensor, ids: Tensor, rate: float) -> Tensor:
        """Learn from latents [B, 8, 32, 32] with caption rows [B, 77]; gives the loss."""
        self._latents.copy_(latents)
        self._ids.copy_(ids)
        if self._graph:
            self._graph.replay()
        else:
            self._pictures()
        if self.steps % TEACH_EVERY == 0:
            taught = self._lessons.words(self._generator)
            (TEACH_WEIGHT * taught).backward()
            self.taught = taught.detach()
        self._gradients.share()
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self.averages.update()
        self.steps += 1
        return self._loss
