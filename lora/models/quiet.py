"""Lets diffusers and transformers say nothing but errors: their advice and bars are not for who trains or draws."""

from __future__ import annotations


def quiet_libraries() -> None:
    """Call it before what imports a pipeline: the import alone brings warnings about torchvision."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    for logging in (of_diffusers, of_transformers):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
