"""The packaged model: loaded once, it answers texts or images."""

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from .answers import Answer, Labels, Score
from .batches import calls, collate
from .described import Encoded, Package, Values
from .packing import Tensors
from .packing_compiled import Packer
from .signature import Signature

FOLDER = Path(__file__).resolve().parents[1]


class Runner(Protocol):
    """The model on the runtime that it was measured on."""

    version: str

    def infer(self, inputs: Tensors) -> npt.NDArray[np.float32]:
        """Logits [rows, labels]."""
        ...

    def close(self) -> None:
        """Free it."""
        ...


class Model(Package):
    """A loaded package. Calls of several threads are answered one after the other."""

    def __init__(self, folder: Path) -> None:
        """Load it.

        Args:
            folder: of the package.

        Raises:
            PackageError: as of `Package`; or the model cannot be loaded.
        """
        super().__init__(folder)
        self._runner = _runner(self.manifest["runner"], folder / "model", self.signature)
        self._lock = threading.Lock()
        own = self.signature
        self._packer = Packer(own.row_tokens, own.dtypes, own.row_tokens_multiple_of) if own.row_tokens else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._runner.close()

    def logits(self, values: Values, batch_size: int | None = None) -> npt.NDArray[np.float32]:
        """Logits of encoded rows, in their order.

        Args:
            values: as of `Encoded`.
            batch_size: rows of a call; None: as when the accuracy was measured.

        Returns:
            float32 [rows, labels].
        """
        total = len(next(iter(values.values())))
        found = [
            self.infer(collate(values, chosen, self.padding))[: len(chosen)]
            for chosen in calls(total, batch_size or self.batch_size)
        ]
        return np.concatenate(found)

    def infer(self, inputs: Tensors) -> npt.NDArray[np.float32]:
        """Logits of one call's padded arrays; packed first where the model takes packed rows."""
        calls = [inputs] if self._packer is None else self._packed(inputs, self._packer)
        with self._lock:
            found = [self._runner.infer(call) for call in calls]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def _packed(self, inputs: Tensors, packer: Packer) -> list[Tensors]:
        """A call on packed rows; in halves where an engine takes fewer rows than it needs."""
        packed, count = packer(inputs), len(next(iter(inputs.values())))
        cut = getattr(self._runner, "cut", None)
        if cut is None or count == 1 or cut(packed) is not None:
            return [packed]
        halves = (slice(0, count // 2), slice(count // 2, None))
        parts = [{name: array[half] for name, array in inputs.items()} for half in halves]
        return [call for part in parts for call in self._packed(part, packer)]

    def warm_up(self, rows: int, tokens: int | None = None) -> None:
        """One call of made-up rows: memory is taken, and kernels are made, in the first call of a shape.

        Args:
            rows: of the call.
            tokens: of each; None: the longest there may be.
        """
        values = self.warm_values(rows, tokens or self.padding.max_tokens or 1)
        self.infer(collate(values, range(rows), self.padding))

    def warm_up_shapes(self) -> None:
        """Of an engine built for single shapes, every one of them."""
        warm = getattr(self._runner, "warm", None)
        if warm is not None:
            with self._lock:
                warm()

    def answer(self, rows: Sequence[Any], batch_size: int | None = None) -> Any:
        """Answers to texts (or pairs, or the bytes of image files), in their order.

        Args:
            rows: as of `encode`; [] gives [].
            batch_size: rows of a call; None: as when the accuracy was measured.

        Returns:
            A list of Answer; of Labels where a text has any number of them; of Score.

        Raises:
            InputError: as of `encode`.
        """
        if not rows:
            return []
        encoded = self.encode(rows)
        return self.answers(self.logits(encoded.values, batch_size), encoded.cut)

    def __call__(self, row: Any) -> Any:
        """The answer to one text, pair or image."""
        return self.answer([row])[0]


def _runner(facts: Mapping[str, Any], folder: Path, signature: Signature) -> Runner:
    """The runtime by its name; only its own module is imported, and with it its library."""
    name = facts["name"]
    if name == "openvino":
        from .on_openvino import OpenVinoRunner

        return OpenVinoRunner(folder / "model.onnx", facts["options"])
    if name == "pytorch":
        from .on_pytorch import PyTorchRunner

        return PyTorchRunner(folder, facts, signature)
    if name == "tensorrt_rtx":
        from .on_tensorrt_rtx import EngineRunner

        return EngineRunner(folder / "model.engine", facts, signature)
    from .on_onnxruntime import OnnxRuntimeRunner

    return OnnxRuntimeRunner(folder / "model.onnx", facts["options"])


def load(folder: str | Path = FOLDER) -> Model:
    """The package in a folder, checked and ready.

    Args:
        folder: the package's; None takes the one that this module lies in.

    Raises:
        PackageError: a file is not as it was packaged, a library is another version, or the model cannot be loaded.
    """
    return Model(Path(folder))


__all__ = ["FOLDER", "Answer", "Encoded", "Labels", "Model", "Package", "Score", "load"]
