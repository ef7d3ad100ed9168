"""How far a quantised file's answers are from the float file's, on validation rows."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from onnx import ModelProto, helper

from temper.artifacts.onnx_file import QUANTIZABLE, open_session
from temper.artifacts.signature import Signature, Tensors
from temper.data.encoded import Split, collate, row_lengths, unpadded
from temper.tasks.task import answered

_ROWS_PER_CALL = 16
Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Distance:
    """Of a file from the float file, on the same rows.

    Attributes:
        mean_logit_difference: mean absolute difference over rows and labels.
        largest_logit_difference: the largest one.
        flips: rows with another predicted label.
        rows: how many rows were compared.
    """

    mean_logit_difference: float
    largest_logit_difference: float
    flips: int
    rows: int


def batches(split: Split, signature: Signature, rows: int) -> list[Tensors]:
    """The first `rows` rows in batches of like length, each padded to its own longest."""
    lengths = row_lengths(split, signature)[:rows]
    order = np.argsort(lengths, kind="stable")
    return [
        collate(split, order[start : start + _ROWS_PER_CALL], signature, sequence_length=None)
        for start in range(0, len(order), _ROWS_PER_CALL)
    ]


class Judge:
    """Compares files with the float file on the same rows; counts how often it was asked."""

    def __init__(self, reference: ModelProto, rows: list[Tensors], threads: int, signature: Signature) -> None:
        """See above.

        Args:
            reference: the float file.
            rows: as `batches` gives them.
            threads: of ONNX Runtime's own pool.
            signature: says what an answer is.
        """
        self._rows, self._threads, self._signature = rows, threads, signature
        self._expected = self._logits(reference)
        self.evaluations = 0

    def _logits(self, model: ModelProto) -> Logits:
        # 'basic' leaves every Q/DQ node in its place: what is compared is the file, not one library's integer kernels
        session = open_session(model, self._threads, "ORT_ENABLE_BASIC")
        return np.concatenate([unpadded(session.run(None, batch)[0], batch, self._signature) for batch in self._rows])

    def distance(self, model: ModelProto) -> Distance:
        """Of a file that was made from the float file."""
        self.evaluations += 1
        found = self._logits(model)
        difference = np.abs(found - self._expected)
        return Distance(
            mean_logit_difference=round(float(difference.mean()), 6),
            largest_logit_difference=round(float(difference.max()), 6),
            flips=int((answered(found, self._signature) != answered(self._expected, self._signature)).sum()),
            rows=len(found),
        )


def multiplications(reference: ModelProto, batch: Tensors, threads: int) -> dict[str, int]:
    """Multiply-accumulates of each product for one batch, by node name, counted from the shapes that it really has."""
    model = ModelProto()
    model.CopyFrom(reference)
    products = [node for node in model.graph.node if node.op_type in QUANTIZABLE]
    weights = {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}
    shapes: dict[str, tuple[int, ...]] = dict(weights)
    wanted = {name for node in products for name in (*node.input[:2], node.output[0]) if name not in weights}
    wanted -= {entry.name for entry in (*model.graph.input, *model.graph.output)}
    shown = [*(entry.name for entry in model.graph.output), *sorted(wanted)]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in sorted(wanted))
    session = open_session(model, threads, "ORT_DISABLE_ALL")
    shapes |= {name: array.shape for name, array in batch.items()}
    shapes |= {name: array.shape for name, array in zip(shown, session.run(None, batch), strict=True)}
    found = {}
    for node in products:
        outputs = int(np.prod(shapes[node.output[0]]))
        if node.op_type == "Conv":  # each output element: input channels of its group times the kernel
            found[node.name] = outputs * int(np.prod(shapes[node.input[1]][1:]))
        else:
            transposed = any(entry.name == "transA" and entry.i for entry in node.attribute)
            found[node.name] = outputs * int(shapes[node.input[0]][0 if transposed else -1])
    return found
