"""Draws batches on a GPU without the processor's help: one CUDA graph is one denoising step, whoever it is for.

Eagerly a picture of SD 2.1 is 41,000 kernels that Python launches one by one, and the GPU waits three quarters of the
time. Here a step (both halves of guidance, the denoiser with its slots, the solver) is recorded once for each size of
batch, reads its inputs from fixed buffers, and is replayed. Each picture of a batch has its own adapter, strength, CFG,
texts and seed. The keys and values of the texts, and what the noise levels add, are computed once, not in every step.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from lora.adapters.adapter_file import AdapterInfo
from lora.adapters.slot_bank import Loaded, SlotBank
from lora.adapters.slots import SlottedDenoiser, SlottedLayer, with_weights
from lora.adapters.targets import DEFAULT_TARGETS
from lora.drawing.half_decoder import decoder_of
from lora.drawing.lean_denoiser import make_lean_denoiser
from lora.drawing.solver import Solver
from lora.models.base_model import Base
from lora.models.graphs import Graphs, fetched, free_kept
from lora.models.lean.blocks import LeanAttention, each_for
from lora.models.offload import free_for_drawing, free_text_encoder

BUCKETS = (1, 2, 4, 8, 16)  # pictures of a batch; a smaller one is padded to the next of these
SLOTS = 16
RANK = 16
DECODED_AT_ONCE = 4  # more together are no faster, and take the memory of all of them
MOST_STEPS = 1000
AHEAD = 2  # steps that are queued while the GPU works: it stays busy, and a drawing can stop between them


@dataclass(frozen=True, kw_only=True)
class Request:
    """One picture: its adapter file, the embeddings [2, 77, width] of its negative prompt and its prompt, its noise."""

    adapter: bytes | None
    texts: Tensor
    noise: Tensor  # [channels, h, w]
    cfg: float
    strength: float = 1.0  # of the adapter


@dataclass(frozen=True)
class Phase:
    """Steps that are computed alike: from which one on, and whether with guidance."""

    first: int
    guided: bool


class CapturedDrawing:
    """The fixed buffers and the graphs of one base on one device. On a CPU the same code runs without graphs."""

    def __init__(
        self,
        base: Base,
        *,
        buckets: Sequence[int] = BUCKETS,
        slots: int = SLOTS,
        rank: int = RANK,
        targets: str = DEFAULT_TARGETS,
        merge_each: bool | None = None,
        lean: bool = False,
    ) -> None:
        """With ``merge_each``, a mixed batch has weights for each picture, else halves; None: if memory allows.

        With ``lean``, a batch of one adapter has halves too, pictures are decoded one by one and in bands, upsamplers
        have no summed weights, and what is not needed is in main memory, the VAE and between texts the text encoder:
        that takes 2.3 GB less of SD 2.1 and more time (``benchmarks/memory_budget.py``).
        """
        most = buckets[-1]
        if lean:
            free_text_encoder(base)
        self._decoder = decoder_of(base, lean=lean)  # it takes memory for its probes, so it is made first
        if lean:
            free_for_drawing(base)
        most_decoded = 1 if lean else most
        self._decoded = [size for size in (1, 2, DECODED_AT_ONCE) if size <= most_decoded]  # pictures at once
        self.source = base.unet  # a base with another denoiser needs buffers of its own
        self.buckets = tuple(buckets)
        self.denoiser = SlottedDenoiser(base.unet, rank=rank, targets=targets)
        self._halves_shared = make_lean_denoiser(self.denoiser.unet, upsamplers=not lean)
        self.bank = SlotBank(base, self.denoiser, slots=slots, groups=most)
        # Without buffers that these ones replace (``compile_drawing``): they would stay as long as these.
        self._base = replace(base, unet=self.denoiser.unet, captured=None)
        self._eager: Any = self.denoiser.unet
        self._compiled: Any = None
        self._compile_for: set[tuple[int, bool, int]] = set()
        self._merged: dict[int, dict[str, Tensor]] = {}  # for one adapter, and for one of each picture
        self._texts_of = _keep_texts(self.denoiser.unet, 2 * most, base)
        _join_products(self.denoiser.unet)
        config, side = base.unet.config, base.unet.config.sample_size
        floats: dict[str, Any] = {"device": base.device, "dtype": torch.float32}
        self._x = torch.zeros(most, config.in_channels, side, side, **floats)
        self._meant = torch.zeros_like(self._x)
        self._cfg = torch.ones(most, 1, 1, 1, **floats)
        self._texts = torch.zeros(
            2 * most, 77, config.cross_attention_dim, device=base.device, dtype=base.dtype
        )
        self.denoiser.count_rows(self._x[:1].to(base.dtype), self._texts[:1])
        self.lean = lean
        if merge_each is None:
            merge_each = not lean and _room_for(self.denoiser.merged_bytes(most), base.device)
        self._merge_each = merge_each
        self._timesteps = torch.zeros(0, dtype=torch.long)
        self._times = self._times_of(torch.zeros(MOST_STEPS, dtype=torch.long))
        self._factors = torch.zeros(MOST_STEPS, 5, **floats)
        self._number = torch.zeros(1, dtype=torch.long, device=base.device)
        self._graphs = Graphs(base.device)
        self._pixels: dict[int, Tensor] = {}

    def info(self, files: Sequence[bytes | None]) -> list[AdapterInfo | None]:
        """Bring a batch's files into slots; what they say of themselves. Raises as ``SlotBank.load``."""
        return [one.about for one in self.bank.load(files)]

    @property
    def alone(self) -> int:
        """How many merged weights a batch of one adapter uses: 1, or 0, which means halves."""
        return 0 if self.lean else 1

    def mixed(self, bucket: int) -> int:
        """How many merged weights a batch of several adapters uses: one for each picture, or 0, which means halves."""
        return bucket if self._merge_each else 0

    def batch_of(self, waiting: int) -> int:
        """How many of so many waiting pictures are drawn next: see ``full_batch``."""
        return full_batch(waiting, self.buckets, {bucket for bucket, _, _ in self._compile_for})

    def compile(self, kinds: Sequence[tuple[int, bool, int]]) -> None:
        """Let the compiler write the denoiser's kernels for some (bucket, guided, merged): minutes, once a machine.

        ``merged`` is ``alone`` for a batch with one adapter, else what ``mixed`` says.
        """
        self._compiled = torch.compile(self._eager, fullgraph=True, dynamic=False)
        torch._dynamo.config.recompile_limit = max(32, torch._dynamo.config.recompile_limit)
        self._compile_for = set(kinds)
        self._decoder.compile()
        self._graphs.forget(lambda key: key[0] == "decode" or key[1:] in self._compile_for)

    def rehearse(self) -> None:
        """Record the graphs of what is compiled, so that nobody waits for the compiler."""
        for bucket, guided, merged in self._compile_for:
            self._set(bucket, merged)
            self._graphs.record(("step", bucket, guided, merged), self._step_of(bucket, guided, merged))
        for size in self._decoded:  # of each batch, also of one that is padded or leaves a rest
            self._graphs.record(("decode", size), partial(self._decode, size))

    @property
    def start(self) -> Tensor:
        """The latents [most, channels, h, w] of a batch, float32."""
        return self._x

    @torch.no_grad()
    def predict(self, noisy: Tensor, timesteps: Tensor, texts: Tensor) -> Tensor:
        """``Base.predict`` with the adapters that the bank and the denoiser were told to use."""
        for layer in self._texts_of:
            layer.keep(texts)
        return self._base.predict(noisy, timesteps, texts)

    def sample(
        self, requests: Sequence[Request], solver: Solver, phases: Sequence[Phase]
    ) -> Generator[int, None, Tensor]:
        """Denoise at most ``buckets[-1]`` pictures: gives the number of each queued step, returns the latents.

        Raises as ``SlotBank.load``.
        """
        count = len(requests)
        bucket = next(size for size in self.buckets if size >= count)
        loaded = self.bank.load([one.adapter for one in requests])
        kinds = {(one.slot, asked.strength) for one, asked in zip(loaded, requests, strict=True)}
        merged = self.alone if len(kinds) == 1 else self.mixed(bucket)
        self._record_all(bucket, merged, phases)
        self._x[:count].copy_(torch.stack([one.noise for one in requests]))
        self._meant.zero_()
        self._cfg[:count, 0, 0, 0].copy_(torch.tensor([one.cfg for one in requests]))
        self._keep_times(solver.timesteps)
        self._factors[: len(solver)].copy_(solver.factors)
        self._number.zero_()
        waits: list[Any] = []
        phase = phases[0]
        for number in range(len(solver)):
            for starting in (one for one in phases if one.first == number):
                phase = starting
                self._begin(requests, loaded, bucket, merged, phase)
            self._graphs.run(
                ("step", bucket, phase.guided, merged), self._step_of(bucket, phase.guided, merged)
            )
            waits.append(self._graphs.mark())
            if len(waits) > AHEAD:
                waits.pop(0).synchronize()
            yield number
        return self._x[:count].clone()

    def decode(self, latents: Tensor) -> Iterator[Tensor]:
        """The pictures [H, W, 3] of latents, 8 bits, on the CPU. All are queued before the first one is waited for."""
        queued = []
        for some in latents.split(self._decoded[-1]):
            size = next(size for size in self._decoded if size >= len(some))
            self._x[: len(some)].copy_(some)
            self._graphs.run(("decode", size), partial(self._decode, size))
            queued.append((fetched(self._pixels[size][: len(some)]), self._graphs.mark()))
        for pixels, ready in queued:
            ready.synchronize()
            yield from pixels

    def _record_all(self, bucket: int, merged: int, phases: Sequence[Phase]) -> None:
        """Record what a batch needs before its inputs are put in place: recording runs it once."""
        for guided in {phase.guided for phase in phases}:
            self._set(bucket, merged)
            self._graphs.record(("step", bucket, guided, merged), self._step_of(bucket, guided, merged))

    def _set(self, bucket: int, merged: int) -> None:
        """Let the layers compute with so many merged weights, or with 0 with halves for each picture of the batch."""
        if not merged:
            self.denoiser.use(bucket, None)
            return
        room = 1 if merged == 1 else self.buckets[-1]
        if room not in self._merged:
            self._merged[room] = self.denoiser.merged_weights(room)
        self.denoiser.use(bucket, self._merged[room], merged)

    @torch.no_grad()
    def _times_of(self, timesteps: Tensor) -> Tensor:
        """What the denoiser is told of noise levels [n]: them, or what it makes of them."""
        timesteps = timesteps.to(self._base.device)
        return self._eager.shifts_of(timesteps) if self._halves_shared else timesteps

    def _keep_times(self, timesteps: Tensor) -> None:
        """Put a loop's noise levels where the steps find them, if they are not there."""
        if not torch.equal(timesteps, self._timesteps):
            self._timesteps = timesteps
            self._times[: len(timesteps)].copy_(self._times_of(timesteps))

    @torch.no_grad()
    def _begin(
        self, requests: Sequence[Request], loaded: Sequence[Loaded], bucket: int, merged: int, phase: Phase
    ) -> None:
        """What holds for all steps of a phase: adapters in the layers' rows, and keys and values of the texts."""
        texts = torch.stack([one.texts if phase.guided else one.texts[-1:] for one in requests]).flatten(0, 1)
        self._texts[: len(texts)].copy_(texts)
        self._set(bucket, merged)
        self.bank.use([one.slot for one in loaded], [one.strength for one in requests])
        rows = bucket * (2 if phase.guided else 1)
        self._graphs.run(("begin", bucket, phase.guided, merged), lambda: self._texts_to_keys(rows, merged))

    @torch.no_grad()
    def _texts_to_keys(self, rows: int, merged: int) -> None:
        if merged:
            self.denoiser.merge()
        for layer in self._texts_of:
            layer.keep(self._texts[:rows])

    def _step_of(self, bucket: int, guided: bool, merged: int) -> Callable[[], None]:
        fast = self._compiled is not None and (bucket, guided, merged) in self._compile_for
        base = replace(self._base, unet=self._compiled if fast else self._eager)
        return lambda: self._step(base, bucket, guided)

    @torch.no_grad()
    def _step(self, base: Base, bucket: int, guided: bool) -> None:
        """One step of a batch, from buffers to buffers. A guided picture is two neighbours in the denoiser's batch."""
        x, meant = self._x[:bucket], self._meant[:bucket]
        texts = self._texts[: 2 * bucket if guided else bucket]
        seen = x if self._halves_shared else each_for(x, len(texts))
        answer = base.predict(seen, self._times.index_select(0, self._number), texts)
        if guided:
            without, with_text = answer.unflatten(0, (bucket, 2)).unbind(1)
            answer = without + self._cfg[:bucket] * (with_text - without)
        from_x, from_answer, keep, now, earlier = self._factors.index_select(0, self._number)[0].unbind()
        means = from_x * x + from_answer * answer
        moved = keep * x + now * means + earlier * meant
        meant.copy_(means)
        x.copy_(moved)
        self._number += 1

    @torch.no_grad()
    def _decode(self, size: int) -> None:
        if size not in self._pixels:
            side = self._base.drawn_px
            self._pixels[size] = torch.zeros(size, side, side, 3, dtype=torch.uint8, device=self._base.device)
        pixels = ((self._decoder(self._x[:size]) + 1) * 127.5).round().byte()
        self._pixels[size].copy_(pixels.permute(0, 2, 3, 1))


