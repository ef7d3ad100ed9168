"""Graph simplification by Polygraphy's `surgeon sanitize`: constants are folded, what nobody reads is taken out.

A graph step: the precision stays, and so do the answers. It stands beside `simplify`, which rewrites patterns as well.
"""

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict

from temper.environment.library import Library, import_library
from temper.quantization.calibration.cache import CalibrationCache
from temper.transforms.graph.probe import Answers
from temper.transforms.graph.refused import refused

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime", "polygraphy", "onnx-graphsurgeon")
POLYGRAPHY = Library("polygraphy", ("polygraphy",), "Polygraphy")
GRAPH_SURGEON = Library("onnx_graphsurgeon", ("onnx-graphsurgeon",), "ONNX GraphSurgeon")


class Options(BaseModel):
    """Options of a precision row whose step is sanitize."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """The model with fewer nodes, the same inputs and outputs, and the same answers.

    Raises:
        LibraryError: Polygraphy or ONNX GraphSurgeon is not installed.
        ArtifactError: nothing was left to take out, or the answers changed.
    """
    import_library(POLYGRAPHY, "installed")
    surgeon = import_library(GRAPH_SURGEON, "installed")
    from polygraphy.backend.onnx import fold_constants
    from polygraphy.logger import G_LOGGER

    G_LOGGER.module_severity = G_LOGGER.ERROR
    answers, before = Answers.of(model), len(model.graph.node)
    graph = surgeon.import_onnx(fold_constants(model, copy=True, error_ok=False))
    sanitized: ModelProto = surgeon.export_onnx(graph.cleanup().toposort())
    after = len(sanitized.graph.node)
    if after >= before:
        raise refused(
            "sanitize",
            f"Polygraphy left {after} nodes of {before}: there is nothing in this graph that it takes out",
            "drop the row from params.yaml, and what loads it: it would be timed against itself",
        )
    answers.check(sanitized, "sanitize")
    print(f"sanitize: {before} nodes became {after}")
    return sanitized
