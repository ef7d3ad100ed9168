"""Activation ranges in a stream: the part that the methods share.

The first pass reduces every tensor inside ONNX Runtime, so that only scalars leave the session. The second takes the
tensors of one call out at a time and counts |x| in a histogram over [0, largest |x|], whose size is fixed.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import ModelProto, NodeProto, ValueInfoProto, helper

from temper.artifacts.onnx_file import QUANTIZABLE
from temper.artifacts.signature import Tensors
from temper.errors import ArtifactError

Floats = npt.NDArray[np.float64]

QUANTIZED_OPERATORS = {
    "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger", "QLinearMatMul",
    "QLinearConv",
}  # fmt: skip
FLOATS = ("tensor(float)", "tensor(float16)")
REDUCTIONS = ("ReduceMin", "ReduceMax", "ReduceSum")  # the sum is there for NaN, which a smallest or largest may miss
CACHED = 2**16  # values that are counted at a time: they stay in the processor's cache
NOTHING_WRITTEN = "this calibration cache; nothing was written"


@dataclass(frozen=True)
class Extremes:
    """Smallest and largest value of each tensor in each call; `lows` and `highs` are float64 [calls, tensors]."""

    names: tuple[str, ...]  # in graph order
    lows: Floats
    highs: Floats

    @property
    def low(self) -> Floats:
        """Smallest value of each tensor, [tensors]."""
        return np.asarray(self.lows.min(axis=0))

    @property
    def high(self) -> Floats:
        """Largest value of each tensor, [tensors]."""
        return np.asarray(self.highs.max(axis=0))

    @property
    def absmax(self) -> Floats:
        """Largest |x| of each tensor, [tensors]."""
        return np.maximum(np.abs(self.low), np.abs(self.high))


@dataclass(frozen=True)
class Histograms:
    """Counts of |x|, int64 [tensors, bins]; bin i of a tensor goes from i to i + 1 times its `widths` [tensors]."""

    extremes: Extremes
    counts: npt.NDArray[np.int64]
    widths: Floats

    @property
    def totals(self) -> npt.NDArray[np.int64]:
        """Number of values of each tensor, [tensors]."""
        return np.asarray(self.counts.sum(axis=1))


def _nothing_to_calibrate() -> ArtifactError:
    return ArtifactError(
        asked="find activation ranges",
        happened="no tensor to calibrate was found",
        affected=NOTHING_WRITTEN,
        fix="this model has no MatMul, Gemm or Conv",
    )


def tensors_around_products(model: ModelProto) -> list[str]:
    """Names of the tensors that enter a product or leave one, weights left out, in the order in which they are made.

    Raises:
        ArtifactError: the model is quantised already, or has no product.
    """
    found = sorted({node.op_type for node in model.graph.node} & QUANTIZED_OPERATORS)
    if found:
        raise ArtifactError(
            asked="find activation ranges",
            happened=f"the model is quantised already: it holds {', '.join(found)}",
            affected=NOTHING_WRITTEN,
            fix="calibrate a row in floating point: set the calibration's onnx to a row of exports",
        )
    weights = {tensor.name for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type in QUANTIZABLE]
    wanted = {name for node in products for name in (*node.input, *node.output) if name} - weights
    if not wanted:
        raise _nothing_to_calibrate()
    made = [*(put.name for put in model.graph.input), *(name for node in model.graph.node for name in node.output)]
    return [name for name in made if name in wanted]


@contextmanager
def _session(model: ModelProto, outputs: Sequence[str], nodes: Sequence[NodeProto] = ()) -> Iterator[Any]:
    """A session of a copy of the model with more nodes and other outputs."""
    import onnxruntime as ort

    copy = ModelProto()
    copy.CopyFrom(model)  # saving with external data moves the weights out of the model in memory
    copy.graph.node.extend(nodes)
    del copy.graph.output[:]
    copy.graph.output.extend(ValueInfoProto(name=name) for name in outputs)  # ONNX Runtime infers their types
    settings = ort.SessionOptions()
    # memory goes back after each call: kept for the next, it would be planned for every shape there is
    settings.enable_cpu_mem_arena = settings.enable_mem_pattern = False
    settings.log_severity_level = 3
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.onnx"
        onnx.save(copy, str(path), save_as_external_data=True, location="model.onnx.data")
        del copy
        yield ort.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])


def find_extremes(model: ModelProto, calls: Sequence[Tensors]) -> Extremes:
    """Smallest and largest value of every tensor around a product (MatMul, Gemm, Conv).

    Args:
        model: FP32 model with its weights.
        calls: inputs.

    Raises:
        ArtifactError: a value is NaN or infinite, the model is quantised already, or it has no product.
    """
    names = tensors_around_products(model)
    nodes = [helper.make_node(kind, [name], [f"{kind}/{name}"], keepdims=0) for name in names for kind in REDUCTIONS]
    rows = []
    with _session(model, [node.output[0] for node in nodes], nodes) as session:
        types = [output.type for output in session.get_outputs()][:: len(REDUCTIONS)]
        for number, call in enumerate(calls, start=1):
            found = np.asarray(session.run(None, call), np.float64).reshape(len(names), len(REDUCTIONS))
            if not np.isfinite(found).all():
                _refuse_not_finite(model, names, call, f"call {number} of {len(calls)}")
            rows.append(found[:, :2])
    kept = [n for n, kind in enumerate(types) if kind in FLOATS]
    if not kept:  # products of whole numbers are nobody's to quantise
        raise _nothing_to_calibrate()
    whole = np.stack(rows)[:, kept]
    return Extremes(tuple(names[n] for n in kept), whole[..., 0], whole[..., 1])


def _refuse_not_finite(model: ModelProto, names: Sequence[str], call: Tensors, which: str) -> None:
    """Raise for the first tensor of the call that holds NaN or Inf; return where only a sum has overflowed."""
    inputs = {put.name for put in model.graph.input}
    outputs = [name for name in names if name not in inputs]
    with _session(model, outputs) as session:
        values = dict(call) | dict(zip(outputs, session.run(outputs, call), strict=True))
    for name in names:
        wrong = int((~np.isfinite(values[name])).sum())
        if wrong:
            raise ArtifactError(
                asked="find activation ranges",
                happened=f"{name} is not finite: {wrong:,} of its {values[name].size:,} values in {which} are NaN or "
                "infinite; no tensor before it in the graph holds such a value",
                affected=NOTHING_WRITTEN,
                fix="check the checkpoint: its activations overflow",
            )


def _count(values: npt.NDArray[Any], top: float, bins: int) -> npt.NDArray[np.int64]:
    """Histogram of |values| over [0, top], int64 [bins]."""
    counts = np.zeros(bins, np.int64)
    scale = np.float32(bins / top) if top else np.float32(0)
    flat = values.reshape(-1)
    for start in range(0, flat.size, CACHED):
        place = np.abs(flat[start : start + CACHED]).astype(np.float32, copy=False)
        place *= scale
        # the largest itself, and what another rounding than in the first pass puts above it, are in the last bin
        np.minimum(place, bins - 1, out=place)
        counts += np.bincount(place.astype(np.intp), minlength=bins)
    return counts


def count_histograms(model: ModelProto, calls: Sequence[Tensors], found: Extremes, bins: int) -> Histograms:
    """Histograms of |x| of the tensors of `found`, over the calls it was found in; one call's tensors are in memory."""
    inputs = {put.name for put in model.graph.input}
    outputs = [name for name in found.names if name not in inputs]
    counts, tops = np.zeros((len(found.names), bins), np.int64), found.absmax
    with _session(model, outputs) as session:
        for call in calls:
            values = dict(zip(outputs, session.run(outputs, call), strict=True))
            for n, name in enumerate(found.names):
                value = values.pop(name) if name in values else call[name]
                counts[n] += _count(value, float(tops[n]), bins)
            del value  # of the last tensor, which would be there in the next call
    return Histograms(found, counts, tops / bins)
