"""A loaded base model: embeds texts, encodes and decodes pictures, predicts noise or velocity.

Training and drawing call the networks through ``Base``. Three modules that draw on a GPU also call them directly:
``slots`` calls the denoiser to see how large its layers' inputs are, ``captured`` calls its attention layers for the
keys and values of texts, and ``half_decoder`` calls a copy of the VAE. docs/bases.md lists what a base of another
architecture must give.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from lora.data.captions import normalise
from lora.errors import BaseError as BaseError
from lora.errors import as_base_error
from lora.models import sources, sticker_nano
from lora.models.device import keep_freed_memory, pick_device
from lora.models.hashes import weights_hash as weights_hash
from lora.models.parts import NETWORKS, load_parts
from lora.models.picture_norm import use_picture_norms
from lora.models.profiles import Profile, profile_of, shape_of
from lora.models.text_graphs import TextGraphs

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, SchedulerMixin, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

REMEMBERED_CAPTIONS = 512  # the embedding of one caption has 77 KB to 315 KB
RIM = 2  # px; a sub-pixel decoder's outermost pixels, where its convolutions read zeros from outside the picture


@dataclass(kw_only=True)
class Base:
    """A loaded diffusion model. ``hash`` identifies its denoiser's weights and is the same on every machine.

    diffusers and transformers ship no types, so to mypy the five parts are Any. Their names tell a reader which
    documentation applies.
    """

    name: str
    folder: Path
    hash: str
    profile: Profile
    unet: UNet2DConditionModel
    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler: SchedulerMixin
    device: torch.device
    dtype: torch.dtype  # of the denoiser, and on a GPU of the text encoder; the VAE is float32
    compiled: bool = False  # whether the compiler may write kernels: minutes on a machine's first time
    captured: Any = None  # graphs and buffers of drawing on a GPU; lora.drawing.mixed_batches makes them
    _embeddings: dict[str, Tensor] = field(default_factory=dict, repr=False)  # by text
    _text_graphs: TextGraphs | None = field(default=None, repr=False)

    @property
    def resolution(self) -> int:
        """Side, in pixels, of the square pictures that the base was trained on and encodes."""
        return int(self.unet.config.sample_size) * self.pixels_per_latent

    @property
    def drawn_px(self) -> int:
        """Side, in pixels, of the square pictures that it draws: ``resolution`` times ``sub_pixels``."""
        return self.resolution * self.sub_pixels

    @property
    def sub_pixels(self) -> int:
        """How many pixels, across and down, the decoder draws for one encoded pixel."""
        return math.isqrt(self.vae.decoder.conv_out.out_channels // 3)

    @property
    def pixels_per_latent(self) -> int:
        """Side, in pixels, of the area that one latent stands for."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    def draw_steps(self, asked: int | None) -> int:
        """Denoising steps of a drawing: as many as were asked for, or the base's own number."""
        return asked or self.profile.draw_steps

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation [n, channels, h, w] of the latents of pixels [n, 3, H, W] in -1..1."""
        pixels = pixels.to(self.device, memory_format=torch.channels_last)
        self.vae.to(self.device)  # offload.free_for_drawing may have moved it
        spread = self.vae.encode(pixels).latent_dist
        shift, scale = self.vae.config.shift_factor or 0, self.vae.config.scaling_factor
        return (spread.mean - shift) * scale, spread.std * scale

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """RGB pixels [n, 3, H, W] in -1..1 of latents [n, channels, h, w]; H = h * pixels_per_latent * sub_pixels.

        With sub-pixels, the outermost RIM pixels are replaced by copies of their inner neighbours.
        """
        shift, scale = self.vae.config.shift_factor or 0, self.vae.config.scaling_factor
        self.vae.to(self.device)
        decoded = self.vae.decode(latents / scale + shift).sample.float()
        pixels = F.pixel_shuffle(decoded, self.sub_pixels).clamp(-1, 1)
        if self.sub_pixels == 1:
            return pixels
        return F.pad(pixels[..., RIM:-RIM, RIM:-RIM], (RIM,) * 4, mode="replicate")

    def predict(self, noisy: Tensor, timesteps: Tensor, text_embeddings: Tensor) -> Tensor:
        """The denoiser's prediction for noisy latents, float32 [n, channels, h, w]: noise or velocity.

        ``noisy`` is [n, channels, h, w], ``timesteps`` [n] or one for all, ``text_embeddings`` [n, 77, width].
        ``scheduler.config.prediction_type`` says which of the two it is. No other code calls the denoiser.
        """
        noisy = noisy.to(self.dtype, memory_format=torch.channels_last)
        texts = text_embeddings.to(self.dtype)
        predicted: Tensor = self.unet(noisy, timesteps, encoder_hidden_states=texts).sample
        return predicted.float()

    @property
    def resolution_unit(self) -> int:
        """The side of every picture, in pixels, must be a multiple of this."""
        return self.pixels_per_latent * int(2 ** (len(self.unet.config.block_out_channels) - 1))

    def with_background(self, text: str, background: str) -> str:
        """The caption or prompt plus the name of the background, in the words that this base learned."""
        return self.profile.caption_template.format(text=text, name=background) if text else text

    def background_words(self, background: str) -> str:
        """The words that ``with_background`` adds to a text; they take some of the 77 tokens."""
        return self.profile.caption_template.format(text="", name=background)

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> Tensor:
        """Text embeddings [n, 77, width] in the text encoder's dtype. Tokens after the 77th are cut off."""
        missing = [text for text in dict.fromkeys(texts) if text not in self._embeddings]
        if len(self._embeddings) + len(missing) > REMEMBERED_CAPTIONS:
            self._embeddings.clear()
            missing = list(dict.fromkeys(texts))
        for start in range(0, len(missing), 16):
            some = missing[start : start + 16]
            self._embeddings.update(zip(some, self._encode_text(some), strict=True))
        return torch.stack([self._embeddings[text] for text in texts])

    def _encode_text(self, texts: list[str]) -> Tensor:
        tokens = self.tokenizer(
            [normalise(text) for text in texts],
            padding="max_length",
            max_length=self.tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        if self.device.type == "cpu":
            return self.text_encoder(tokens.input_ids)[0]
        if self._text_graphs is None or self._text_graphs.device != self.device:
            self._text_graphs = TextGraphs(self.device)
        return self._text_graphs.encode(self.text_encoder, tokens.input_ids)


@contextmanager
def _unpacked_again(name: str, folder: Path) -> Iterator[None]:
    """Add to a BaseError what mends a folder that was unpacked into the cache."""
    try:
        yield
    except BaseError as error:
        if name != sticker_nano.NAME and not name.endswith(".safetensors"):
            raise
        raise BaseError(f"{error}. Delete {folder}: it is unpacked again") from error


def load(name: str, cache_dir: Path, device: str = "auto", *, download: bool = False) -> Base:
    """Load the base of a name, a diffusers folder or a single file (``lora.models.sources``). Raises BaseError.

    The network is used only with ``download``, and only if the base is not on this machine.

    On a GPU the weights are bfloat16: SD 2.1's attention overflows in float16. The VAE is float32 everywhere,
    because its rounding errors would be visible.
    """
    on = pick_device(device)
    if on.type == "cpu":
        keep_freed_memory()
    with as_base_error():
        folder = sources.find(name, cache_dir, download=download)
    dtype = torch.bfloat16 if on.type == "cuda" else torch.float32
    with _unpacked_again(name, folder), as_base_error():
        parts = load_parts(folder, dtype)
        weights = weights_hash(folder, cache_dir)
    for network in NETWORKS:
        parts[network].to(on)
    parts["unet"].to(memory_format=torch.channels_last)
    parts["vae"].to(memory_format=torch.channels_last)
    if on.type == "cuda":
        use_picture_norms(parts["vae"].encoder)
    return Base(
        name=sources.title(name),
        folder=folder,
        hash=weights,
        profile=profile_of(shape_of(parts["unet"].config, parts["scheduler"].config)),
        device=on,
        dtype=dtype,
        **parts,
    )
