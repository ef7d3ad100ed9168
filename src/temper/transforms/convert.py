"""ONNX file in, ONNX file out; the precision is a file of this folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from google.protobuf.message import EncodeError
from onnx import ModelProto, NodeProto

from temper.artifacts.manifest import read_manifest, sha256
from temper.artifacts.onnx_file import MANIFEST, load, write_onnx_artifact
from temper.artifacts.signature import read_signature
from temper.environment import plugins
from temper.errors import ArtifactError, PipelineError
from temper.quantization.calibration.cache import CACHE_FILE, read_cache
from temper.quantization.record import SEARCH_FILE, read_search


def _computes(node: NodeProto) -> tuple[object, ...]:
    """What a node computes, out of what: not its name, nor what is written about it."""
    attributes = sorted(attribute.SerializeToString(deterministic=True) for attribute in node.attribute)
    return node.op_type, node.domain, tuple(node.input), tuple(node.output), tuple(attributes)


def _same(one: ModelProto, other: ModelProto) -> bool:
    """Whether two files hold the same nodes, in whatever order, and the same weights."""
    nodes = [sorted(map(_computes, each.graph.node)) for each in (one, other)]
    weights = [each.graph.initializer for each in (one, other)]
    return (
        nodes[0] == nodes[1]
        and len(weights[0]) == len(weights[1])
        and all(own == their for own, their in zip(*weights, strict=True))
    )


def convert_precision(
    *,
    onnx_folder: str,
    calibration_folder: str | None,
    search_folder: str | None,
    folder: str,
    step: str,
    options: Mapping[str, Any],
    external_data: bool,
) -> None:
    """Apply one step to an ONNX artifact. Steps chain: the result is an ONNX artifact again.

    Args:
        onnx_folder: the artifact it starts from.
        calibration_folder: the cache a static step reads; None for the others.
        search_folder: the search that chose layers to keep in float, beside those that `options` names; None for no such.
        folder: where the result goes.
        step: file name in temper/transforms/.
        options: of that step.
        external_data: weights beside the graph.

    Raises:
        ArtifactError: an input is not what its manifest says, or the step cannot be applied to this model or changes
            nothing in it.
    """
    source = Path(onnx_folder)
    read_manifest(source / MANIFEST, kind="onnx")
    signature = read_signature(source / "signature.json")
    inputs = {"model.onnx": sha256(source / "model.onnx")}
    cache = None
    if calibration_folder is not None:
        cache = read_cache(calibration_folder)
        inputs[CACHE_FILE] = sha256(Path(calibration_folder) / CACHE_FILE)
    options = dict(options)
    if search_folder is not None:
        found = read_search(search_folder)
        options["keep_in_float"] = sorted({*options["keep_in_float"], *found["keep_in_float"]})
        inputs[SEARCH_FILE] = sha256(Path(search_folder) / SEARCH_FILE)
    module = plugins.load("steps", step)
    try:
        chosen = module.Options.model_validate(options)
        if hasattr(module, "signature_after"):  # a step that takes other inputs than the file it starts from
            signature = module.signature_after(signature, chosen)
        converted = module.convert(load(source), cache, chosen)
        unchanged = _same(converted, load(source))
    except PipelineError:
        raise
    except EncodeError:
        raise ArtifactError(
            asked=f"apply {step} to {source / 'model.onnx'}",
            happened="the library behind this step passes models on in one protobuf message, which holds 2 GiB",
            affected="this ONNX file and what is made from it; nothing was written",
            fix="drop the row from params.yaml, and what loads it",
        ) from None
    except Exception as error:  # the libraries behind the steps raise many types
        raise ArtifactError(
            asked=f"apply {step} to {source / 'model.onnx'}",
            happened=f"{type(error).__name__}: {str(error).strip()[:400]}",
            affected="this ONNX file and what is made from it; nothing was written",
            fix="try another opset in `exports:`, or drop the row from params.yaml",
        ) from error
    if unchanged:
        raise ArtifactError(
            asked=f"apply {step} to {source / 'model.onnx'}",
            happened="it changes nothing in this file",
            affected="this ONNX file and what is made from it; nothing was written",
            fix="start the row from what it changes (a precision: from FP32), or drop it; it would be timed against itself",
        )
    write_onnx_artifact(
        converted,
        folder=folder,
        source_folder=source,
        signature=signature,
        external_data=external_data,
        facts={"made_by": {"step": step, "options": options}},
        inputs=inputs,
        libraries=module.LIBRARIES,
    )
