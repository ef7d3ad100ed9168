"""Checkpoint in, FP32 ONNX file out, its parity with PyTorch checked on validation rows."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from temper.artifacts.manifest import read_manifest, sha256
from temper.artifacts.onnx_file import write_onnx_artifact
from temper.artifacts.signature import Signature, Tensors, read_signature
from temper.data.encoded import Split, check_split, collate, read_split
from temper.errors import ArtifactError, ParityError
from temper.training.model import load_checkpoint

LIBRARIES = ("torch", "transformers", "onnx", "onnxscript")
PARITY_BATCH_SIZES = (1, 3, 8)  # one row alone, and several padded to the longest
PARITY_BATCHES = 8  # of each size


def _wrapped(network: Any, names: list[str]) -> Any:
    """The network with positional inputs and the logits as its only output."""
    import torch

    class Logits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, *tensors: Any) -> Any:
            return self.network(**dict(zip(names, tensors, strict=True))).logits

    return Logits().eval()


def _export(network: Any, example: Tensors, signature: Signature, opset: int) -> Any:
    import torch

    names = [spec.name for spec in signature.inputs]
    shapes = tuple(
        {index: axis for index, axis in enumerate(spec.axes) if isinstance(axis, str)} for spec in signature.inputs
    )
    try:
        program = torch.onnx.export(
            _wrapped(network, names),
            tuple(torch.from_numpy(example[name]) for name in names),
            dynamo=True,
            opset_version=opset,
            dynamic_shapes={"tensors": shapes},
            input_names=names,
            output_names=["logits"],
            verbose=False,
        )
    except Exception as error:  # the exporter raises many types
        raise ArtifactError(
            asked=f"export the checkpoint to ONNX at opset {opset}",
            happened=f"{type(error).__name__}: {str(error).strip()[:600]}",
            spoiled="this ONNX file and what is made from it; nothing was written",
            fix="try another opset in `exports:`; the full report is in the rule's log",
        ) from None
    assert program is not None
    return program.model_proto


def _parity_batches(split: Split, signature: Signature) -> list[Tensors]:
    batches: list[Tensors] = []
    start = 0
    for size in PARITY_BATCH_SIZES:
        for _ in range(PARITY_BATCHES):
            rows = np.arange(start, start + size) % len(split.labels)
            batches.append(collate(split, rows, signature, sequence_length=None))
            start += size
    return batches


def _largest_difference(network: Any, model: Any, batches: list[Tensors]) -> float:
    """Largest absolute difference between the logits of PyTorch and of ONNX Runtime (CPU, no graph optimisation)."""
    import onnxruntime as ort
    import torch

    settings = ort.SessionOptions()
    settings.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(model, settings, providers=["CPUExecutionProvider"])
    largest = 0.0
    with torch.inference_mode():
        for batch in batches:
            expected = network(**{name: torch.from_numpy(array) for name, array in batch.items()}).logits.numpy()
            (answered,) = session.run(["logits"], dict(batch))
            largest = max(largest, float(np.abs(answered - expected).max()))
    return largest


def export_onnx(
    *, checkpoint_folder: str, data_folder: str, folder: str, row: Mapping[str, Any], external_data: bool
) -> None:
    """Export with dynamic batch and length, and check parity before the file takes its place.

    Args:
        checkpoint_folder: the checkpoint.
        data_folder: prepared data; its validation rows are the parity check's inputs.
        folder: where the ONNX artifact goes.
        row: `opset` and `max_logit_difference` (absolute, in logits).
        external_data: weights beside the graph.

    Raises:
        ArtifactError: the exporter refused the model.
        ParityError: ONNX Runtime's logits differ from PyTorch's by more than the row allows.
    """
    checkpoint, data = Path(checkpoint_folder), Path(data_folder)
    read_manifest(checkpoint / "checkpoint.json", kind="checkpoint")
    check_split(data, "validation")
    signature = read_signature(checkpoint / "signature.json")
    split = read_split(data / "validation.parquet", signature)
    network = load_checkpoint(checkpoint, signature.task)
    batches = _parity_batches(split, signature)
    model = _export(network, batches[-1], signature, row["opset"])

    def check(path: Path) -> float:
        difference = _largest_difference(network, str(path), batches)
        if not difference <= row["max_logit_difference"]:  # NaN fails too
            raise ParityError(
                asked=f"export the checkpoint to ONNX at opset {row['opset']} with logits equal to PyTorch's within "
                f"{row['max_logit_difference']:g}",
                happened=f"the largest difference on {len(batches)} validation batches is {difference:.3g}",
                spoiled="this ONNX file and what is made from it; nothing was written",
                fix="try another opset in `exports:`, or raise max_logit_difference if that much is acceptable",
            )
        return difference

    write_onnx_artifact(
        model,
        folder=folder,
        source_folder=checkpoint,
        signature=signature,
        external_data=external_data,
        facts={"made_by": {"export": dict(row)}},
        check=check,
        inputs={"checkpoint": sha256(checkpoint / "checkpoint.json")},
        libraries=LIBRARIES,
    )
