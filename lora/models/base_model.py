"""A loaded base model, and what is particular about each kind: its defaults, the backgrounds it draws on."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from lora.data.captions import normalise
from lora.errors import BaseError as BaseError
from lora.models import sources, sticker_nano
from lora.models.hashes import weights_hash as weights_hash
from lora.models.profiles import NANO, USUAL, Profile
from lora.models.quiet import quiet_libraries

PARTS = ("unet", "vae", "text_encoder", "tokenizer", "scheduler")
REMEMBERED_CAPTIONS = 512  # embeddings of one caption are 77 KB to 315 KB
RIM = 2  # px round what a fine decoder draws that show the zeros which its convolutions met there


@dataclass(kw_only=True)
class Base:
    """A loaded diffusion model. ``hash`` names its denoiser's weights, the same on every machine."""

    name: str
    folder: Path
    hash: str
    profile: Profile
    unet: Any
    vae: Any
    text_encoder: Any
    tokenizer: Any
    scheduler: Any
    device: torch.device
    dtype: torch.dtype
    active: str | None = None  # which LoRA the denoiser uses now; like the next, only adapters.py changes it
    loaded: list[str] = field(default_factory=list)  # names of the files on it, the last used one last
    compiled: bool = (
        False  # whether the compiler may write kernels: minutes on a machine's first time, then seconds
    )
    captured: Any = None  # graphs and buffers of drawing on a GPU; lora.drawing.mixed_batches makes them
    _embeddings: dict[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def resolution(self) -> int:
        """Pixels of one side of the square pictures that the base was made for, and encodes."""
        return int(self.unet.config.sample_size) * self.pixels_per_latent

    @property
    def drawn_px(self) -> int:
        """Pixels of one side of the square pictures that it draws: ``resolution``, or more with a fine decoder."""
        return self.resolution * self.sub_pixels

    @property
    def sub_pixels(self) -> int:
        """How many pixels, across and down, the decoder draws for each one that was encoded."""
        return math.isqrt(self.vae.decoder.conv_out.out_channels // 3)

    @property
    def pixels_per_latent(self) -> int:
        """How many pixels wide a latent is."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation [n, channels, h, w] of the latents of pixels [n, 3, H, W] in -1..1."""
        pixels = pixels.to(self.device, memory_format=torch.channels_last)
        spread = self.vae.encode(pixels).latent_dist
        shift, scale = self.vae.config.shift_factor or 0, self.vae.config.scaling_factor
        return (spread.mean - shift) * scale, spread.std * scale

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """RGB pixels [n, 3, H, W] in -1..1 of latents [n, channels, h, w], ``sub_pixels`` times as large as encoded.

        Of a fine decoder, the outermost RIM pixels are those just inside of them.
        """
        shift, scale = self.vae.config.shift_factor or 0, self.vae.config.scaling_factor
        decoded = self.vae.decode(latents / scale + shift).sample.float()
        pixels = F.pixel_shuffle(decoded, self.sub_pixels).clamp(-1, 1)
        if self.sub_pixels == 1:
            return pixels
        return F.pad(pixels[..., RIM:-RIM, RIM:-RIM], (RIM,) * 4, mode="replicate")

    def predict(self, noisy: Tensor, timesteps: Tensor, text_embeddings: Tensor) -> Tensor:
        """What the denoiser says of noisy latents, in float32 [n, channels, h, w]: noise, or velocity.

        ``noisy`` is [n, channels, h, w], ``timesteps`` [n] or one for all, ``text_embeddings`` [n, 77, width]. Which of
        the two it predicts is ``scheduler.config.prediction_type``. This is the only place that calls the denoiser.
        """
        noisy = noisy.to(self.dtype, memory_format=torch.channels_last)
        predicted: Tensor = self.unet(noisy, timesteps, encoder_hidden_states=text_embeddings).sample
        return predicted.float()

    @property
    def resolution_unit(self) -> int:
        """What the side of every picture must be a multiple of, in pixels."""
        return self.pixels_per_latent * int(2 ** (len(self.unet.config.block_out_channels) - 1))

    def with_background(self, text: str, background: str) -> str:
        """The caption or prompt with the colour behind the drawing named, as this base understands it."""
        return self.profile.caption_template.format(text=text, name=background) if text else text

    def background_words(self, background: str) -> str:
        """What ``with_background`` adds to a text: it takes some of the 77 tokens."""
        return self.profile.caption_template.format(text="", name=background)

    @torch.no_grad()
    def embed(self, texts: Sequence[str]) -> Tensor:
        """Text embeddings [n, 77, width] in the base's dtype. What is over 77 tokens is cut off."""
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
        self.text_encoder.to(self.device)  # it may have made room for the decoder (place.make_room)
        return self.text_encoder(tokens.input_ids.to(self.device))[0]


def load(name: str, cache_dir: Path, device: str = "auto", *, download: bool = False) -> Base:
    """Load the base of a name, a diffusers folder or a single file (``lora.models.sources``). Raises BaseError.

    The network is asked only with ``download``, and only for a base that is not on this machine.

    Weights are read from safetensors files only. On a GPU they are bfloat16 (SD 2.1's attention overflows in
    float16); the VAE stays in float32 everywhere, for it is what the eye sees.
    """
    place = pick_device(device)
    folder = sources.find(name, cache_dir, download=download)
    dtype = torch.bfloat16 if place.type == "cuda" else torch.float32
    parts = _load_parts(folder, dtype)
    if (folder / "vae" / sticker_nano.SUB_PIXEL_CONV).is_file():
        _refine(parts["vae"], folder / "vae" / sticker_nano.SUB_PIXEL_CONV)
    _check_prediction(folder, parts["scheduler"])
    for part in ("unet", "vae", "text_encoder"):
        parts[part].requires_grad_(False).eval().to(place)
    parts["unet"].to(memory_format=torch.channels_last)
    parts["vae"].to(memory_format=torch.channels_last)
    return Base(
        name=sources.title(name),
        folder=folder,
        hash=weights_hash(folder, cache_dir),
        profile=NANO if _has_nano_shape(parts["unet"].config) else USUAL,
        device=place,
        dtype=dtype,
        **parts,
    )


def _refine(vae: Any, file: Path) -> None:
    """Put the convolution of a ``nano.FINE`` file at the end of the decoder. Raises BaseError if it does not fit."""
    last = vae.decoder.conv_out
    try:
        fine = load_file(file)
    except (SafetensorError, OSError) as error:
        raise BaseError(f"{file}: cannot be loaded: {error}") from error
    shapes = {name: tuple(value.shape) for name, value in fine.items()}
    channels = fine["bias"].numel() if "bias" in fine else 0
    times = math.isqrt(channels // 3)
    wanted = {"weight": (3 * times**2, *last.weight.shape[1:]), "bias": (3 * times**2,)}
    if times < 2 or shapes != wanted:
        raise BaseError(f"{file}: no sub-pixel convolution for the decoder beside it: it holds {shapes}")
    vae.decoder.conv_out = torch.nn.Conv2d(last.in_channels, channels, last.kernel_size, padding=last.padding)
    vae.decoder.conv_out.load_state_dict(fine)


def _check_prediction(folder: Path, scheduler: Any) -> None:
    """What the denoiser predicts is its scheduler's to say; a kind that is not trained here is no noise."""
    kind = scheduler.config.get("prediction_type")
    if kind not in ("epsilon", "v_prediction"):
        raise BaseError(
            f"{folder}: its scheduler says prediction_type {kind}; epsilon and v_prediction are known"
        )


DEVICES = "auto, cpu, cuda and cuda:N are known"


def pick_device(device: str) -> torch.device:
    """``auto`` is the first GPU if there is one, else the CPU."""
    if device == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise BaseError(f"device {device}: {DEVICES}") from error
    if place.type not in ("cpu", "cuda"):
        raise BaseError(f"device {device}: {DEVICES}")
    if place.type == "cuda" and not torch.cuda.is_available():
        raise BaseError(f"device {device}: this machine, or this build of torch, has no GPU")
    return place


def _load_parts(folder: Path, dtype: torch.dtype) -> dict[str, Any]:
    """The five parts of a StableDiffusionPipeline, without importing the pipeline (seconds) itself."""
    quiet_libraries()
    import diffusers
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from transformers import CLIPTextModel, CLIPTokenizer

    index = json.loads((folder / "model_index.json").read_text())
    if index.get("_class_name") != "StableDiffusionPipeline":
        raise BaseError(
            f"{folder}: a {index.get('_class_name')}; only a StableDiffusionPipeline can be trained"
        )
    missing = [part for part in PARTS if not (folder / part).is_dir()]
    if missing:
        raise BaseError(f"{folder}: {', '.join(missing)} missing")
    local: dict[str, Any] = {"local_files_only": True}
    weights: dict[str, Any] = {**local, "use_safetensors": True}
    try:
        return {
            "unet": UNet2DConditionModel.from_pretrained(folder / "unet", **weights, dtype=dtype),
            "vae": AutoencoderKL.from_pretrained(folder / "vae", **weights),
            "text_encoder": CLIPTextModel.from_pretrained(folder / "text_encoder", **weights, dtype=dtype),
            "tokenizer": CLIPTokenizer.from_pretrained(folder / "tokenizer", **local),
            "scheduler": getattr(diffusers, index["scheduler"][1]).from_pretrained(
                folder / "scheduler", **local
            ),
        }
    except (OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
        raise BaseError(f"{folder}: cannot be loaded: {str(error).splitlines()[0]}") from error


def _has_nano_shape(config: Any) -> bool:
    """An unpacked copy of the bundled base is that base, whatever its folder is called."""
    return (
        tuple(config.block_out_channels) == tuple(sticker_nano.UNET["block_out_channels"])
        and config.cross_attention_dim == sticker_nano.UNET["cross_attention_dim"]
    )
