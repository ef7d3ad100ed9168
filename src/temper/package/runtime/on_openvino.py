"""OpenVINO on the CPU, with the settings that the model was measured with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import PackageError
from .packing import Tensors

MOST_SHAPES = 48  # compiled models kept at a time where shapes are static: each holds kernels and weights of its own
Shapes = tuple[tuple[str, tuple[int, ...]], ...]


class OpenVinoRunner:
    """One compiled model and one request, or one for each input shape where shapes are static."""

    def __init__(self, file: Path, options: Mapping[str, Any]) -> None:
        """Compile it; with static shapes, to see that it can be.

        Args:
            file: of the model.
            options: of the backend's row in the study.

        Raises:
            PackageError: it cannot be compiled, or would run in another precision than it was measured in.
        """
        import openvino

        self._core, self._file, self._options = openvino.Core(), file, options
        self._settings = {
            "INFERENCE_PRECISION_HINT": options["inference_precision"],
            "INFERENCE_NUM_THREADS": options["threads"],
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
        }
        self.version: str = openvino.__version__.partition("-")[0]
        self._static = options["shapes"] == "static"
        self._requests: dict[Shapes, Any] = {}
        self._compile(())

    def _compile(self, shapes: Shapes) -> Any:
        asked = f"run {self._file} on OpenVINO {self.version} in {self._options['inference_precision']}"
        fix = "pip install -r requirements.txt, on a machine of the kind that manifest.json names under study"
        try:
            model = self._core.read_model(str(self._file))
            if shapes:
                model.reshape({name: list(shape) for name, shape in shapes})
            compiled = self._core.compile_model(model, self._options["device"], self._settings)
        except Exception as error:
            happened = f"{type(error).__name__}: {str(error).strip()[:300]}"
            raise PackageError(asked=asked, happened=happened, affected="this package", fix=fix) from None
        found = _precisions(compiled)
        unwanted = {"f32": {"bf16", "f16"}, "bf16": {"f16"}, "f16": {"bf16"}}[self._options["inference_precision"]]
        if unwanted & found:
            happened = f"the compiled model has layers in {', '.join(sorted(found))}"
            raise PackageError(asked=asked, happened=happened, affected="this package", fix=fix)
        if shapes:
            self._requests.pop((), None)
        while len(self._requests) >= MOST_SHAPES:
            del self._requests[next(iter(self._requests))]  # the oldest
        self._requests[shapes] = compiled.create_infer_request()
        return self._requests[shapes]

    def infer(self, inputs: Tensors) -> npt.NDArray[np.float32]:
        """float32 logits [rows, labels] of arrays by input name."""
        shapes: Shapes = tuple((name, array.shape) for name, array in inputs.items()) if self._static else ()
        request = self._requests.get(shapes) or self._compile(shapes)
        result = request.infer(dict(inputs), share_inputs=True)
        return np.array(result["logits"], dtype=np.float32)  # a copy: the next call writes over it

    def close(self) -> None:
        """Free it."""
        self._requests.clear()


def _precisions(compiled: Any) -> set[str]:
    """OpenVINO's words for the precisions of the compiled model's layers."""
    facts = [node.get_rt_info() for node in compiled.get_runtime_model().get_ordered_ops()]
    return {
        own["runtimePrecision"].astype(str)
        for own in facts
        if "layerType" in own and own["layerType"].astype(str) not in ("Input", "Output", "Const", "Reorder")
    }
