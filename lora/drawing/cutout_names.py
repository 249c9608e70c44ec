"""The cut-out networks that an operator may choose, and why the others of rembg are refused. Imports nothing."""

from __future__ import annotations

BUNDLED = "bundled"  # the network that ships with this project
# rembg's names -> licence of the weights, as those who trained them state it: in U-2-Net's issue 208 ("all the released
# codes and models"), skytnt/anime-seg's model card, and BiRefNet's issue 316 ("all the codes and weights").
LICENCES = {
    "u2net": "Apache-2.0",
    "u2netp": "Apache-2.0",
    "u2net_human_seg": "Apache-2.0",
    "isnet-anime": "Apache-2.0",
    "birefnet-general": "MIT",
    "birefnet-general-lite": "MIT",
    "birefnet-general-fp16": "MIT",
    "birefnet-portrait": "MIT",
    "birefnet-dis": "MIT",
    "birefnet-hrsod": "MIT",
    "birefnet-cod": "MIT",
    "birefnet-massive": "MIT",
}
_UNSTATED = (
    "nobody states a licence of its weights; if you may use them, give the path of the .onnx file instead"
)
_REMOTE = "it sends every picture to a remote service"
_A_FILE = "give the path of the .onnx file instead"
REFUSED = {
    "bria-rmbg": "commercial use of its weights needs a paid agreement",  # as rembg's README says
    "isnet-general-use": _UNSTATED,  # DIS' README: Apache-2.0 for "code and evaluation metric"; its issue 150 asks
    "silueta": _UNSTATED,  # a stranger's smaller U2-Net, from U-2-Net's issue 295
    "withoutbg": _REMOTE,
    "atlascloud": _REMOTE,
    "sam": "it has to be told where the drawing is",
    "u2net_cloth_seg": "it finds clothes, not drawings",
    "u2net_custom": _A_FILE,
    "dis_custom": _A_FILE,
    "ben_custom": _A_FILE,
}


def refusal(model: str) -> str | None:
    """Why a name is refused; None for one that may be used. A name that ends in .onnx is the path of a file."""
    if model == BUNDLED or model in LICENCES or model.endswith(".onnx"):
        return None
    return REFUSED.get(model, f"known are {', '.join((BUNDLED, *LICENCES))}, and paths of .onnx files")
