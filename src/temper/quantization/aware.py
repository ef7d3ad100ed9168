"""Checkpoint in, INT8 ONNX file out: fine-tuned with fake quantisation, where quantising afterwards loses too much.

The train rows train, the validation rows show what came of it; test rows are never read.
"""

import itertools
import math
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto

from temper.artifacts.manifest import copy_files, read_manifest, sha256, write_manifest
from temper.artifacts.onnx_file import MANIFEST, QUANTIZABLE, load, write_onnx_artifact
from temper.artifacts.signature import PREPROCESSOR_FILES, Signature, Tensors, read_signature
from temper.data.encoded import (
    Split,
    answer_numbers,
    check_split,
    collate,
    labels_of,
    read_split,
    row_lengths,
    unpadded,
)
from temper.errors import ParityError, PipelineError
from temper.export.to_onnx import export_onnx
from temper.logs.progress import progress
from temper.quantization.calibration.cache import CACHE_FILE, Ranges, read_cache
from temper.quantization.insert import INT8, insert_qdq
from temper.quantization.layers import chosen, layers
from temper.quantization.matching import Match, match
from temper.study.sections.quantization_aware import QuantizationAwareRow
from temper.tasks.task import answered, task_of
from temper.training.fine_tune import epoch_order, learning_rate_share
from temper.training.model import load_checkpoint

LIBRARIES = ("torch", "transformers", "onnx", "onnxscript")
_ROWS_PER_CALL = 32  # of validation
_SPOILED = "this ONNX file and what is made from it; nothing was written"
Logits = npt.NDArray[np.float32]


def _insert(model: ModelProto, ranges: Ranges, quantized: Collection[str]) -> ModelProto:
    products = {node.name for node in model.graph.node if node.op_type in QUANTIZABLE}
    return insert_qdq(model, INT8, ranges, per_channel=True, kept=products - set(quantized))


def _scales(found: Sequence[Match], ranges: Ranges) -> dict[str, float]:
    """Scale of what each module reads, as the file will hold it: float32 values."""
    largest = {each.module: max(map(abs, ranges[each.activation])) for each in found}
    return {name: float(np.float32((value or INT8.limit) / INT8.limit)) for name, value in largest.items()}


def _batches(split: Split, signature: Signature) -> list[Tensors]:
    """All rows in their order."""
    starts = range(0, len(split), _ROWS_PER_CALL)
    rows = [range(start, min(start + _ROWS_PER_CALL, len(split))) for start in starts]
    return [collate(split, each, signature, sequence_length=None) for each in rows]


def _logits(network: Any, batches: Sequence[Tensors], device: str, signature: Signature) -> Logits:
    """Of rows, or of all tokens that are no padding."""
    import torch

    found = []
    with torch.inference_mode():
        for batch in batches:
            inputs = {name: torch.from_numpy(array).to(device) for name, array in batch.items()}
            found.append(unpadded(network(**inputs).logits.cpu().numpy(), batch, signature))
    return np.concatenate(found)


def _train_rows(lengths: npt.NDArray[np.int64], row: QuantizationAwareRow, seed: int) -> Iterator[list[int]]:
    """Rows of each step: whole epochs in random order, the last one cut short."""
    epochs = (epoch_order(lengths, row.batch_size, np.random.default_rng([seed, epoch])) for epoch in itertools.count())
    return itertools.islice(itertools.chain.from_iterable(epochs), row.steps)


