"""What goes into the model: names, dtypes, axes, label names, from model/signature.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

BATCH_AXIS, SEQUENCE_AXIS = "batch_size", "sequence_length"
TEXT, IMAGE = "text-classification", "image-classification"


@dataclass(frozen=True)
class TensorSpec:
    """One input: an axis is a name (it differs from call to call) or a fixed size."""

    name: str
    dtype: str
    axes: tuple[str | int, ...]
    pad_value: int


@dataclass(frozen=True)
class Signature:
    """Inputs in order, and the one output `logits` (float32, [batch_size, number of labels]).

    Attributes:
        task: 'text-classification' or 'image-classification'.
        inputs: what the model file takes: of a packed model the packed rows.
        label_names: in the order of the logits.
        padding_side: 'left' or 'right'.
        labels: the kind of its answers (answers.py); None: one label of several.
        thresholds: of each label's sigmoid, where answers are decided by them.
        row_tokens: tokens of a row of a model on packed rows; None of any other.
        row_tokens_multiple_of: where such rows are as short as a call's sentences allow: what their tokens are rounded up to.
    """

    task: str
    inputs: tuple[TensorSpec, ...]
    label_names: tuple[str, ...]
    padding_side: str
    row_tokens: int | None
    labels: str | None = None
    thresholds: tuple[float, ...] | None = None
    row_tokens_multiple_of: int | None = None

    @property
    def dtypes(self) -> Mapping[str, str]:
        """Dtype of each input, by name."""
        return {spec.name: spec.dtype for spec in self.inputs}


def read_signature(file: Path) -> Signature:
    """The signature that a file holds."""
    content = json.loads(file.read_text(encoding="utf-8"))
    return Signature(
        task=content["task"],
        inputs=tuple(
            TensorSpec(spec["name"], spec["dtype"], tuple(spec["axes"]), spec["pad_value"])
            for spec in content["inputs"]
        ),
        label_names=tuple(content["label_names"]),
        padding_side=content["padding_side"],
        row_tokens=content.get("row_tokens"),
        row_tokens_multiple_of=content.get("row_tokens_multiple_of"),
        labels=content.get("labels"),
        thresholds=None if content.get("thresholds") is None else tuple(map(float, content["thresholds"])),
    )
