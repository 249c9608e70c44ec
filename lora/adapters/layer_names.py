"""The names of an adapter's tensors: those written here, and those of other trainers.

A tensor's name holds the path of a layer in diffusers' UNet and what the tensor is:

    unet.PATH.lora_A.weight                 PEFT in diffusers; written here
    base_model.model.PATH.lora_A.weight     PEFT alone
    unet.PATH.lora.down.weight              diffusers' training scripts
    unet.ATTENTION.processor.to_q_lora.down.weight   their first versions
    lora_unet_PATH.lora_down.weight         kohya's sd-scripts; in PATH every dot is an underscore
    PATH.alpha                              a number, with any of these
"""

from __future__ import annotations

import re

from lora.jobs import JobError

DOWN, UP, ALPHA = "down", "up", "alpha"
KOHYA = "lora_unet_"
REASONS = (
    "no-safetensors",
    "damaged",
    "text-encoder",
    "other-method",
    "other-names",
    "other-base",
    "numbers",
    "not-finite",
)
_PREFIXES = ("base_model.model.", "unet.")  # a name may have both
_TEXT_ENCODER = ("text_encoder", "lora_te")  # diffusers, kohya; a second or third one has a number after it
_FIRST = (
    "down_blocks.",
    "mid_block.",
    "up_blocks.",
    "conv_in",
    "conv_out",
    "time_embedding.",
)  # of a UNet's paths
_OTHER_METHODS = {  # a part of a tensor's name -> the method that it belongs to
    "dora_scale": "DoRA",
    "lora_magnitude_vector": "DoRA",
    "hada_": "LoHa",
    "lokr_": "LoKr",
    "oft_": "OFT",
    "lora_mid": "LoRA in three factors",
}
_PART = re.compile(r"\.(?:lora_A|lora_B|lora\.down|lora\.up|lora_down|lora_up)(?:\.default)?\.weight$")
_OLD_PROCESSOR = re.compile(r"\.processor\.to_(q|k|v|out)_lora\.(down|up)\.weight$")
# Every module name with an underscore in diffusers' UNets; all other underscores in kohya's names were dots.
_WORD = re.compile(
    r"(?:down_blocks|mid_block|up_blocks|transformer_blocks|to_q|to_k|to_v|to_out|proj_in|proj_out|conv_in|conv_out"
    r"|conv_shortcut|time_emb_proj|time_embedding|linear_1|linear_2|[^_]+)(?=_|$)"
)


class BadAdapter(JobError):
    """A file that cannot be drawn with. ``reason`` is a key of ``REASONS``."""

    def __init__(self, reason: str, detail: str) -> None:
        assert reason in REASONS, reason
        super().__init__("bad-adapter", detail)
        self.reason = reason


def parse(key: str) -> tuple[str, str]:
    """(the layer's path in the denoiser, DOWN or UP or ALPHA) of a tensor's name. Raises JobError bad-adapter."""
    name = key
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    if name.startswith(_TEXT_ENCODER):
        raise BadAdapter(
            "text-encoder", "it also changes the text encoder; only LoRAs of the denoiser are used"
        )
    for word, method in _OTHER_METHODS.items():
        if word in name:
            raise BadAdapter(
                "other-method", f"it is made by another method, {method}; only plain LoRA is used"
            )
    name = _OLD_PROCESSOR.sub(_modern, name)
    path, part = _split(name)
    if path.startswith(KOHYA):
        path = ".".join(_WORD.findall(path.removeprefix(KOHYA)))
    if not part or not path.startswith(_FIRST):
        raise BadAdapter(
            "other-names", f"it holds {key[:80]!r}, which belongs to no LoRA layer of the denoiser"
        )
    return path, part


def kohya_name(path: str) -> str:
    """What kohya's sd-scripts call the layer at a path."""
    return KOHYA + path.replace(".", "_")


def _modern(old: re.Match[str]) -> str:
    """The name by which later versions of diffusers save a weight of the old attention processors."""
    layer = "to_out.0" if old[1] == "out" else f"to_{old[1]}"
    return f".{layer}.lora.{old[2]}.weight"


def _split(name: str) -> tuple[str, str]:
    """A name without prefix -> (its path, its part or nothing)."""
    if name.endswith(".alpha"):
        return name.removesuffix(".alpha"), ALPHA
    if found := _PART.search(name):
        return name[: found.start()], DOWN if "lora_A" in found[0] or "down" in found[0] else UP
    return name, ""