def _train(
    network: Any, split: Split, signature: Signature, row: QuantizationAwareRow, seed: int
) -> list[dict[str, Any]]:
    """Train in evaluation mode: no dropout, whose scaling would leave the ranges; statistics of normalisations as they are.

    Returns:
        For every `steps_per_log` steps: the last one's number and their mean loss.
    """
    import torch

    optimizer = torch.optim.AdamW(network.parameters(), lr=row.learning_rate, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: learning_rate_share(step, row.steps, 0))
    task = task_of(signature.labels)
    losses: list[float] = []
    history: list[dict[str, Any]] = []
    order = _train_rows(row_lengths(split, signature), row, seed)
    for rows in progress(order, total=row.steps, description="train_quantized"):
        tensors = collate(split, rows, signature, sequence_length=None)
        inputs = {name: torch.from_numpy(array).to(row.device) for name, array in tensors.items()}
        labels = torch.from_numpy(labels_of(split, rows, signature)).to(row.device)
        loss = task.loss(network(**inputs).logits, labels)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        losses.append(float(loss.detach()))
        if not math.isfinite(losses[-1]):
            raise PipelineError(
                asked=f"train with fake quantisation for {row.steps} steps",
                happened=f"the loss became {losses[-1]} at step {len(losses)}",
                affected=_SPOILED,
                fix="lower the row's learning_rate",
            )
        if len(losses) % row.steps_per_log == 0 or len(losses) == row.steps:
            since = history[-1]["step"] if history else 0
            history.append({"step": len(losses), "mean_loss": float(np.mean(losses[since:]))})
            print(history[-1], flush=True)
    return history


def _export(network: Any, checkpoint: Path, data: Path, export: Mapping[str, Any], external_data: bool) -> ModelProto:
    """The float file of the trained weights, its parity checked as any export's."""
    with tempfile.TemporaryDirectory() as scratch:
        trained, folder = Path(scratch) / "checkpoint", Path(scratch) / "onnx"
        network.save_pretrained(trained, max_shard_size="1000GB")
        signature = read_signature(checkpoint / "signature.json")
        copy_files((*PREPROCESSOR_FILES[signature.task], "signature.json"), checkpoint, trained)
        write_manifest(trained / "checkpoint.json", kind="checkpoint", facts={})
        export_onnx(
            checkpoint_folder=str(trained),
            data_folder=str(data),
            folder=str(folder),
            row=export,
            external_data=external_data,
        )
        return load(folder)


def parity_check(
    expected: Logits, batches: Sequence[Tensors], row: QuantizationAwareRow, signature: Signature
) -> Callable[[Path], float]:
    """A check that a file on ONNX Runtime (CPU, no graph optimisation) answers as the trained network does.

    Args:
        expected: the network's logits, float32 [rows, labels].
        batches: the same rows, in the same order.
        row: states the largest absolute difference.
        signature: says what an answer is.

    Returns:
        What takes the path of a model.onnx, and returns the largest absolute difference; it raises ParityError where that
        is more than the row allows.
    """

    def check(path: Path) -> float:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = row.threads
        settings.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
        found = np.concatenate(
            [unpadded(session.run(["logits"], dict(batch))[0], batch, signature) for batch in batches]
        )
        difference = float(np.abs(found - expected).max())
        flips = int((answered(found, signature) != answered(expected, signature)).sum())
        print(f"of the trained network's labels {flips} differ, logits by {difference:.3g}")
        if not difference <= row.max_logit_difference:  # NaN fails too
            raise ParityError(
                asked="write an INT8 file whose logits equal those of the trained network within "
                f"{row.max_logit_difference:g}",
                happened=f"the largest difference on {len(expected)} validation rows is {difference:.3g}",
                affected=_SPOILED,
                fix="raise the row's max_logit_difference if that much is acceptable: an activation next to the border of "
                "two INT8 values may round either way",
            )
        return difference

    return check


