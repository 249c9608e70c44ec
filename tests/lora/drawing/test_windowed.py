"""The bundled network's file for windows is made from the file of the whole network."""

from __future__ import annotations

import pytest

from lora.drawing.cutout import bundled, windowed


def test_the_file_for_windows_is_of_todays_network() -> None:
    """Made again it is the same, so its places in the other file are where that file's weights are."""
    onnx = pytest.importorskip("onnx")  # of the extra "pretrain"
    stored, again = onnx.load(bundled.WINDOW_FILE, load_external_data=False), onnx.ModelProto()
    again.ParseFromString(windowed.made())
    assert again == stored
