"""Where two ONNX files part: every tensor that both have, on the same rows, in the order in which it is computed.

Polygraphy runs both and compares them (Comparator); here stands what is made of it: the first tensor beyond a tolerance, the
first that is no number, and how much of what is quantised lies outside its range.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, TensorProto, numpy_helper

from temper.artifacts.onnx_file import read_model
from temper.artifacts.signature import Tensors
from temper.environment.library import Library, import_library
from temper.errors import ArtifactError

POLYGRAPHY = Library("polygraphy", ("polygraphy",), "Polygraphy")
_LARGEST: dict[int, float] = {
    **{TensorProto.INT8: 127.0, TensorProto.UINT8: 255.0},
    **{TensorProto.FLOAT8E4M3FN: 448.0, TensorProto.FLOAT8E5M2: 57344.0},
}
# beyond which a layer counts where nothing is wrong: float files of MiniLM differ by 0.2 % at most, FP8 by 12, INT8 by 46
FLOAT_TOLERANCE, QUANTISED_TOLERANCE = 0.1, 0.5
# a mask's "never look here": the float file has FP32's lowest number, or −10⁹; what has fewer bits has its own lowest, or −∞
_MASKS_BELOW, _MASKED_BELOW = -1e8, -6e4


@dataclass(frozen=True)
class Layer:
    """A tensor that both files compute.

    Attributes:
        name: of the tensor.
        operator: that makes it in the examined file.
        difference: mean absolute difference over the mean magnitude in the reference; infinite where one side has no number.
        finite: whether all values of the examined file are numbers.
        module: whose parameter it is made with, or its reader's; empty where neither has one with a name.
    """

    name: str
    operator: str
    difference: float
    finite: bool
    module: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.operator}{f' of {self.module}' if self.module else ''})"


@dataclass(frozen=True)
class Saturated:
    """What is quantised and lies outside the range that its scale has.

    Attributes:
        name: of the tensor that is quantised.
        share: of its values, 0–1.
        reach: largest magnitude over the largest that the scale can hold.
    """

    name: str
    share: float
    reach: float


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        layers: tensors of both, in the order of the examined file.
        saturated: of quantised ones those with values outside, the largest share first.
        tolerance: a difference beyond which a layer counts.
        rows: that both were given.
        only_here: computed float tensors of the examined file that the reference has not, or in another shape.
    """

    layers: Sequence[Layer]
    saturated: Sequence[Saturated]
    tolerance: float
    rows: int
    only_here: int

    @property
    def first_beyond(self) -> Layer | None:
        """The first layer beyond the tolerance."""
        return next((layer for layer in self.layers if layer.difference > self.tolerance), None)

    @property
    def first_no_number(self) -> Layer | None:
        """The first layer with a value that is no number."""
        return next((layer for layer in self.layers if not layer.finite), None)

    def sentences(self) -> list[str]:
        """What was found, in words."""
        beyond, broken = self.first_beyond, self.first_no_number
        alone = f"{self.only_here} {'is' if self.only_here == 1 else 'are'} not compared, of one file alone"
        said = [f"{len(self.layers)} tensors of both on {self.rows} rows; {alone}."]
        if broken is not None:
            said.append(f"The first that has no number: {broken}.")
        if beyond is None:
            said.append(f"No tensor differs by more than {100 * self.tolerance:g} % of its magnitude.")
        elif beyond is not broken:
            off = "no number in the float file" if math.isinf(beyond.difference) else f"{100 * beyond.difference:.3g} %"
            said.append(f"The first beyond {100 * self.tolerance:g} %: {beyond}, {off}.")
        for each in self.saturated[:3]:
            said.append(
                f"{100 * each.share:.3g} % of {each.name} outside the range of its scale, up to {each.reach:.3g} times as far."
            )
        return said


def _operators(model: ModelProto) -> dict[str, str]:
    """Operator that makes each tensor, in the order in which they are computed."""
    return {name: node.op_type for node in model.graph.node for name in node.output if name}


def _modules(model: ModelProto) -> dict[str, str]:
    """Modules of the checkpoint whose parameters make each tensor, else of those that make what reads it."""
    named = {tensor.name for tensor in model.graph.initializer if "." in tensor.name}
    own, read = dict[str, str](), dict[str, str]()
    for node in model.graph.node:
        parameter = next((name for name in node.input if name in named), None)
        if parameter is None:
            continue
        module = parameter.rpartition(".")[0].removeprefix("network.")
        own |= dict.fromkeys(node.output, module)
        read |= {name: module for name in node.input if name not in read}
    return {**read, **own}


def _session(model: ModelProto, names: Sequence[str]) -> Any:
    """A session of ONNX Runtime that gives these tensors, and fuses nothing."""
    import onnxruntime
    from polygraphy.backend.onnx import bytes_from_onnx, modify_outputs

    settings = onnxruntime.SessionOptions()
    settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    settings.log_severity_level = 4
    with_outputs = modify_outputs(model, outputs=list(names), copy=True)
    return onnxruntime.InferenceSession(bytes_from_onnx(with_outputs), settings, providers=["CPUExecutionProvider"])


