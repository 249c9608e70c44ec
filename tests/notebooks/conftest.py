"""The notebooks are tested with the samples that the tests of lora/ share."""

from tests.lora.conftest import one_thread, samples, tiny_folder

__all__ = ["one_thread", "samples", "tiny_folder"]
