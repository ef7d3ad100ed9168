"""What a network answers on validation rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from temper.artifacts.signature import Signature
from temper.data.encoded import Rows, Split, answers_in, check_split, collate, read_split
from temper.tasks.task import Logits, Numbers, answered, task_of

ROWS = 256  # of a checkpoint that is taken as it is, evenly spaced: enough to tell a model that learned nothing
_BATCH_SIZE = 32


def answers_of(model: Any, split: Split, rows: Rows, signature: Signature, *, batch_size: int, device: str) -> Numbers:
    """Answers to some rows, [answers], in their order; the model is in evaluation mode afterwards."""
    return answered(logits_of(model, split, rows, signature, batch_size=batch_size, device=device), signature)


def logits_of(model: Any, split: Split, rows: Rows, signature: Signature, *, batch_size: int, device: str) -> Logits:
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


@dataclass(frozen=True, eq=False)
class Answered:
    """A network's answers to validation rows.

    answers, labels: of the type that the task has, [answers].
    groups: as a Split has them.
    """

    answers: Numbers
    labels: Numbers
    groups: Numbers | None

    def as_json(self, signature: Signature) -> dict[str, Any]:
        """How many there are, and how good they are in one figure: `rows`, `accuracy`."""
        return {
            "rows": len(self.labels),
            "accuracy": task_of(signature.labels).figure(self.answers, self.labels),
        }


def on_validation(
    model: Any, data_folder: Path, signature: Signature, known: Sequence[Any] | None = None
) -> Answered | None:
    """A network's answers on the CPU to at most ROWS validation rows; None where the data has none.

    Args:
        model: the network.
        data_folder: prepared data.
        signature: of the checkpoint.
        known: its answers to all validation rows, where it was asked already.

    Raises:
        ArtifactError: the validation rows are not what was prepared.
    """
    check_split(data_folder, "validation")
    split = read_split(data_folder / "validation.parquet", signature)
    if not len(split):
        return None
    if known is not None:
        return Answered(np.asarray(known, dtype=split.labels.dtype), split.labels, split.groups)
    of = split.groups if split.groups is not None and split.places is None else np.arange(len(split))
    whole = np.unique(np.linspace(0, of.max(), min(ROWS, int(of.max()) + 1)).astype(np.int64))
    part = split.take(np.flatnonzero(np.isin(of, whole)))  # what belongs together stays together
    found = answers_of(model, part, np.arange(len(part)), signature, batch_size=_BATCH_SIZE, device="cpu")
    return Answered(found, part.labels, part.groups)


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