def _quantised(model: ModelProto) -> dict[str, tuple[npt.NDArray[Any], int]]:
    """Scale and type of each activation that a QuantizeLinear reads."""
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    found = {}
    for node in model.graph.node:
        if node.op_type != "QuantizeLinear" or node.input[0] in weights or node.input[1] not in weights:
            continue
        zero = weights.get(node.input[2]) if len(node.input) > 2 else None
        kind = TensorProto.UINT8 if zero is None else zero.data_type
        found[node.input[0]] = (numpy_helper.to_array(weights[node.input[1]]), int(kind))
    return found


def diagnose(reference: Path, examined: Path, feed: Tensors, *, tolerance: float | None = None) -> Diagnosis:
    """Run two ONNX files on the same rows and hold every tensor that both compute against each other.

    Args:
        reference: file of the float model.
        examined: file of the other one.
        feed: inputs of both by name, one batch.
        tolerance: of a layer: mean absolute difference over mean magnitude; None for what a sound file keeps to, by whether it
            quantises activations.

    Raises:
        LibraryError: Polygraphy is not installed.
        ArtifactError: a file is no ONNX, takes other inputs, or cannot be run on the CPU layer by layer.
    """
    import_library(POLYGRAPHY, "installed")
    from polygraphy.backend.onnxrt import OnnxrtRunner
    from polygraphy.comparator import Comparator
    from polygraphy.logger import G_LOGGER

    G_LOGGER.module_severity = G_LOGGER.CRITICAL
    models = {"reference": read_model(reference), "examined": read_model(examined)}
    operators = {name: _operators(model) for name, model in models.items()}
    quantised, modules = _quantised(models["examined"]), _modules(models["reference"])
    if tolerance is None:
        tolerance = QUANTISED_TOLERANCE if quantised else FLOAT_TOLERANCE
    shared = [name for name in operators["examined"] if name in operators["reference"]]
    read = [name for name in quantised if name in operators["examined"]]
    wanted = {"reference": shared, "examined": list(dict.fromkeys([*shared, *read]))}
    given = {value.name for value in models["examined"].graph.input}
    if given != {value.name for value in models["reference"].graph.input} or given != set(feed):
        raise _cannot(examined, f"it takes {', '.join(sorted(given))}, and the float file takes others")
    try:
        runners = [OnnxrtRunner(_session(models[name], wanted[name]), name=name) for name in models]
        found = Comparator.run(runners, data_loader=[dict(feed)])
    except Exception as error:  # ONNX Runtime and Polygraphy raise many types
        raise _cannot(examined, f"{type(error).__name__}: {str(error).strip()[:300]}") from error
    own, other = found["examined"][0], found["reference"][0]
    layers, apart = [], 0
    for name in shared:
        here, there = np.asarray(own[name]), np.asarray(other[name])
        if here.dtype.kind != "f" or there.dtype.kind != "f":
            continue
        if here.shape != there.shape:
            apart += 1
            continue
        layers.append(_layer(name, operators["examined"][name], here, there, modules.get(name, "")))
    apart += sum(name not in operators["reference"] for name in operators["examined"])
    return Diagnosis(
        layers,
        _saturated(quantised, {name: np.asarray(own[name]) for name in quantised if name in own}),
        tolerance,
        len(next(iter(feed.values()))),
        apart,
    )


def _layer(name: str, operator: str, here: npt.NDArray[Any], there: npt.NDArray[Any], module: str) -> Layer:
    finite = np.isfinite(here)
    # what is masked on both sides is no difference: its number is no answer
    masked = (here == there) & ~finite | (there <= _MASKS_BELOW) & (here <= _MASKED_BELOW)
    if not (masked | finite & np.isfinite(there)).all():
        return Layer(name, operator, math.inf, bool((finite | masked).all()), module)
    if masked.all():
        return Layer(name, operator, 0.0, True, module)
    size = float(np.abs(there[~masked].astype(np.float64)).mean())
    off = float(np.abs(here[~masked].astype(np.float64) - there[~masked].astype(np.float64)).mean())
    return Layer(name, operator, off / size if size else (math.inf if off else 0.0), True, module)


def _saturated(
    quantised: Mapping[str, tuple[npt.NDArray[Any], int]], values: Mapping[str, npt.NDArray[Any]]
) -> list[Saturated]:
    found = []
    for name, array in values.items():
        scale, kind = quantised[name]
        if scale.size != 1 or kind not in _LARGEST or array.dtype.kind != "f":
            continue
        reach = np.abs(array.astype(np.float64)) / (float(scale.reshape(-1)[0]) * _LARGEST[kind])
        outside = float((reach > 1.004).mean())  # half a step of INT8 is rounding
        if outside:
            found.append(Saturated(name, outside, float(reach.max())))
    return sorted(found, key=lambda each: -each.share)


def _cannot(file: Path, happened: str) -> ArtifactError:
    return ArtifactError(
        asked=f"compare the layers of {file} with those of the float file",
        happened=happened,
        affected="nothing: nothing was written",
        fix="name an ONNX entry that takes the exported file's inputs and that ONNX Runtime runs on the CPU",
    )
