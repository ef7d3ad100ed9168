"""GELU by its tanh approximation (Hendrycks & Gimpel 2016, arXiv:1606.08415, section 2) in place of the error function.

A graph step that changes answers, a little: GPUs have an instruction for tanh and none for erf, and where a runtime
computes GELU behind the matrix product that feeds it, erf can cost as much as the product. What it does to the labels is
measured, as for a precision.
"""

from onnx import ModelProto, helper
from pydantic import BaseModel, ConfigDict, PositiveFloat

from temper.quantization.calibration.cache import CalibrationCache
from temper.transforms.graph.probe import Answers, attribute
from temper.transforms.graph.refused import refused

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime")


class Options(BaseModel):
    """Options of a precision row whose step is gelu_tanh."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    max_logit_difference: PositiveFloat  # largest difference on made-up inputs that is still taken


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """The model with approximate="tanh" at every Gelu.

    Raises:
        ArtifactError: no Gelu is computed exactly, or a logit moved by more than the option allows.
    """
    answers = Answers.of(model)
    exact = [
        node
        for node in model.graph.node
        if node.op_type == "Gelu" and attribute(node, "approximate", b"none") in (b"none", "none")
    ]
    if not exact:
        raise refused(
            "gelu_tanh",
            "no Gelu of this file is computed by the error function (below opset 20 exporters write it in parts)",
            "drop the row from params.yaml, or start it from an export of opset 20 or newer",
        )
    for node in exact:
        del node.attribute[:]
        node.attribute.append(helper.make_attribute("approximate", "tanh"))
    answers.check(model, "gelu_tanh", allowed=options.max_logit_difference)
    return model
