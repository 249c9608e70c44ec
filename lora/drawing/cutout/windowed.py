"""Makes ``lora/bundled/cutout-window.onnx``: the bundled network, whose last three levels work on a window.

    python -m lora.drawing.cutout.windowed

They take half of the time, and an enclosed patch needs them only around itself. The file has no weights: it refers to
places in ``cutout.onnx`` beside it (https://onnx.ai/onnx/repo-docs/ExternalData.html). So it has to be made again
whenever that file is. It needs the package onnx, of the extra ``pretrain``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lora.drawing.cutout.bundled import FILE, WINDOW_FILE

# Tensor -> how many of its px are a cell of the window, and the node that reads it.
CUT = {
    "/net/up.1/up.1.2/Relu_output_0": (1, "/net/Resize_2"),
    "/net/down.1/down.1.1/down.1.1.2/Relu_output_0": (2, "/net/Concat_2"),
    "/net/down.0/down.0.1/down.0.1.2/Relu_output_0": (4, "/net/Concat_3"),
    "/net/stem/stem.2/Relu_output_0": (8, "/net/Concat_4"),
}


def windowed(model: Any) -> None:
    """Add the inputs ``start`` and ``end``, a window's (row, column) in cells, and cut the tensors of CUT to it."""
    from onnx import TensorProto, helper

    graph = model.graph
    for name in ("start", "end"):
        graph.input.append(helper.make_tensor_value_info(name, TensorProto.INT64, [2]))
    graph.initializer.append(helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]))
    for side, name in zip(graph.output[0].type.tensor_type.shape.dim[2:], ("rows", "columns"), strict=True):
        side.dim_param = name
    for tensor, (px, reader) in CUT.items():
        at, node = next((i, node) for i, node in enumerate(graph.node) if node.name == reader)
        node.input[list(node.input).index(tensor)] = f"window_{px}"
        graph.initializer.append(helper.make_tensor(f"px_{px}", TensorProto.INT64, [1], [px]))
        bounds = [f"start_{px}", f"end_{px}"]
        cut = helper.make_node("Slice", [tensor, *bounds, "axes"], [f"window_{px}"])
        scaled = [helper.make_node("Mul", [bound.split("_")[0], f"px_{px}"], [bound]) for bound in bounds]
        for added in (cut, *scaled):
            graph.node.insert(at, added)


def without_weights(model: Any, source: Path) -> None:
    """Let the large weights be read from ``source``, an ONNX file in the same folder that has them."""
    from onnx.external_data_helper import set_external_data

    data = source.read_bytes()
    for weights in model.graph.initializer:
        raw = weights.raw_data
        if len(raw) > 1000:
            set_external_data(weights, source.name, offset=data.index(raw), length=len(raw))
            weights.ClearField("raw_data")


def made() -> bytes:
    """The file's content."""
    import onnx

    model = onnx.load(FILE)
    windowed(model)
    without_weights(model, FILE)
    return bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    WINDOW_FILE.write_bytes(made())
