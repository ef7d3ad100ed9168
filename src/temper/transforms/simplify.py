"""Graph simplification by OnnxSlim: constants are folded, shapes computed ahead, what does nothing is taken out.

A graph step: the precision stays, and so do the answers. How much is left to simplify depends on the exporter; what it is
worth is measured on a candidate beside one that loads the file before.
"""

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict

from temper.environment.library import Library, import_library
from temper.quantization.calibration.cache import CalibrationCache
from temper.transforms.graph.probe import Answers
from temper.transforms.graph.refused import refused

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime", "onnxslim")
ONNXSLIM = Library("onnxslim", ("onnxslim",), "OnnxSlim")


class Options(BaseModel):
    """Options of a precision row whose step is simplify."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _facts(model: ModelProto) -> tuple[int, int]:
    """Nodes and constants, by which a simplified graph is told from the one before."""
    return len(model.graph.node), len(model.graph.initializer)


def _interface(model: ModelProto) -> list[tuple[str, str]]:
    """Names, types and sizes of inputs and outputs: the signature promises them."""
    return [(value.name, str(value.type)) for value in (*model.graph.input, *model.graph.output)]


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """The model with fewer nodes, the same inputs and outputs, and the same answers.

    Raises:
        LibraryError: onnxslim is not installed.
        ArtifactError: nothing was left to simplify, the inputs or outputs changed, or the answers did.
    """
    onnxslim = import_library(ONNXSLIM, "installed")
    answers, interface, before = Answers.of(model), _interface(model), _facts(model)
    simplified: ModelProto = onnxslim.slim(model)
    after = _facts(simplified)
    if after[0] >= before[0]:
        raise refused(
            "simplify",
            f"OnnxSlim left {after[0]} nodes of {before[0]}: there is nothing in this graph that it takes out",
            "drop the row from params.yaml, and what loads it: it would be timed against itself",
        )
    if _interface(simplified) != interface:
        raise refused(
            "simplify",
            f"the inputs and outputs became {_interface(simplified)}",
            "drop the row from params.yaml: this model cannot be simplified by this version of OnnxSlim",
        )
    answers.check(simplified, "simplify")
    print(f"simplify: {before[0]} nodes became {after[0]}, {before[1]} constants {after[1]}")
    return simplified
