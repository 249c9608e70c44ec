"""Which layers of the denoiser an adapter changes. Without torch: the command line lists the keys of TARGETS."""

from __future__ import annotations

ATTENTION = ("to_k", "to_q", "to_v", "to_out.0")
FEED_FORWARD = ("ff.net.0.proj", "ff.net.2")
CONVOLUTIONS = ("conv1", "conv2")  # of the ResNet blocks
TARGETS = {
    "attention": ATTENTION,  # as in the reference script
    "attention+ff": (*ATTENTION, *FEED_FORWARD),
    "attention+ff+conv": (*ATTENTION, *FEED_FORWARD, *CONVOLUTIONS),
}
DEFAULT_TARGETS = "attention+ff"
