"""What goes into a model and what comes out: names, dtypes, axes, label names. It travels with every artifact."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from temper.errors import ArtifactError
from temper.reading.json_file import read_object

Tensors = Mapping[str, npt.NDArray[np.generic]]

BATCH_AXIS, SEQUENCE_AXIS = "batch_size", "sequence_length"
ROWS_AXIS = "rows"  # of packed tokens; the batch is still the number of sentences
ROW_TOKENS_AXIS = "row_tokens"  # of packed rows that are as short as a call's sentences allow
PACKED_AXES = (BATCH_AXIS, ROWS_AXIS)

# The axes of a task that differ from call to call, in the order in which engine shapes and workloads give them.
DYNAMIC_AXES: dict[str, tuple[str, ...]] = {
    "text-classification": (BATCH_AXIS, SEQUENCE_AXIS),
    "image-classification": (BATCH_AXIS,),
}
# What the preprocessor of a task leaves on disk; these files travel with every artifact.
PREPROCESSOR_FILES: dict[str, tuple[str, ...]] = {
    "text-classification": ("tokenizer.json", "tokenizer_config.json"),
    "image-classification": ("preprocessor_config.json",),
}


class TensorSpec(BaseModel):
    """One input tensor. An axis is a name (it differs from call to call) or a fixed size."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str
    dtype: Literal["int64", "int32", "float32"]
    axes: tuple[str | int, ...]
    pad_value: int

    def shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """Concrete shape, with `sizes` for the named axes."""
        return tuple(sizes[axis] if isinstance(axis, str) else axis for axis in self.axes)


class Signature(BaseModel):
    """Inputs in order, the one output `logits` (float32, `logits_shape`) and the labels' names."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    task: Literal["text-classification", "image-classification"]
    inputs: tuple[TensorSpec, ...]
    label_names: tuple[str, ...]
    padding_side: Literal["left", "right"]
    # the task (temper/tasks/), where it is not single_label
    labels: Literal["multi_label", "score", "token_classification", "embedding"] | None = None
    thresholds: tuple[float, ...] | None = None  # of probabilities, by label, where the task decides by them
    outputs: int | None = None  # numbers of an answer, where they are not as many as label_names
    # logits are [batch_size, sequence_length, labels]; None: [batch_size, labels]
    answers_at: Literal["tokens"] | None = None
    row_tokens: int | None = None  # of a model on packed rows (temper/lengths/packing.py): tokens of a row
    # rows may be shorter than row_tokens, in tokens a multiple of this; None: all have row_tokens
    row_tokens_multiple_of: int | None = None

    def as_json(self) -> str:
        """The text of signature.json; what a signature does not have is left out."""
        return self.model_dump_json(indent=2, exclude_none=True) + "\n"

    def logits_shape(self, batch_size: int, sequence_length: int | None) -> tuple[int, ...]:
        """Shape of the logits of a call; images have no length."""
        width = self.outputs or len(self.label_names)
        if self.answers_at is None or sequence_length is None:
            return batch_size, width
        return batch_size, sequence_length, width

    @property
    def dynamic_axes(self) -> tuple[str, ...]:
        """Names of the axes that differ from call to call, batch first."""
        return DYNAMIC_AXES[self.task] if self.row_tokens is None else PACKED_AXES


def read_signature(file: str | Path) -> Signature:
    """The signature that a file holds.

    Raises:
        ArtifactError: it is absent, or no signature.
    """
    try:
        return Signature.model_validate(read_object(file), strict=False)
    except (OSError, ValueError) as error:  # what pydantic raises is a ValueError
        first = error.errors()[0] if isinstance(error, ValidationError) else None
        happened = f"{'.'.join(map(str, first['loc']))}: {first['msg']}" if first else str(error)
        raise ArtifactError(
            asked=f"read the signature {file}",
            happened=happened[:400],
            affected="everything that is made from it; nothing was written",
            fix="temper sync: puts it back from DVC's cache, or moves it out of the way for the next run to make anew",
        ) from None
