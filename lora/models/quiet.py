"""Turns off the warnings and progress bars of diffusers and transformers; their errors stay."""

from __future__ import annotations


def quiet_libraries() -> None:
    """Call it before the import of a pipeline: that import already warns, about torchvision."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    for logging in (diffusers_logging, transformers_logging):
        logging.set_verbosity_error()
        logging.disable_progress_bar()
