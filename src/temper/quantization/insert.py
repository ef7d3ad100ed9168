"""Q/DQ nodes around products with stored 8-bit weights: the part that FP8 and weight-only INT8 share."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
import numpy.typing as npt
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from temper.artifacts.onnx_file import QUANTIZABLE
from temper.errors import ArtifactError

Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class Format:
    """An 8-bit format with symmetric scales: the largest magnitude it holds, and how it is stored."""

    name: str
    limit: float
    dtype: Any
    is_integer: bool


INT8 = Format("INT8", 127.0, np.dtype(np.int8), is_integer=True)
FP8 = Format("FP8", 448.0, np.dtype(ml_dtypes.float8_e4m3fn), is_integer=False)  # E4M3: its largest finite value


def _channel_axis(node: NodeProto, place: int, dimensions: int) -> int | None:
    """Axis of a weight's output channels; None where it has none."""
    if node.op_type == "Conv":
        return 0
    if place == 0 or dimensions < 2:
        return None
    transposed = any(entry.name == "transB" and entry.i for entry in node.attribute)
    return 0 if transposed else dimensions - 1


def _stored(values: npt.NDArray[Any], axis: int | None, form: Format) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Weights in the format, and their scales: float32 [] or [channels]. A channel of zeros has the scale 1."""
    others = None if axis is None else tuple(at for at in range(values.ndim) if at != axis)
    largest = np.abs(values.astype(np.float64)).max(axis=others)
    scales = np.where(largest > 0, largest / form.limit, 1.0).astype(np.float32)
    shape = [1] * values.ndim
    if axis is not None:
        shape[axis] = -1
    scaled = np.clip(values / scales.reshape(shape if axis is not None else ()), -form.limit, form.limit)
    return (np.rint(scaled) if form.is_integer else scaled).astype(form.dtype), scales


class _Inserter:
    def __init__(self, model: ModelProto, form: Format, ranges: Ranges | None, *, per_channel: bool) -> None:
        self._model, self._form, self._ranges, self._per_channel = model, form, ranges, per_channel
        self._weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._results: dict[tuple[str, int | None], str] = {}
        self._added: list[TensorProto] = []
        self.nodes: list[NodeProto] = []

    def _constant(self, name: str, value: npt.NDArray[Any]) -> str:
        self._added.append(numpy_helper.from_array(value, name))
        return name

    def _weight(self, node: NodeProto, place: int) -> str:
        name = node.input[place]
        values = numpy_helper.to_array(self._weights[name])
        axis = _channel_axis(node, place, values.ndim) if self._per_channel else None
        if (name, axis) not in self._results:
            stored, scales = _stored(values, axis, self._form)
            own = f"{name}/{self._form.name}" if axis is None else f"{name}/{self._form.name}/{axis}"
            inputs = [
                self._constant(own, stored),
                self._constant(f"{own}/scale", scales),
                self._constant(f"{own}/zero", np.zeros(scales.shape, self._form.dtype)),
            ]
            made = helper.make_node("DequantizeLinear", inputs, [f"{own}/dequantized"], name=f"{own}/dq")
            if axis is not None:
                made.attribute.append(helper.make_attribute("axis", axis))
            self.nodes.append(made)
            self._results[name, axis] = f"{own}/dequantized"
        return self._results[name, axis]

    def _activation(self, name: str, ranges: Ranges) -> str:
        if (name, None) not in self._results:
            if name not in ranges:
                raise ArtifactError(
                    asked=f"quantise activations to {self._form.name}",
                    happened=f"the calibration cache has no range for {name}",
                    affected="this ONNX file and what is made from it; nothing was written",
                    fix="calibrate this ONNX row by minmax, entropy or percentile: nncf and smooth_quant keep their own tensors",
                )
            largest = max(map(abs, ranges[name])) or self._form.limit  # a dead tensor: any scale will do
            own = f"{name}/{self._form.name}"
            constants = [
                self._constant(f"{own}/scale", np.asarray(largest / self._form.limit, np.float32)),
                self._constant(f"{own}/zero", np.zeros((), self._form.dtype)),
            ]
            self.nodes.append(
                helper.make_node("QuantizeLinear", [name, *constants], [f"{own}/quantized"], name=f"{own}/q")
            )
            self.nodes.append(
                helper.make_node(
                    "DequantizeLinear",
                    [f"{own}/quantized", *constants],
                    [f"{own}/dequantized"],
                    name=f"{own}/dq",
                )
            )
            self._results[name, None] = f"{own}/dequantized"
        return self._results[name, None]

    def rewire(self, node: NodeProto) -> None:
        """Let a product read dequantised operands, if it has a weight or its activations are quantised too."""
        for place, name in enumerate(node.input[:2]):
            if name in self._weights:
                node.input[place] = self._weight(node, place)
            elif self._ranges is not None:
                node.input[place] = self._activation(name, self._ranges)

    def finish(self) -> None:
        used = {name for node in self._model.graph.node for name in node.input}
        kept = [tensor for tensor in self._model.graph.initializer if tensor.name in used]
        del self._model.graph.initializer[:]
        self._model.graph.initializer.extend([*kept, *self._added])


def insert_qdq(
    model: ModelProto, form: Format, ranges: Ranges | None, *, per_channel: bool, kept: Collection[str]
) -> ModelProto:
    """A copy whose products read operands that go through the format.

    Args:
        model: float file with its weights.
        form: of weights and activations; scales are symmetric, the zero point is 0.
        ranges: of the activations that products read; None leaves activations in float (weight-only).
        per_channel: a scale for each output channel of a weight.
        kept: names of product nodes that stay in float.

    Raises:
        ArtifactError: there is no range for an activation, or the model has no product to quantise.
    """
    result = ModelProto()
    result.CopyFrom(model)
    del result.graph.value_info[:]
    inserter = _Inserter(result, form, ranges, per_channel=per_channel)
    ordered: list[NodeProto] = []
    products = 0
    for node in result.graph.node:
        if node.op_type in QUANTIZABLE and node.name not in kept:
            products += 1
            inserter.rewire(node)
        ordered += [*inserter.nodes, node]
        inserter.nodes.clear()
    if not products:
        raise ArtifactError(
            asked=f"quantise to {form.name}",
            happened="the model has no MatMul, Gemm or Conv that may be quantised",
            affected="this ONNX file and what is made from it; nothing was written",
            fix="shorten keep_in_float, or drop the row from params.yaml",
        )
    copies = [NodeProto.FromString(node.SerializeToString()) for node in ordered]
    del result.graph.node[:]
    result.graph.node.extend(copies)
    inserter.finish()
    return result
