"""Checkpoint in, FP32 ONNX file out, its parity with PyTorch checked on validation rows."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from temper.artifacts.manifest import read_manifest, sha256
from temper.artifacts.onnx_file import write_onnx_artifact
from temper.artifacts.signature import Signature, Tensors, read_signature
from temper.data.encoded import Split, check_split, collate, read_split
from temper.errors import ArtifactError, ParityError
from temper.export.rotary import repeat_tables
from temper.training.model import load_checkpoint

LIBRARIES = ("torch", "transformers", "onnx", "onnxscript")
PARITY_BATCH_SIZES = (1, 3, 8)  # one row alone, and several padded to the longest
PARITY_BATCHES = 8  # of each size
_EAGER = "eager"  # written out in products and a softmax: what every exporter knows
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_CAUSE_LINES = 2


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
    assert program is not None
    model = program.model_proto
    repeat_tables(model)
    return model


def root_cause(error: BaseException) -> str:
    """What an error began with, in a line or two: exporters wrap it several times, each in its own advice and colours."""
    while error.__cause__ is not None:
        error = error.__cause__
    said = _COLOURS.sub("", f"{type(error).__name__}: {error}").split("\n")
    return " ".join(line.strip() for line in said[:_CAUSE_LINES] if line.strip())[:400]


def exported(network: Any, example: Tensors, signature: Signature, opset: int) -> tuple[Any, str | None]:
    """A network as ONNX, with the attention that can be exported.

    Args:
        network: of transformers, in evaluation mode; it stays as it is.
        example: one call.
        signature: of its inputs.
        opset: of the file.

    Returns:
        The model, and the name of the attention where it is another one than the network's own (docs/decisions/0064).

    Raises:
        ArtifactError: the exporter refuses it with either.
    """
    own = getattr(network.config, "_attn_implementation", None)
    refused: Exception
    try:
        return _export(network, example, signature, opset), None
    except Exception as error:  # the exporter raises many types
        refused = error
    if own not in (None, _EAGER) and _set_attention(network, _EAGER):
        print(f"with {own} attention the exporter says: {root_cause(refused)}; tried with {_EAGER} attention")
        try:
            return _export(network, example, signature, opset), _EAGER
        except Exception as error:  # the same
            refused = error
        finally:
            _set_attention(network, str(own))
    raise ArtifactError(
        asked=f"export the checkpoint to ONNX at opset {opset}",
        happened=root_cause(refused),
        affected="this ONNX file and what is made from it; nothing was written",
        fix="try another opset in `exports:` (18, 20 and 23 have other operators), or a checkpoint of another architecture",
    ) from None


def _set_attention(network: Any, name: str) -> bool:
    try:
        network.set_attn_implementation(name)
    except (AttributeError, ValueError, ImportError):
        return False
    return getattr(network.config, "_attn_implementation", None) == name


def _parity_batches(split: Split, signature: Signature) -> list[Tensors]:
    batches: list[Tensors] = []
    start = 0
    for size in PARITY_BATCH_SIZES:
        for _ in range(PARITY_BATCHES):
            rows = np.arange(start, start + size) % len(split)
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
    model, attention = exported(network, batches[-1], signature, row["opset"])

    def check(path: Path) -> float:
        difference = _largest_difference(network, str(path), batches)
        if not difference <= row["max_logit_difference"]:  # NaN fails too
            raise ParityError(
                asked=f"export the checkpoint to ONNX at opset {row['opset']} with logits equal to PyTorch's within "
                f"{row['max_logit_difference']:g}",
                happened=f"the largest difference on {len(batches)} validation batches is {difference:.3g}",
                affected="this ONNX file and what is made from it; nothing was written",
                fix="try another opset in `exports:`, or raise max_logit_difference if that much is acceptable",
            )
        return difference

    write_onnx_artifact(
        model,
        folder=folder,
        source_folder=checkpoint,
        signature=signature,
        external_data=external_data,
        facts={"made_by": {"export": dict(row)}, **({} if attention is None else {"attention": attention})},
        check=check,
        inputs={"checkpoint": sha256(checkpoint / "checkpoint.json")},
        libraries=LIBRARIES,
    )
