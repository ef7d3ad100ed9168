"""What a network answers on validation rows, and what that says of the model before anything is measured."""

from pathlib import Path
from typing import Any

import numpy as np

from temper.artifacts.signature import Signature
from temper.data.encoded import Split, answers_in, check_split, collate, read_split
from temper.logs.script_log import say_lasting
from temper.statistics.paired_labels import Labels
from temper.tasks.task import Logits, Numbers, answered, task_of

ROWS = 256  # of a checkpoint that is taken as it is, evenly spaced: enough to tell a model that learned nothing
_BATCH_SIZE = 32


def answers_of(
    model: Any, split: Split, rows: Labels, signature: Signature, *, batch_size: int, device: str
) -> Numbers:
    """Answers to some rows, [answers], in their order; the model is in evaluation mode afterwards."""
    return answered(logits_of(model, split, rows, signature, batch_size=batch_size, device=device), signature)


def logits_of(model: Any, split: Split, rows: Labels, signature: Signature, *, batch_size: int, device: str) -> Logits:
    """Logits of some rows, float32 [answers, outputs], in their order; the model is in evaluation mode afterwards."""
    import torch

    model.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(rows), batch_size):
            tensors = collate(split, rows[start : start + batch_size], signature, sequence_length=None)
            inputs = {name: torch.from_numpy(array).to(device) for name, array in tensors.items()}
            logits = model(**inputs).logits.float().cpu().numpy()
            found.append(answers_in(split, rows[start : start + batch_size], logits, signature))
    return np.concatenate(found)


def worth_on_validation(model: Any, data_folder: Path, signature: Signature) -> Any:
    """What a network on the CPU is worth on at most ROWS validation rows; None where the data has none.

    Raises:
        ArtifactError: the validation rows are not what was prepared.
    """
    check_split(data_folder, "validation")
    split = read_split(data_folder / "validation.parquet", signature)
    if not len(split):
        return None
    of = split.groups if split.groups is not None and split.places is None else np.arange(len(split))
    whole = np.unique(np.linspace(0, of.max(), min(ROWS, int(of.max()) + 1)).astype(np.int64))
    part = split.take(np.flatnonzero(np.isin(of, whole)))  # what belongs together stays together
    found = answers_of(model, part, np.arange(len(part)), signature, batch_size=_BATCH_SIZE, device="cpu")
    return task_of(signature.labels).worth(found, part.labels, signature.label_names, part.groups)


def settled(model: Any, data_folder: Path, signature: Signature) -> Signature:
    """The signature with what decides answers beside the logits, by all validation rows; as it is where nothing does.

    Raises:
        ArtifactError: the validation rows are not what was prepared.
    """
    task = task_of(signature.labels)
    if signature.labels is None:
        return signature
    check_split(data_folder, "validation")
    split = read_split(data_folder / "validation.parquet", signature)
    logits = logits_of(model, split, np.arange(len(split)), signature, batch_size=_BATCH_SIZE, device="cpu")
    outputs = logits.shape[1] if logits.shape[1] != len(signature.label_names) else None
    return signature.model_copy(update={"thresholds": task.thresholds(logits, split.labels), "outputs": outputs})


def say(found: Any) -> None:
    """Say what the model is worth, with what speaks against it, in the log and on the terminal of whoever waits for it."""
    lines = [f"checkpoint: {found.sentence('validation')}"]
    lines += [f"checkpoint: warning: {warning}" for warning in found.warnings("validation")]
    for line in lines:
        say_lasting(line)
