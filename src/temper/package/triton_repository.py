"""A package as a model of Triton Inference Server by its Python backend, with its configuration."""

import io
import shutil
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from temper.package.runtime.answers import outputs_of

MODEL = Path(__file__).with_name("triton_model.py")
VERSION = "1"
WARM_FOLDER, WARM_ROW = "warmup", "row"  # Triton's folder for the data of model_warmup, and a file of ours in it
_OUTPUT_TYPES = {"BYTES": "TYPE_STRING", "FP32": "TYPE_FP32", "BOOL": "TYPE_BOOL"}


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


def output(name: str, data_type: str, dims: Sequence[int], **more: Any) -> dict[str, Any]:
    """A tensor in a model configuration."""
    return {"name": name, "data_type": Word(data_type), "dims": list(dims), **more}


def _texts_config(name: str, facts: Mapping[str, Any], is_text: bool, columns: int) -> dict[str, Any]:
    tensor = "TEXT" if is_text else "IMAGE"
    warm = {"data_type": Word("TYPE_STRING"), "dims": [columns], "input_data_file": WARM_ROW}
    own = batching(facts)
    return {
        "name": name,
        "backend": "python",
        **own,
        "input": output(tensor, "TYPE_STRING", [columns]),
        "output": [
            output(
                each.name,
                _OUTPUT_TYPES[each.datatype],
                [each.width],
                **({"label_filename": "labels.txt"} if each.name == "CONFIDENCES" else {}),
            )
            for each in outputs_of(facts.get("answers"), facts["labels"])
        ],
        "instance_group": {"kind": Word(_kind(facts)), "count": 1},  # as it was measured: one call at a time
        "model_warmup": [
            {"name": f"rows-{size}", "batch_size": size, "inputs": {"key": tensor, "value": warm}}
            for size in dict.fromkeys([1, own["max_batch_size"]])
        ],
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
