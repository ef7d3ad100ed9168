"""ONNX Runtime on the CPU, with the settings that the model was measured with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .errors import PackageError
from .packing import Tensors

PROVIDER = "CPUExecutionProvider"


class OnnxRuntimeRunner:
    """One session."""

    def __init__(self, file: Path, options: Mapping[str, Any]) -> None:
        """Load it.

        Args:
            file: of the model.
            options: of the backend's row in the study.

        Raises:
            PackageError: the file cannot be loaded.
        """
        import onnxruntime as ort

        settings = ort.SessionOptions()
        settings.intra_op_num_threads = options["intra_op_threads"]
        settings.log_severity_level = 3
        settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(options["spinning"])))
        level = options["graph_optimization"].upper()
        settings.graph_optimization_level = getattr(
            ort.GraphOptimizationLevel, "ORT_DISABLE_ALL" if level == "DISABLE" else f"ORT_ENABLE_{level}"
        )
        try:
            self._session = ort.InferenceSession(str(file), settings, providers=[PROVIDER])
        except Exception as error:  # ONNX Runtime raises many types, all private
            raise PackageError(
                asked=f"load {file} on ONNX Runtime {ort.__version__}",
                happened=f"{type(error).__name__}: {str(error).strip()[:300]}",
                affected="this package",
                fix="pip install -r requirements.txt: the versions that it was measured with",
            ) from None
        self.version: str = ort.__version__

    def infer(self, inputs: Tensors) -> npt.NDArray[np.float32]:
        """float32 logits [rows, labels] of arrays by input name."""
        (logits,) = self._session.run(["logits"], dict(inputs))
        return np.asarray(logits, dtype=np.float32)

    def close(self) -> None:
        """Free it."""
        del self._session