class KeptText(LeanAttention):
    """An attention processor that looks at texts whose keys and values ``keep`` has computed before.

    They depend on the text and on the adapter, not on the step.
    """

    def __init__(self, attention: Any, rows: int, base: Base) -> None:
        self._attention = attention
        shape = (rows, 77, attention.inner_kv_dim)
        self.key = torch.zeros(shape, device=base.device, dtype=base.dtype)
        self.value = torch.zeros_like(self.key)

    def keep(self, texts: Tensor) -> None:
        """Compute keys and values of texts [rows, 77, width]."""
        self.key[: len(texts)].copy_(self._attention.to_k(texts))
        self.value[: len(texts)].copy_(self._attention.to_v(texts))

    def projected(self, attn: Any, x: Tensor, text: Tensor) -> Sequence[Tensor]:
        return attn.to_q(x), self.key[: len(x)], self.value[: len(x)]


def full_batch(waiting: int, buckets: Sequence[int], compiled: set[int]) -> int:
    """How many of so many waiting pictures, at least one, are drawn next: as many as fill a bucket.

    A padded batch takes as long as a full one, and a bucket of half the size about half as long: nine pictures are done
    sooner as eight and one, and others may come meanwhile. Only where kernels of the padded size alone are compiled all
    go into it.
    """
    full = max(size for size in buckets if size <= waiting)
    padded = min((size for size in buckets if size >= waiting), default=full)
    return waiting if padded in compiled and full not in compiled else full


