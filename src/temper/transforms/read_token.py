"""The last layer computes only the token that the classifier reads; keys and values are still those of all tokens.

A graph step: the precision stays, and so do the answers.
"""

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper
from pydantic import BaseModel, ConfigDict

from temper.errors import ArtifactError
from temper.quantization.calibration.cache import CalibrationCache
from temper.transforms.graph.probe import Answers, observed_shapes
from temper.transforms.graph.refused import refused
from temper.transforms.graph.token_cut import TokenCut, cut_tokens, insert_behind

NEEDS_CALIBRATION = False
LIBRARIES = ("onnx", "onnxruntime")

TOKEN, FIRST = "read_token", "read_token_first"


class Options(BaseModel):
    """Options of a precision row whose step is read_token."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _refused(happened: str) -> ArtifactError:
    return refused(
        "read_token: compute only the token that the classifier reads",
        happened,
        "drop the row from params.yaml, or where a recipe brought it say `openvino-int8-fast: null` in candidates: it is for "
        "models whose classifier reads the token of one fixed place, as BERT's does",
    )


def convert(model: ModelProto, cache: CalibrationCache | None, options: Options) -> ModelProto:
    """The model with the choice of the token moved as far up as all readers of a tensor want that token alone.

    Raises:
        ArtifactError: no fixed token is read, nothing could be left out, or the answers changed.
    """
    answers = Answers.of(model)
    cut = cut_tokens(model, observed_shapes(model), TOKEN, across_attention=True, refused=_refused)
    if cut.classifier.input[0] in cut.wanted:
        raise _refused("nothing above the classifier could be left out")
    _insert(model, cut)
    answers.check(model, TOKEN)
    return model


def _insert(model: ModelProto, cut: TokenCut) -> None:
    """Put a Gather of one place behind each tensor that is still made whole."""
    graph = model.graph
    graph.initializer.append(numpy_helper.from_array(np.asarray([cut.place], np.int64), TOKEN))
    graph.initializer.append(numpy_helper.from_array(np.asarray(0, np.int64), FIRST))
    cut.classifier.input[1] = FIRST
    behind: dict[str, list[NodeProto]] = {}
    for name, axes in cut.wanted.items():
        for axis, places in axes.items():
            made = f"{name}_{TOKEN}_{axis}"
            behind.setdefault(name, []).append(helper.make_node("Gather", [name, TOKEN], [made], name=made, axis=axis))
            for node, position in places:
                node.input[position] = made
    insert_behind(model, behind)
