"""One training step of denoiser and text encoder: its two losses, and gradients averaged over several GPUs.

A step runs about a thousand small kernels. To launch them one by one takes the CPU longer than the GPU needs for all of
them. So on a GPU the denoising loss and its gradients are recorded once as a CUDA graph, which is then replayed. All
gradients are views into one tensor: one call averages them over the GPUs, one call clips them.
"""

from __future__ import annotations

import gc
from typing import Any

import torch
import torch.distributed as dist
from diffusers import DDIMScheduler
from torch import Tensor, nn

from lora.models.diffusion import V_PREDICTION, add_noise, min_snr_weights, velocity
from lora.models.sticker_nano import SCHEDULER
from lora.pretrain.model import Model, predict
from lora.pretrain.variants import Vocabulary
from lora.training.ema import EMA

CAPTION_DROPOUT = 0.1  # share of captions that are replaced by the empty one, for classifier-free guidance
TEACHER_TEXTS = 256  # texts of one text loss
TEACHER_WEIGHT = 0.08  # of the text loss; the denoising loss has weight 1
TEACHER_EVERY = 4  # steps between two text losses: texts are learned much faster than pictures
SNR_GAMMA = 5.0
# Min-SNR weights fall to 0 at the highest noise, where sampling starts. But there the prompt decides on the shape:
# below an SNR of 0.06 it explains a tenth to a half of the first edition's loss, above 0.3 a twentieth
# (``python -m benchmarks.noise_levels``). So no weight is below this one.
MIN_LOSS_WEIGHT = 0.4
PEAK = 6e-4  # the highest learning rate
MAX_GRAD_NORM = 1.0
EMA_DECAY = 0.9995


class StepLosses:
    """The two losses of a step: the denoising loss of drawings, and the text loss against a teacher."""

    def __init__(
        self, model: Model, words: dict[str, Tensor], vocabulary: Vocabulary, compiled: bool
    ) -> None:
        device = next(model.parameters()).device
        self._model = model
        self._forward: Any = torch.compile(predict, dynamic=False) if compiled else predict
        self._alphas_cumprod = DDIMScheduler(**SCHEDULER).alphas_cumprod.to(device)
        ids = torch.from_numpy(vocabulary.compact(words["ids"].long().numpy()))
        self._texts, self._teacher = ids.to(device), words["embeddings"].float().to(device)
        _, self._eos = vocabulary.rows("", 2)
        self._empty = torch.tensor(vocabulary.rows(""), device=device)

    def denoising_loss(self, latents: Tensor, ids: Tensor, generator: torch.Generator) -> Tensor:
        """``mean_i w_i mean((v_predicted - v)^2)`` over latents [B, 8, 32, 32] with caption ids [B, 77].

        ``w_i`` is the min-SNR weight, but at least MIN_LOSS_WEIGHT.
        """
        device = latents.device
        # Captions, of which some become empty.
        empty = torch.rand(len(ids), 1, generator=generator, device=device) < CAPTION_DROPOUT
        ids = torch.where(empty, self._empty, ids)
        noise = torch.randn(latents.shape, generator=generator, device=device)
        # Stratified timesteps: one from each of B equal parts, so that the losses of two batches differ less.
        position = torch.arange(len(latents), device=device) + torch.rand(
            len(latents), generator=generator, device=device
        )
        timesteps = (position * (1000 / len(latents))).long().clamp_max(999)
        # Noised latents, and the prediction against its target.
        alpha_bar = self._alphas_cumprod[timesteps]
        noisy = add_noise(latents, noise, alpha_bar).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            predicted = self._forward(self._model.unet, self._model.text, noisy, timesteps, ids).float()
        errors = (predicted - velocity(latents, noise, alpha_bar)).square().mean(dim=(1, 2, 3))
        weights = min_snr_weights(alpha_bar, SNR_GAMMA, V_PREDICTION).clamp_min(MIN_LOSS_WEIGHT)
        return (errors * weights).mean()

    def text_loss(self, generator: torch.Generator) -> Tensor:
        """``1 - mean cosine`` between the model's and the teacher's embeddings of TEACHER_TEXTS random texts."""
        device = self._texts.device
        rows = torch.randint(len(self._texts), (TEACHER_TEXTS,), generator=generator, device=device)
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            predicted = self._model.teacher_embeddings(self._texts[rows], self._eos)
        return 1 - (predicted * self._teacher[rows]).sum(dim=1).mean()


class Gradients:
    """The gradients of all weights, each a view into ``flat``."""

    def __init__(self, weights: list[nn.Parameter]) -> None:
        self.flat = torch.zeros(sum(w.numel() for w in weights), device=weights[0].device)
        start = 0
        for weight in weights:
            weight.grad = self.flat.as_strided(weight.size(), weight.stride(), start)
            start += weight.numel()

    def average_and_clip(self) -> None:
        """Average over all processes, then scale down to a norm of at most MAX_GRAD_NORM."""
        if dist.is_initialized():
            dist.all_reduce(self.flat, op=dist.ReduceOp.AVG)
        self.flat.mul_((MAX_GRAD_NORM / self.flat.norm().clamp_min(1e-6)).clamp_max(1))


class Learner:
    """Trains ``model`` in one process, with batches of one size."""

    def __init__(self, model: Model, losses: StepLosses, batch: int, generator: torch.Generator) -> None:
        device = generator.device
        trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self._losses, self._generator = losses, generator
        self.ema = EMA(trained, EMA_DECAY)
        self._gradients = Gradients(list(trained.values()))
        self._optimizer = torch.optim.AdamW(
            trained.values(), lr=PEAK, betas=(0.9, 0.99), weight_decay=0.01, fused=device.type == "cuda"
        )
        # The inputs of the CUDA graph: it always reads from the same memory.
        self._latents = torch.zeros(batch, 8, 32, 32, device=device)
        self._ids = torch.zeros(batch, 77, dtype=torch.long, device=device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._loss = torch.zeros((), device=device)
        self.text_loss = torch.zeros((), device=device)  # of the last step that had one
        self.steps = 0

    def record(self) -> None:
        """Compile the denoising loss and record it with its gradients as a CUDA graph. On a CPU, do nothing."""
        if self._generator.device.type != "cuda":
            return
        gc.collect()  # an autograd graph that is still in memory would keep using its own stream
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._denoising_gradients()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        graph.register_generator_state(self._generator)
        # thread_local: NCCL's own threads may use the device during the recording.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            self._denoising_gradients()
        self._graph = graph

    def _denoising_gradients(self) -> None:
        self._gradients.flat.zero_()
        loss = self._losses.denoising_loss(self._latents, self._ids, self._generator)
        loss.backward()
        # Detached: the loss itself would keep its autograd graph, and with it the stream that it ran on.
        self._loss = loss.detach()

    def step(self, latents: Tensor, ids: Tensor, rate: float) -> Tensor:
        """Train on latents [B, 8, 32, 32] with caption ids [B, 77]; returns the denoising loss."""
        self._latents.copy_(latents)
        self._ids.copy_(ids)
        if self._graph:
            self._graph.replay()
        else:
            self._denoising_gradients()
        if self.steps % TEACHER_EVERY == 0:
            text_loss = self._losses.text_loss(self._generator)
            (TEACHER_WEIGHT * text_loss).backward()
            self.text_loss = text_loss.detach()
        self._gradients.average_and_clip()
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self.steps += 1
        self.ema.update(self.steps)
        return self._loss
