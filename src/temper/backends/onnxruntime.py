"""ONNX Runtime. One file; each execution provider is a row of params.yaml."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np

from temper.artifacts.manifest import read_manifest
from temper.artifacts.signature import Signature, Tensors, read_signature
from temper.backends.cuda_device import CudaDevice
from temper.backends.execution_providers import (
    CPU,
    RTX,
    RTX_PLUGIN,
    add_provider,
    need_provider,
    not_active,
    provider_options,
    refuse_other_options,
)
from temper.backends.execution_providers import Options as Options
from temper.backends.io_binding import BoundSession, check_outputs
from temper.backends.onnxruntime_profile import FALLBACK_FIX, check_providers, executed_layers
from temper.backends.runner import Logits, Runner
from temper.backends.trace import Execution
from temper.environment.cuda import forget_last_error
from temper.environment.devices import gpus_used
from temper.environment.library import Library, import_library, installed_version
from temper.errors import BackendError

LIBRARY = Library("onnxruntime", ("onnxruntime", "onnxruntime-gpu"), "ONNX Runtime")
ACCEPTS = ("onnx",)
PREDICTS = True


class OnnxRuntimeRunner(Runner):
    """One session."""

    def __init__(self, artifact: str, options: Options, version: str, *, profile_prefix: Path | None = None) -> None:
        self._folder, self._options, self._version = Path(artifact), options, version
        self._profile_prefix = profile_prefix  # profiling slows every node: never for a runner that is timed

    def __enter__(self) -> Self:
        read_manifest(self._folder / "onnx.json", kind="onnx")
        ort = import_library(LIBRARY, self._version)
        need_provider(ort, self._options, self.asked)
        signature = read_signature(self._folder / "signature.json")
        self._limits = self._profile_limits(signature)
        with ExitStack() as undo:
            device = undo.enter_context(CudaDevice(self._options.device_index)) if self._options.io_binding else None
            chosen = provider_options(self._options, signature, device.stream if device else None)
            settings = self._settings(ort)
            self.provider, arguments = add_provider(ort, settings, self._options, chosen, self.asked)
            self._session = self._load(ort, settings, arguments)
            if self._options.execution_provider == RTX:
                forget_last_error()  # the plugin asks about every GPU of the machine, also about hidden ones
            undo.callback(self._drop_session)  # before its stream, and after its buffers
            active = self._session.get_providers()
            if active[0] != self.provider:
                raise not_active(self.asked, f"ONNX Runtime {ort.__version__} activated {active}")
            reported = self._session.get_provider_options().get(self.provider, {})
            refuse_other_options(self.provider, reported, chosen, self.asked)
            self._bound = None
            if device is not None:
                check_outputs(self._session, self.asked)
                graph = self._options.cuda_graph
                self._bound = BoundSession(ort, self._session, device, signature, cuda_graph=graph)
                undo.callback(self._bound.close)
            self._close = undo.pop_all().close
        self._ort_version = ort.__version__
        return self

    def _settings(self, ort: Any) -> Any:
        """SessionOptions of the row."""
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = self._options.intra_op_threads
        settings.log_severity_level = 3
        settings.add_session_config_entry("session.intra_op.allow_spinning", str(int(self._options.spinning)))
        level = {"disable": "ORT_DISABLE_ALL", "basic": "ORT_ENABLE_BASIC", "extended": "ORT_ENABLE_EXTENDED"}
        settings.graph_optimization_level = getattr(
            ort.GraphOptimizationLevel, level.get(self._options.graph_optimization, "ORT_ENABLE_ALL")
        )
        if self._profile_prefix is not None:
            settings.enable_profiling = True
            settings.profile_file_prefix = str(self._profile_prefix)
        if self._options.execution_provider != CPU:
            refused = not self._options.allow_cpu_fallback
            settings.add_session_config_entry("session.disable_cpu_ep_fallback", str(int(refused)))
        return settings

    def _load(self, ort: Any, settings: Any, arguments: Mapping[str, Any]) -> Any:
        """The session, which never falls back to another provider by itself, neither now nor in a call that fails."""
        try:
            return ort.InferenceSession(str(self._folder / "model.onnx"), settings, enable_fallback=False, **arguments)
        except Exception as error:  # ONNX Runtime raises many types, all private
            message = str(error).strip()
            if "disabled by the user" in message and "CPU EP" in message:  # it names no node
                raise not_active(self.asked, message[:400], fix=FALLBACK_FIX) from error
            if "Please install TensorRT" in message:
                raise not_active(self.asked, message[-400:]) from error
            raise BackendError(
                asked=self.asked,
                happened=f"{type(error).__name__}: {message[:400]}",
                affected="this record only",
                fix="try another opset in `exports:` or a lower graph_optimization in the backend's row",
            ) from error

    def _profile_limits(self, signature: Signature) -> dict[str, tuple[int, int]]:
        """Smallest and largest size of each dynamic axis, where the row has a profile."""
        profile, axes = self._options.profile_shapes, signature.dynamic_axes
        if profile is None:
            return {}
        if len(profile.min) != len(axes):
            raise BackendError(
                asked=self.asked,
                happened=f"profile_shapes are {profile.model_dump()}, but the dynamic axes are {list(axes)}",
                affected="this record only",
                fix=f"give {len(axes)} number(s) in each of min, opt and max of the backend's row",
            )
        return dict(zip(axes, zip(profile.min, profile.max, strict=True), strict=True))

    @property
    def asked(self) -> str:
        """What was asked of it, for errors."""
        return f"run {self._folder / 'model.onnx'} on {self._options.execution_provider}"

    def end_profile(self) -> list[dict[str, Any]]:
        """Events of ONNX Runtime's profile so far; it ends here."""
        events: list[dict[str, Any]] = json.loads(Path(self._session.end_profiling()).read_text(encoding="utf-8"))
        return events

    def _drop_session(self) -> None:
        del self._session

    def __exit__(self, *exc_info: object) -> None:
        self._bound = None
        self._close()

    def infer(self, inputs: Tensors) -> Logits:
        try:
            if self._bound is not None:
                return self._bound.run(inputs)
            (logits,) = self._session.run(["logits"], inputs)  # blocks until the logits are in host memory
        except (BackendError, MemoryError):
            raise
        except Exception as error:
            message = f"{type(error).__name__}: {str(error).strip()[:400]}"
            if "ailed to allocate memory" in message:
                message = f"out of memory: {message}"  # the words by which it is recorded as such
            raise BackendError(
                asked=f"{self.asked}, on inputs of shape { ({name: array.shape for name, array in inputs.items()}) }",
                happened=message,
                affected="this record only",
                fix="change the workload, profile_shapes or cuda_graph of the backend's row, or drop the row",
            ) from error
        return np.asarray(logits, dtype=np.float32)

    def describe(self) -> dict[str, Any]:
        options = self._options
        found: dict[str, Any] = {
            "library": "onnxruntime",
            "version": self._ort_version,
            "provider": self._session.get_providers()[0],
            "threads": options.intra_op_threads,
            "device": "cpu",
        }
        if options.execution_provider == CPU:
            return found
        for name, driver in gpus_used(1, {"device_index": options.device_index}):
            found |= {"device": name, "driver": driver}
        if options.execution_provider == RTX:
            found["plugin"] = f"{RTX_PLUGIN.distributions[0]} {installed_version(RTX_PLUGIN)}"
        found |= options.model_dump(include={"io_binding", "cuda_graph", "tf32", "profile_shapes"})
        return found | ({"bound_shapes": self._bound.bindings} if self._bound else {})

    def limits(self) -> Mapping[str, tuple[int, int]]:
        return self._limits

    @property
    def warmup_calls_per_shape(self) -> int:
        """A CUDA graph is recorded in one of the first calls of its shape."""
        return 3 if self._options.cuda_graph else 1

    @property
    def compiles_shapes(self) -> bool:
        """Whether a new shape costs a recording."""
        return self._options.cuda_graph


