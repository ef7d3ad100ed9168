"""FP8 (E4M3) by Q/DQ nodes, from a calibration cache: for GPUs that multiply it (compute capability 8.9 and above)."""

from typing import Literal

from onnx import ModelProto
from pydantic import BaseModel, ConfigDict

from temper.quantization.calibration.cache import CalibrationCache, Ranges
from temper.quantization.insert import FP8, insert_qdq
from temper.quantization.layers import chosen, layers
from temper.transforms.graph.attention import Attention, find_attention, rewrite_attention
from temper.transforms.graph.probe import Answers

NEEDS_CALIBRATION = True
LIBRARIES = ("onnx", "onnxruntime")

_PROBABILITIES = (0.0, 1.0)  # of a softmax, whatever the data: their scale is 1/448


class Options(BaseModel):
    """Options of a precision row whose step is fp8."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    per_channel: bool  # of weights
    keep_in_float: tuple[str, ...]  # layers
    # its two products: like all others, in float, or with all that stands between them in the form that TensorRT fuses
    attention: Literal["products", "float", "whole"] = "products"


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """A copy whose products read activations and weights that go through FP8, scaled so that each range just fits.

    The format is E4M3 of Micikevicius et al. 2022, 'FP8 Formats for Deep Learning', whose largest value is 448.

    Raises:
        ArtifactError: there is no range for an activation or no such layer; or the file has no attention as products and a
            softmax where `attention` asks for one, or writing it in TensorRT's form changed the answers.
    """
    assert cache is not None  # NEEDS_CALIBRATION: planning refuses a row without one
    kept = {layer.node for layer in chosen(layers(model), options.keep_in_float, "keep_in_float")}
    ranges = cache.ranges
    if options.attention != "products":
        found = find_attention(model, f"fp8 with attention: {options.attention}")
        if options.attention == "float":
            kept |= {product for each in found for product in (each.scores, each.values)}
        else:  # of a block that keeps one of its products in float the rest is quantised as it stands
            ranges = _fusible(model, [each for each in found if not kept & {each.scores, each.values}], ranges)
    return insert_qdq(model, FP8, ranges, per_channel=options.per_channel, kept=kept)


def _fusible(model: ModelProto, found: list[Attention], ranges: Ranges) -> Ranges:
    """Rewrite attentions in place; the ranges of what their products read now."""
    answers = Answers.of(model)
    changed = {each.name: each.factor for each in rewrite_attention(model, found)}
    answers.check(model, "fp8 with attention: whole, before anything is quantised")
    scaled = {
        name: (low * changed.get(name, 1.0), high * changed.get(name, 1.0)) for name, (low, high) in ranges.items()
    }
    products = {node.name: node for node in model.graph.node}
    return scaled | {products[each.values].input[0]: _PROBABILITIES for each in found}
