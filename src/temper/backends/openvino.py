"""OpenVINO on the CPU. The precision is declared and checked: its own default is BF16 on some CPUs."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt

from temper.artifact import read_manifest
from temper.backends.runner import Logits, Runner
from temper.errors import BackendError, PrecisionNotActive
from temper.library import Library, import_library
from temper.signature import Tensors

LIBRARY = Library("openvino", ("openvino",), "OpenVINO")
ACCEPTS = ("onnx",)
PREDICTS = True


class Options(BaseModel):
    """`options` of a row whose runner is openvino."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    device: Literal["CPU"]
    inference_precision: Literal["f32", "bf16", "f16"]  # of what the file does not quantise itself
    threads: PositiveInt


class OpenVinoRunner:
    """One compiled model and one request."""

    def __init__(self, artifact: str, options: Options, version: str) -> None:
        self._folder, self._options, self._version = Path(artifact), options, version

    def __enter__(self) -> Self:
        read_manifest(self._folder / "onnx.json", kind="onnx")
        openvino = import_library(LIBRARY, self._version)
        asked = f"run {self._folder / 'model.onnx'} on OpenVINO {self._options.device} in {self._options.inference_precision}"
        settings = {
            "INFERENCE_PRECISION_HINT": self._options.inference_precision,
            "INFERENCE_NUM_THREADS": self._options.threads,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": "1",
        }
        try:
            self._compiled = openvino.Core().compile_model(
                str(self._folder / "model.onnx"), self._options.device, settings
            )
        except Exception as error:
            raise BackendError(
                asked=asked,
                happened=f"{type(error).__name__}: {str(error).strip()[:400]}",
                spoiled="this record only",
                fix="try another opset in `exports:`, or drop the row from params.yaml",
            ) from error
        self._layers = self._layers_by_precision()
        unwanted = {"f32": {"bf16", "f16"}, "bf16": {"f16"}, "f16": {"bf16"}}[self._options.inference_precision]
        if unwanted & set(self._layers):
            raise PrecisionNotActive(
                asked=asked,
                happened=f"the compiled model has layers in {self._layers}",
                spoiled="this record only: its latency would be another precision's",
                fix="declare the precision that runs in the backend's row, or use a machine that has the one you asked for",
            )
        self._request = self._compiled.create_infer_request()
        self._openvino_version = openvino.__version__.partition("-")[0]
        return self

    def _layers_by_precision(self) -> dict[str, int]:
        """Executed layers by the precision the plugin chose for them."""
        found: Counter[str] = Counter()
        for node in self._compiled.get_runtime_model().get_ordered_ops():
            facts = node.get_rt_info()
            if "layerType" in facts and facts["layerType"].astype(str) not in ("Input", "Output", "Const", "Reorder"):
                found[facts["runtimePrecision"].astype(str)] += 1
        return dict(sorted(found.items()))

    def __exit__(self, *exc_info: object) -> None:
        del self._request, self._compiled

    def infer(self, inputs: Tensors) -> Logits:
        result = self._request.infer(dict(inputs), share_inputs=True)  # blocks until the logits are in host memory
        return np.array(result["logits"], dtype=np.float32)

    def describe(self) -> dict[str, Any]:
        return {
            "library": "openvino",
            "version": self._openvino_version,
            "device": "cpu",
            "inference_precision": self._options.inference_precision,
            "layers_by_precision": self._layers,
            "threads": int(self._compiled.get_property("INFERENCE_NUM_THREADS")),
        }

    def limits(self) -> Mapping[str, tuple[int, int]]:
        return {}


def open_runner(artifact: str, options: Mapping[str, Any], version: str) -> Runner:
    """A runner of the `model.onnx` in the folder `artifact`."""
    return OpenVinoRunner(artifact, Options.model_validate(options), version)
