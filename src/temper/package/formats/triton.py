"""A Triton model repository: one model for texts or images by the package itself, one plain model for tensors."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from temper.artifacts.signature import SEQUENCE_AXIS
from temper.package.contents import Source
from temper.package.triton_repository import VERSION, Word, as_pbtxt, batching, output, write_texts_model

WRITTEN_FOR = "Triton Inference Server: `tritonserver --model-repository` with the folder of both models"
PLAIN = ("openvino", "onnxruntime")  # runners whose files a backend of Triton reads
_DATA_TYPES = {"int64": "TYPE_INT64", "int32": "TYPE_INT32", "float32": "TYPE_FP32"}


def _tensors_config(name: str, source: Source, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The plain model on Triton's own backend for its runtime.

    Packed rows and the batch are two axes of their own there, so that Triton cannot form batches of them.
    """
    signature, options = source.signature, facts["runner"]["options"]
    packed = signature.row_tokens is not None
    first = 0 if packed else 1
    inputs = [
        output(
            spec.name,
            _DATA_TYPES[spec.dtype],
            [size if isinstance(size, int) else -1 for size in spec.axes[first:]],
            **({"allow_ragged_batch": False} if SEQUENCE_AXIS in spec.axes else {}),
        )
        for spec in signature.inputs
    ]
    labels = len(facts["labels"])
    warm = [
        {
            "key": spec["name"],
            "value": {
                "data_type": spec["data_type"],
                "dims": [size if size > 0 else 8 for size in spec["dims"]],
                "zero_data": True,
            },
        }
        for spec in inputs
    ]
    logits = output("logits", "TYPE_FP32", [-1, labels] if packed else [labels], label_filename="labels.txt")
    if facts["runner"]["name"] == "openvino":
        runs = {"backend": "openvino", "default_model_filename": "model.onnx"}
        parameters = {
            "INFERENCE_NUM_THREADS": options["threads"],
            "INFERENCE_PRECISION_HINT": options["inference_precision"],
            "NUM_STREAMS": 1,
            "PERFORMANCE_HINT": "LATENCY",
        }
    else:
        runs = {"platform": "onnxruntime_onnx"}
        parameters = {"intra_op_thread_count": options["intra_op_threads"]}
    return {
        "name": name,
        **runs,
        **({"max_batch_size": 0} if packed else batching(facts)),
        "input": inputs,
        "output": logits,
        "instance_group": {"kind": Word("KIND_CPU"), "count": 1},
        "model_warmup": {"name": "one-call", "batch_size": 0 if packed else 1, "inputs": warm},
        "parameters": [{"key": key, "value": {"string_value": str(value)}} for key, value in parameters.items()],
    }


def lay_out(source: Source, facts: dict[str, Any], base: Path, target: Path) -> list[str]:
    """The repository: <study>/ by the Python backend; <study>-tensors/ plain, where Triton has a backend for the file."""
    name = facts["study"]["name"]
    if facts["runner"]["name"] in PLAIN:
        tensors = target / f"{name}-tensors"
        (tensors / VERSION).mkdir(parents=True)
        shutil.copyfile(base / "labels.txt", tensors / "labels.txt")
        for file in sorted((base / "model").glob("model.onnx*")):
            shutil.copyfile(file, tensors / VERSION / file.name)
        (tensors / "config.pbtxt").write_text(as_pbtxt(_tensors_config(tensors.name, source, facts)), "utf-8")
    write_texts_model(target / name, base, facts, source.texts_per_row)
    own = batching(facts)["dynamic_batching"]
    return [
        f"batches:   sizes {', '.join(map(str, own['preferred_batch_size']))} preferred, a delay of at most "
        f"{own['max_queue_delay_microseconds']:,} µs: from what was measured",
        f"next:      {name}/{VERSION}/package/requirements.txt into Triton's Python, with numpy<2 where Triton is of 2024; then "
        "tritonserver --model-repository with that folder",
    ]