def open_runner(artifact: str, options: Mapping[str, Any], version: str) -> Runner:
    """A runner of the `model.onnx` in the folder `artifact`."""
    return OnnxRuntimeRunner(artifact, Options.model_validate(options), version)


def trace(artifact: str, options: Mapping[str, Any], version: str, batches: Sequence[Tensors]) -> Execution | None:
    """Nodes that were executed with their providers and times, from ONNX Runtime's profile.

    Args:
        artifact: folder of the `model.onnx`.
        options: of the backend's row.
        version: of ONNX Runtime, or 'installed'.
        batches: arrays of the signature by name, at least one; every batch is run once. A few will do: a profile holds
            a million events at most.

    Raises:
        BackendError: the model cannot be loaded.
        ProviderNotActive: another provider executed a node, and the row does not allow it.
    """
    # nodes that are replayed as one CUDA graph are in no profile: they are run one by one here
    chosen = Options.model_validate({**options, "cuda_graph": False})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        runner = OnnxRuntimeRunner(artifact, chosen, version, profile_prefix=Path(scratch) / "profile")
        with runner:
            runner.infer(batches[0])  # memory is taken in the first call
            for batch in batches:
                runner.infer(batch)
            layers = executed_layers(runner.end_profile(), provider=chosen.execution_provider)
            wanted = runner.provider
    elsewhere = check_providers(layers, wanted=wanted, allow_cpu_fallback=chosen.allow_cpu_fallback, asked=runner.asked)
    source = "ONNX Runtime's profile" + (", without the CUDA graph" if options["cuda_graph"] else "")
    return Execution(source=source, layers=layers, elsewhere=elsewhere)
