"""ONNX files on disk: loaded and saved one way, with nothing of this machine in them, and a list of what they hold."""

from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
from onnx import GraphProto, ModelProto, TensorProto

from temper.artifacts.census import census_of_model
from temper.artifacts.manifest import copy_files, staged_folder, write_manifest, write_text
from temper.artifacts.signature import PREPROCESSOR_FILES, Signature
from temper.environment.machine import versions
from temper.errors import ArtifactError

MODEL_FILE, DATA_FILE, MANIFEST = "model.onnx", "model.onnx.data", "onnx.json"
PROTOBUF_LIMIT_BYTES = 2 * 1024**3 - 1
_INSIDE_BYTES = PROTOBUF_LIMIT_BYTES - 64 * 2**20  # of weights, with a graph around them
QUANTIZABLE = ("MatMul", "Gemm", "Conv")


def load(folder: str | Path) -> ModelProto:
    """The model of an ONNX artifact's folder, weights included.

    Raises:
        ArtifactError: it is absent, or no ONNX.
    """
    return read_model(Path(folder) / MODEL_FILE)


def read_model(file: str | Path) -> ModelProto:
    """The model of an ONNX file, weights included: those that stand beside it in its folder, and nowhere else.

    Raises:
        ArtifactError: it is absent, no ordinary file, or no ONNX.
    """
    path = Path(file)
    try:
        if not path.is_file():
            raise FileNotFoundError(f"there is no such file, or it is no ordinary one: {path}")
        return onnx.load(str(path))
    except Exception as error:  # the file system's errors, protobuf's, and those of weights that lie elsewhere
        raise ArtifactError(
            asked=f"load {path}",
            happened=f"{type(error).__name__}: {str(error).strip()[:400]}",
            affected="what is made or said of this file; nothing was written",
            fix="temper sync: puts the file back, or moves it out of the way for the next run to make anew",
        ) from None


def weight_bytes(model: ModelProto) -> int:
    """Bytes of a model's weights; protobuf's own ByteSize raises where they do not go into one message."""
    return sum(len(tensor.raw_data) for tensor in model.graph.initializer)


def open_session(model: ModelProto, threads: int, level: str) -> Any:
    """A session of ONNX Runtime on the CPU, also for a model above protobuf's 2 GB.

    Args:
        threads: of its own pool.
        level: of graph optimisation, a member of GraphOptimizationLevel.
    """
    import tempfile

    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = threads, 1
    settings.log_severity_level = 3
    settings.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
    if weight_bytes(model) < _INSIDE_BYTES:
        return onnxruntime.InferenceSession(model.SerializeToString(), settings, providers=["CPUExecutionProvider"])
    with tempfile.TemporaryDirectory() as scratch:
        onnx.save(model, str(Path(scratch) / "model.onnx"), save_as_external_data=True, location="model.onnx.data")
        return onnxruntime.InferenceSession(
            str(Path(scratch) / "model.onnx"), settings, providers=["CPUExecutionProvider"]
        )


def strip_provenance(model: ModelProto) -> None:
    """Remove what depends on the folder or goes stale: stack traces, exporter notes, inferred shapes."""

    def strip(graph: GraphProto) -> None:
        del graph.value_info[:]
        del graph.metadata_props[:]
        graph.doc_string = ""
        for entry in (*graph.node, *graph.input, *graph.output, *graph.initializer):
            del entry.metadata_props[:]
            entry.doc_string = ""
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.HasField("g"):
                    strip(attribute.g)
                for inner in attribute.graphs:
                    strip(inner)

    strip(model.graph)
    model.doc_string = ""
    del model.metadata_props[:]
    for function in model.functions:
        del function.value_info[:]
        del function.metadata_props[:]
        for node in function.node:
            del node.metadata_props[:]
            node.doc_string = ""


def contents(model: ModelProto) -> dict[str, Any]:
    """What the file holds: opset, operators, weights by dtype, and how many of its products are quantised."""
    operators = Counter(node.op_type for node in model.graph.node)
    counted = census_of_model(model)
    weights: Counter[str] = Counter()
    for tensor in model.graph.initializer:
        elements = 1
        for size in tensor.dims:
            elements *= size
        weights[TensorProto.DataType.Name(tensor.data_type)] += elements
    return {
        "opset": next(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")),
        "operators": dict(sorted(operators.items())),
        "weight_elements_by_dtype": dict(sorted(weights.items())),
        "products": counted.total,
        "products_quantized": counted.quantized,
    }


def write_onnx_artifact(
    model: ModelProto,
    *,
    folder: str | Path,
    source_folder: str | Path,
    signature: Signature,
    external_data: bool,
    facts: Mapping[str, Any],
    check: Callable[[Path], Any] | None = None,
    inputs: Mapping[str, str],
    libraries: tuple[str, ...],
) -> None:
    """Write an ONNX artifact's folder: model.onnx, its weights beside it where asked, signature, preprocessor, manifest.

    Args:
        model: the model with its weights; stripped of this machine's traces here.
        folder: where it goes.
        source_folder: the artifact it was made from; the preprocessor is copied from there.
        signature: the model's inputs and labels: signature.json, and in the file's own metadata.
        external_data: weights in model.onnx.data instead of in the graph's file.
        facts: for the manifest.
        check: called with the path of the written model before it takes its place; what it returns is kept in the
            manifest as `largest_logit_difference`, what it raises keeps the file from being written.
        inputs: name to SHA-256 of what it was made from.
        libraries: distributions whose versions the manifest keeps.

    Raises:
        ArtifactError: the file would pass protobuf's 2 GB and external data was not asked for, or the model is no valid
            ONNX (ONNX Runtime runs some that others refuse).
    """
    strip_provenance(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = "temper.signature", signature.model_dump_json(exclude_none=True)
    model.producer_name, model.producer_version = "temper", ""
    weights = weight_bytes(model)
    if weights >= PROTOBUF_LIMIT_BYTES and not external_data:
        raise ArtifactError(
            asked=f"write {Path(folder) / MODEL_FILE}",
            happened=f"its weights take {weights / 1024**3:.1f} GiB, and one protobuf file holds 2 GiB",
            affected="this ONNX file; nothing was written",
            fix="set onnx_external_data: true in params.yaml",
        )
    with staged_folder(folder) as scratch:
        options: dict[str, Any] = {}
        if external_data:
            options = {"save_as_external_data": True, "location": DATA_FILE, "size_threshold": 1024}
        onnx.save(model, str(scratch / MODEL_FILE), **options)
        if external_data and not (scratch / DATA_FILE).exists():
            (scratch / DATA_FILE).touch()  # every weight is under the threshold
        try:
            onnx.checker.check_model(str(scratch / MODEL_FILE), full_check=True)
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ArtifactError(
                asked=f"write {Path(folder) / MODEL_FILE}",
                happened=f"it would be no valid ONNX: {str(error).strip()[:400]}",
                affected="this ONNX file and what is made from it; nothing was written",
                fix="try another opset in `exports:`, let the precision start from another row, or drop it from params.yaml",
            ) from None
        copy_files(PREPROCESSOR_FILES[signature.task], source_folder, scratch)
        write_text(scratch / "signature.json", signature.as_json())
        checked = {} if check is None else {"largest_logit_difference": check(scratch / MODEL_FILE)}
        write_manifest(
            scratch / MANIFEST,
            kind="onnx",
            facts={
                **facts,
                **checked,
                "census": contents(onnx.load(str(scratch / MODEL_FILE))),
                "versions": versions(*libraries),
            },
            inputs=inputs,
        )
