"""ONNX Runtime. One file; each execution provider is a row of params.yaml."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, PositiveInt

from temper.artifact import read_manifest
from temper.backends.runner import Logits, Runner
from temper.errors import BackendError, ProviderNotActive
from temper.library import Library, import_library
from temper.signature import Tensors

LIBRARY = Library("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "ONNX Runtime")
ACCEPTS = ("onnx",)
PREDICTS = True
CPU = "CPUExecutionProvider"


class Options(BaseModel):
    """`options` of a row whose runner is onnxruntime."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    execution_provider: Literal["CPUExecutionProvider", "CUDAExecutionProvider"]
    intra_op_threads: PositiveInt
    spinning: bool  # whether idle threads wait busily: faster alone, a disturbance beside others
    graph_optimization: Literal["disable", "basic", "extended", "all"]


class OnnxRuntimeRunner:
    """One session."""

    def __init__(self, artifact: str, options: Options, version: str) -> None:
        self._folder, self._options, self._version = Path(artifact), options, version

    def __enter__(self) -> Self:
        read_manifest(self._folder / "onnx.json", kind="onnx")
        ort = import_library(LIBRARY, self._version)
        wanted = self._options.execution_provider
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = self._options.intra_op_threads
        settings.log_severity_level = 3
        settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(self._options.spinning)))
        level = {"disable": "ORT_DISABLE_ALL", "basic": "ORT_ENABLE_BASIC", "extended": "ORT_ENABLE_EXTENDED"}
        settings.graph_optimization_level = getattr(
            ort.GraphOptimizationLevel, level.get(self._options.graph_optimization, "ORT_ENABLE_ALL")
        )
        asked = f"run {self._folder / 'model.onnx'} on {wanted}"
        if wanted not in ort.get_available_providers():  # ONNX Runtime would only warn, and run on the CPU
            raise self._not_active(asked, f"ONNX Runtime {ort.__version__} offers {ort.get_available_providers()}")
        if wanted != CPU:
            settings.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
        try:
            self._session = ort.InferenceSession(str(self._folder / "model.onnx"), settings, providers=[wanted])
        except Exception as error:  # ONNX Runtime raises many types, all private
            raise BackendError(
                asked=asked,
                happened=f"{type(error).__name__}: {str(error).strip()[:400]}",
                spoiled="this record only",
                fix="try another opset in `exports:` or a lower graph_optimization in the backend's row",
            ) from error
        active = self._session.get_providers()
        if active[0] != wanted:
            raise self._not_active(asked, f"ONNX Runtime {ort.__version__} activated {active}")
        self._ort_version = ort.__version__
        return self

    @staticmethod
    def _not_active(asked: str, happened: str) -> ProviderNotActive:
        return ProviderNotActive(
            asked=asked,
            happened=happened,
            spoiled="this record only: its latency would be another device's",
            fix="install the build that has the provider (docs/install.md) or drop the row from params.yaml",
        )

    def __exit__(self, *exc_info: object) -> None:
        del self._session

    def infer(self, inputs: Tensors) -> Logits:
        (logits,) = self._session.run(["logits"], inputs)  # blocks until the logits are in host memory
        return np.asarray(logits, dtype=np.float32)

    def describe(self) -> dict[str, Any]:
        provider = self._session.get_providers()[0]
        return {
            "library": "onnxruntime",
            "version": self._ort_version,
            "provider": provider,
            "device": "cpu" if provider == CPU else "cuda",
            "threads": self._options.intra_op_threads,
        }

    def limits(self) -> Mapping[str, tuple[int, int]]:
        return {}


def open_runner(artifact: str, options: Mapping[str, Any], version: str) -> Runner:
    """A runner of the `model.onnx` in the folder `artifact`."""
    return OnnxRuntimeRunner(artifact, Options.model_validate(options), version)