def train_quantized(
    *,
    checkpoint_folder: str,
    onnx_folder: str,
    calibration_folder: str,
    data_folder: str,
    folder: str,
    row: Mapping[str, Any],
    export: Mapping[str, Any],
    seed: int,
    external_data: bool,
) -> None:
    """Fine-tune the checkpoint with fake quantisation, and write the file that computes the same with Q/DQ nodes.

    Every product with a weight reads INT8 (symmetric, zero point 0, the calibration's range) and multiplies INT8 weights
    (a scale for each output channel); biases and products of two activations stay in float.

    Args:
        checkpoint_folder: where training starts.
        onnx_folder: its export: layers are named, and ranges stand, by this file.
        calibration_folder: ranges of that file.
        data_folder: prepared data; train and validation splits are read.
        folder: where the ONNX artifact goes.
        row: a `QuantizationAwareRow`.
        export: the row of exports: `opset`, and `max_logit_difference` of the trained weights in float.
        seed: of the order of the train rows.
        external_data: weights beside the graph.

    Raises:
        ArtifactError: an input is not what its manifest says, nothing is left to quantise, there is no layer of a name in
            keep_in_float, no range for what a layer reads, or no module for a layer.
        ParityError: the file answers otherwise than the trained network.
        PipelineError: CUDA was asked for and is absent, or the loss became infinite.
    """
    import torch

    from temper.quantization.fake import fake_quantized, weights

    asked = QuantizationAwareRow.model_validate(dict(row))
    checkpoint, source, data = Path(checkpoint_folder), Path(onnx_folder), Path(data_folder)
    read_manifest(checkpoint / "checkpoint.json", kind="checkpoint")
    read_manifest(source / MANIFEST, kind="onnx")
    for split in ("train", "validation"):
        check_split(data, split)
    if asked.device == "cuda" and not torch.cuda.is_available():
        raise PipelineError(
            asked="train with fake quantisation on cuda",
            happened=f"PyTorch {torch.__version__} sees no CUDA device",
            affected=_SPOILED,
            fix="set the row's device to cpu, or run where a GPU is",
        )
    signature = read_signature(checkpoint / "signature.json")
    reference, ranges = load(source), read_cache(calibration_folder).ranges
    network = load_checkpoint(checkpoint, signature.task)
    network.config.use_cache = False
    kept = chosen(layers(reference), asked.keep_in_float, "keep_in_float")
    found = match(weights(network), reference, {layer.node for layer in kept})
    quantized = [each.node for each in found]
    _insert(reference, ranges, quantized)  # what cannot be inserted is refused before it is trained
    torch.set_num_threads(asked.threads)
    torch.use_deterministic_algorithms(mode=True, warn_only=asked.device == "cuda")
    network.to(asked.device)
    validation = read_split(data / "validation.parquet", signature)
    batches = _batches(validation, signature)

    numbers = answer_numbers(validation, signature)

    def validation_accuracy(logits: Logits) -> float:
        return task_of(signature.labels).figure(answered(logits[numbers], signature), validation.labels)

    accuracies = {"float": validation_accuracy(_logits(network, batches, asked.device, signature))}
    with fake_quantized(network, _scales(found, ranges)):
        accuracies["before"] = validation_accuracy(_logits(network, batches, asked.device, signature))
        losses = _train(network, read_split(data / "train.parquet", signature), signature, asked, seed)
        network.to("cpu")
        answers = _logits(network, batches, "cpu", signature)
        accuracies["after"] = validation_accuracy(answers)
    print(f"validation accuracy: {accuracies}", flush=True)
    write_onnx_artifact(
        _insert(_export(network, checkpoint, data, export, external_data), ranges, quantized),
        folder=folder,
        source_folder=checkpoint,
        signature=signature,
        external_data=external_data,
        facts={
            "made_by": {"quantization_aware": asked.model_dump(mode="json"), "export": dict(export), "seed": seed},
            "training": {
                "validation_accuracy": accuracies,
                "losses": losses,
                "layers": sorted(each.module for each in found),
            },
        },
        check=parity_check(answers, batches, asked, signature),
        inputs={
            "checkpoint": sha256(checkpoint / "checkpoint.json"),
            "model.onnx": sha256(source / "model.onnx"),
            CACHE_FILE: sha256(Path(calibration_folder) / CACHE_FILE),
            **{f"{split}.parquet": sha256(data / f"{split}.parquet") for split in ("train", "validation")},
        },
        libraries=LIBRARIES,
    )