class JoinedAttention(LeanAttention):
    """Attention of tokens to themselves whose queries, keys and values are one product, if their weights are joined."""

    def projected(self, attn: Any, x: Tensor, text: Tensor) -> Sequence[Tensor]:
        first = attn.to_q
        if first.joined is None:
            return super().projected(attn, x, text)
        return with_weights(x, first.joined, first.layer).chunk(3, -1)


def _join_products(unet: Any) -> None:
    """Let self-attention use ``SlottedLayer.joined``."""
    for name, module in unet.named_modules():
        lean = name.endswith(".attn1") and isinstance(module.processor, LeanAttention)
        if lean and isinstance(module.to_q, SlottedLayer):
            module.set_processor(JoinedAttention())


def _room_for(size: int, device: torch.device) -> bool:
    """Whether a GPU has so many bytes free, and half as many more. On a CPU, where nothing is gained, False.

    If it has not, what is kept on it is freed first.
    """
    if device.type != "cuda":
        return False
    if torch.cuda.mem_get_info(device)[0] <= 1.5 * size and free_kept():
        torch.cuda.empty_cache()
    return torch.cuda.mem_get_info(device)[0] > 1.5 * size


def _keep_texts(unet: Any, rows: int, base: Base) -> list[KeptText]:
    """Give every layer that looks at the text its buffers."""
    kept = []
    for name, module in unet.named_modules():
        if name.endswith(".attn2"):
            module.set_processor(KeptText(module, rows, base))
            kept.append(module.processor)
    return kept
