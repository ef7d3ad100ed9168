"""A Triton model repository: one model for texts or images by the package itself, one plain model for tensors."""

import io
import shutil
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from temper.artifacts.signature import SEQUENCE_AXIS
from temper.package.contents import Source

WRITTEN_FOR = "Triton Inference Server: `tritonserver --model-repository` with the folder of both models"
MODEL = Path(__file__).parents[1] / "triton_model.py"
VERSION = "1"
PLAIN = ("openvino", "onnxruntime")  # runners whose files a backend of Triton reads
WARM_FOLDER, WARM_ROW = "warmup", "row"  # Triton's folder for the data of model_warmup, and a file of ours in it
_DATA_TYPES = {"int64": "TYPE_INT64", "int32": "TYPE_INT32", "float32": "TYPE_FP32"}


class Word(str):
    """A name of an enumeration, which stands without quotes."""


def as_pbtxt(content: Mapping[str, Any], indent: str = "") -> str:
    """Protocol-buffer text of nested fields; a list repeats its field."""
    lines = []
    for key, value in content.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if isinstance(one, Mapping):
                lines.append(f"{indent}{key} {{\n{as_pbtxt(one, indent + '  ')}{indent}}}\n")
            elif isinstance(one, bool):
                lines.append(f"{indent}{key}: {str(one).lower()}\n")
            elif isinstance(one, Word) or not isinstance(one, str):
                lines.append(f"{indent}{key}: {one}\n")
            else:
                text = one.encode("unicode_escape").decode().replace('"', '\\"')
                lines.append(f'{indent}{key}: "{text}"\n')
    return "".join(lines)


def _timed(facts: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [own for own in facts["measured"]["workloads"].values() if own["status"] == "measured"]


def batching(facts: Mapping[str, Any]) -> dict[str, Any]:
    """max_batch_size and dynamic_batching out of what was measured.

    Preferred sizes are the batch sizes that were timed. A row waits at most as long as the shortest measured call takes: by
    then it would have been answered alone.

    Returns:
        Fields of a model configuration.
    """
    timed = _timed(facts)
    sizes = sorted({own["batch_size"] for own in timed} | {facts["calls"]["batch_size"]})
    shortest_ms = min((own["latency_p50_ms"] for own in timed), default=1.0)
    return {
        "max_batch_size": sizes[-1],
        "dynamic_batching": {
            "preferred_batch_size": [size for size in sizes if size > 1] or sizes,
            "max_queue_delay_microseconds": max(1, round(1000 * shortest_ms)),
        },
    }


def _kind(facts: Mapping[str, Any]) -> str:
    """Where an instance stands: beside a GPU where the candidate ran on one."""
    runner = facts["runner"]
    on_gpu = runner["name"] == "tensorrt_rtx" or runner["options"].get("device") == "cuda"
    return "KIND_GPU" if on_gpu else "KIND_CPU"


def _output(name: str, data_type: str, dims: Sequence[int], **more: Any) -> dict[str, Any]:
    return {"name": name, "data_type": Word(data_type), "dims": list(dims), **more}


def _texts_config(name: str, facts: Mapping[str, Any], is_text: bool, columns: int) -> dict[str, Any]:
    tensor = "TEXT" if is_text else "IMAGE"
    warm = {"data_type": Word("TYPE_STRING"), "dims": [columns], "input_data_file": WARM_ROW}
    own = batching(facts)
    return {
        "name": name,
        "backend": "python",
        **own,
        "input": _output(tensor, "TYPE_STRING", [columns]),
        "output": [
            _output("LABEL", "TYPE_STRING", [1]),
            _output("CONFIDENCE", "TYPE_FP32", [1]),
            _output("CONFIDENCES", "TYPE_FP32", [len(facts["labels"])], label_filename="labels.txt"),
        ],
        "instance_group": {"kind": Word(_kind(facts)), "count": 1},  # as it was measured: one call at a time
        "model_warmup": [
            {"name": f"rows-{size}", "batch_size": size, "inputs": {"key": tensor, "value": warm}}
            for size in dict.fromkeys([1, own["max_batch_size"]])
        ],
    }


def _tensors_config(name: str, source: Source, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The plain model on Triton's own backend for its runtime.

    Packed rows and the batch are two axes of their own there, so that Triton cannot form batches of them.
    """
    signature, options = source.signature, facts["runner"]["options"]
    packed = signature.row_tokens is not None
    first = 0 if packed else 1
    inputs = [
        _output(
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
    logits = _output("logits", "TYPE_FP32", [-1, labels] if packed else [labels], label_filename="labels.txt")
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


def _warm_row(texts_per_row: int) -> bytes:
    """A row for model_warmup as Triton reads BYTES: each element with its length in front; of an image where no texts are."""
    if texts_per_row:
        elements = [b"a sentence of some words"] * texts_per_row
    else:
        from PIL import Image

        picture = io.BytesIO()
        Image.new("RGB", (32, 32)).save(picture, format="PNG")
        elements = [picture.getvalue()]
    return b"".join(struct.pack("<I", len(own)) + own for own in elements)


def write_texts_model(folder: Path, package: Path, facts: Mapping[str, Any], texts_per_row: int) -> None:
    """The model for texts or images by the Python backend, around a package that moves into it.

    Args:
        folder: of the model, made.
        package: its folder.
        facts: of its manifest.
        texts_per_row: 1, 2 for pairs, 0 for images.
    """
    (folder / VERSION).mkdir(parents=True)
    (folder / "labels.txt").write_text("".join(f"{name}\n" for name in facts["labels"]), "utf-8")
    shutil.copyfile(MODEL, folder / VERSION / "model.py")
    (folder / WARM_FOLDER).mkdir()
    (folder / WARM_FOLDER / WARM_ROW).write_bytes(_warm_row(texts_per_row))
    config = _texts_config(folder.name, facts, bool(texts_per_row), max(1, texts_per_row))
    (folder / "config.pbtxt").write_text(as_pbtxt(config), "utf-8")
    package.rename(folder / VERSION / "package")


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
