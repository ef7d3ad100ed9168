"""PyTorch, straight from the checkpoint: eager (the reference that everything else is held against), or compiled."""

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import numpy as np

from temper.artifacts.manifest import read_manifest
from temper.artifacts.signature import Tensors, read_signature
from temper.backends.pytorch_modes import (
    MODES_OF_COMPILE,
    Compiled,
    Eager,
    Executable,
    Traced,
    quantize_linear_layers,
)
from temper.backends.pytorch_options import Options
from temper.backends.pytorch_trace import named_kernels, profiled, record_modules
from temper.backends.pytorch_unpadded import Unpadded
from temper.backends.runner import Logits, Runner
from temper.backends.trace import ExecutedLayer, Execution
from temper.environment.library import Library, import_library
from temper.errors import BackendError, PrecisionNotActive, Unavailable
from temper.package.runtime.unpadded import FP8
from temper.package.runtime.unpadded import MODES as UNPADDED
from temper.package.runtime.unpadded_fp8 import OLDEST as OLDEST_FOR_FP8

LIBRARY = Library("torch", ("torch",), "PyTorch")
ACCEPTS = ("checkpoint",)
PREDICTS = True
_OLDEST_FOR_TRITON = (7, 0)  # compute capability
_MOST_SHAPES = 128  # page-locked buffers kept at a time


def batch_dependent(options: Mapping[str, Any]) -> bool:
    """Whether a row's answer can depend on the other rows of its batch: dynamic INT8 takes its ranges from all of them."""
    return bool(options["mode"] == "dynamic_int8")


class PyTorchRunner(Runner):
    """One model in evaluation mode."""

    def __init__(self, artifact: str, options: Options, version: str) -> None:
        self._folder, self._options, self._version = Path(artifact), options, version

    def __enter__(self) -> Self:
        read_manifest(self._folder / "checkpoint.json", kind="checkpoint")
        self._torch = import_library(LIBRARY, self._version)
        from temper.training.model import load_checkpoint

        self._need_device()
        self._need_compiler()
        self._choose_precision_and_threads()
        signature = read_signature(self._folder / "signature.json")
        self._names = [spec.name for spec in signature.inputs]
        dtype = getattr(self._torch, self._options.dtype)
        self._model = load_checkpoint(self._folder, signature.task).to(self._options.device, dtype).eval()
        dtypes = {str(p.dtype) for p in self._model.parameters()}
        if dtypes != {f"torch.{self._options.dtype}"}:
            raise PrecisionNotActive(
                asked=self.asked,
                happened=f"the loaded parameters are {sorted(dtypes)}",
                affected="this record only",
                fix="declare the dtype that runs in the backend's row",
            )
        self._device = str(next(self._model.parameters()).device)
        self._executable: Executable | Unpadded
        if self._options.mode in UNPADDED:
            self._executable = Unpadded(self._model, signature, self._options.mode, self._device, asked=self.asked)
        else:
            self._executable = self._make_executable(dtype)
        self._pinned: dict[tuple[Any, ...], dict[str, Any]] = {}
        return self

    def _need_device(self) -> None:
        """Refuse a device or dtype that this machine lacks.

        Raises:
            Unavailable: there is no CUDA device that PyTorch can use, or it computes no bfloat16.
        """
        torch = self._torch
        if self._options.device == "cpu":
            return
        if not torch.cuda.is_available():
            try:
                torch.cuda.init()
                reason = "CUDA starts, and shows none"
            except (AssertionError, RuntimeError) as error:  # no driver, one too old, or a build without CUDA
                reason = " ".join(str(error).split())[:400]
            raise Unavailable(f"PyTorch {torch.__version__} sees no CUDA device: {reason}")
        if self._options.dtype == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise Unavailable(f"{torch.cuda.get_device_name()} has no bfloat16 arithmetic")
        if self._options.mode == FP8 and torch.cuda.get_device_capability() < OLDEST_FOR_FP8:
            own = f"{torch.cuda.get_device_name()} has {'.'.join(map(str, torch.cuda.get_device_capability()))}"
            raise Unavailable(f"products in FP8 need compute capability 8.9; {own}")

    def _need_compiler(self) -> None:
        """Refuse torch.compile where what it compiles with is absent.

        Raises:
            Unavailable: the GPU is too old for Triton, or there is no C or C++ compiler.
        """
        compiles = self._options.mode in UNPADDED and self._options.device == "cuda"
        if self._options.mode not in MODES_OF_COMPILE and not compiles:
            return
        torch = self._torch
        if self._options.device == "cuda":
            capability = torch.cuda.get_device_capability()
            if capability < _OLDEST_FOR_TRITON:
                own = f"{torch.cuda.get_device_name()} has {capability[0]}.{capability[1]}"
                raise Unavailable(f"torch.compile needs compute capability 7.0; {own}")
            if not any(map(shutil.which, (os.environ.get("CC", ""), "cc", "gcc", "clang"))):
                raise Unavailable("torch.compile on CUDA needs a C compiler (gcc or clang), and none is on PATH")
            return
        from torch._inductor.cpp_builder import get_cpp_compiler

        try:
            get_cpp_compiler()
        except Exception as error:
            why = " ".join(str(error).split())[:200]
            raise Unavailable(f"torch.compile on the CPU needs a C++ compiler (g++ or clang++): {why}") from error

    def _make_executable(self, dtype: Any) -> Executable:
        options, cuda = self._options, self._options.device == "cuda"
        if options.mode in MODES_OF_COMPILE:
            graphs = cuda and options.mode != "compile"
            return Compiled(self._model, self._names, dtype, options.mode, cuda_graphs=graphs, asked=self.asked)
        if options.mode == "torchscript":
            return Traced(self._model, self._names, dtype, asked=self.asked)
        facts: dict[str, Any] = {}
        if options.mode == "dynamic_int8":
            self._model, facts = quantize_linear_layers(self._model, asked=self.asked)
        return Eager(self._model, self._names, dtype, facts)

    def _choose_precision_and_threads(self) -> None:
        """Set what PyTorch keeps for the whole process, or for each thread: a neighbour may have set it otherwise."""
        torch, options = self._torch, self._options
        if torch.get_num_threads() != options.threads:
            torch.set_num_threads(options.threads)
        precision = "high" if options.tf32 else "highest"
        if torch.get_float32_matmul_precision() != precision:
            torch.set_float32_matmul_precision(precision)
        if options.device == "cuda" and torch.backends.cudnn.allow_tf32 != options.tf32:  # on by default
            torch.backends.cudnn.allow_tf32 = options.tf32

    def __exit__(self, *exc_info: object) -> None:
        del self._executable, self._model
        self._pinned.clear()

    def infer(self, inputs: Tensors) -> Logits:
        torch = self._torch
        self._choose_precision_and_threads()
        with torch.inference_mode():
            if isinstance(self._executable, Unpadded):
                return self._executable.infer(inputs)
            if self._options.device == "cuda":
                return self._infer_on_cuda(self._executable, inputs)
            logits: Logits = self._executable([torch.from_numpy(inputs[name]) for name in self._names]).numpy()
            return logits

    def _infer_on_cuda(self, executable: Executable, inputs: Tensors) -> Logits:
        """Through page-locked memory both ways, and with one wait at the end."""
        buffers = self._pinned_buffers(inputs)
        tensors = []
        for name in self._names:
            np.copyto(buffers[name].numpy(), inputs[name], casting="no")
            tensors.append(buffers[name].to(self._device, non_blocking=True))
        logits = executable(tensors)
        answer = buffers.get("logits")
        if answer is None:
            answer = buffers["logits"] = self._torch.empty(logits.shape, dtype=logits.dtype, pin_memory=True)
        answer.copy_(logits, non_blocking=True)
        self._torch.cuda.current_stream().synchronize()
        copied: Logits = answer.numpy().copy()  # the next call of this shape writes over it
        return copied

    def _pinned_buffers(self, inputs: Tensors) -> dict[str, Any]:
        """Page-locked tensors of the inputs' shapes by name, and under 'logits' the answer's once there was one."""
        torch, key = self._torch, tuple(inputs[name].shape for name in self._names)
        if key not in self._pinned:
            while len(self._pinned) >= _MOST_SHAPES:
                del self._pinned[next(iter(self._pinned))]
            self._pinned[key] = {
                name: torch.empty(inputs[name].shape, dtype=torch.from_numpy(inputs[name]).dtype, pin_memory=True)
                for name in self._names
            }
        return self._pinned[key]

    def describe(self) -> dict[str, Any]:
        torch, cuda = self._torch, self._options.device == "cuda"
        return {
            "library": "torch",
            "version": torch.__version__,
            "device": torch.cuda.get_device_name(self._device) if cuda else self._device,
            **({"cuda": torch.version.cuda} if cuda else {}),
            "dtype": self._options.dtype,
            "tf32": self._options.tf32,
            "mode": self._options.mode,
            "threads": torch.get_num_threads(),
            **self._executable.describe(),
        }

    def shape_of(self, inputs: Tensors, given: tuple[int, ...]) -> tuple[int, ...]:
        """Sizes of the dynamic axes, or what an unpadded call runs in."""
        return self._executable.shape_of(inputs) if isinstance(self._executable, Unpadded) else given

    def computed_tokens(self, inputs: Tensors, given: tuple[int, ...]) -> int:
        """Tokens that a call computes; unpadded those that fill up to a recorded graph included."""
        if isinstance(self._executable, Unpadded):
            return self._executable.shape_of(inputs)[1]
        return super().computed_tokens(inputs, given)

    @property
    def warmup_calls_per_shape(self) -> int:
        """Calls before a shape runs at its full speed."""
        return self._executable.warmup_calls

    @property
    def compiles_shapes(self) -> bool:
        """Whether a new shape costs a compilation."""
        return self._executable.compiles_shapes

    @property
    def asked(self) -> str:
        """What was asked of it, for errors."""
        options = self._options
        return f"run {self._folder} in {options.dtype} on {options.device}, mode {options.mode}"

    @property
    def model(self) -> Any:
        """The loaded model, whose modules are called where nothing is compiled."""
        return self._model


def open_runner(artifact: str, options: Mapping[str, Any], version: str) -> Runner:
    """A runner of the checkpoint in the folder `artifact`."""
    return PyTorchRunner(artifact, Options.model_validate(options), version)


def traces(
    artifact: str, options: Mapping[str, Any], version: str, workloads: Mapping[str, Sequence[Tensors]]
) -> dict[str, Execution | None]:
    """What was executed: on the CPU modules where nothing is compiled, operators else; on CUDA the GPU's kernels.

    Args:
        artifact: folder of the checkpoint.
        options: of the backend's row.
        version: of PyTorch, or 'installed'.
        workloads: by name batches of arrays of the signature; every batch is run once, after the calls that warm its
            shape up.

    Raises:
        Unavailable: this machine lacks the device.
        PrecisionNotActive: the parameters have another dtype than asked.
        BackendError: it replayed no CUDA graphs where the mode is made of them.
    """
    chosen = Options.model_validate(options)
    with ExitStack() as opened:
        if chosen.device == "cpu" and chosen.mode in MODES_OF_COMPILE:
            opened.enter_context(named_kernels(import_library(LIBRARY, version)))
        runner = opened.enter_context(PyTorchRunner(artifact, chosen, version))
        if chosen.device == "cpu" and chosen.mode in ("eager", "dynamic_int8"):
            layers = record_modules(runner.model)
            return {name: _called_modules(runner, layers, batches) for name, batches in workloads.items()}
        return {name: _profiled(runner, batches, cuda=chosen.device == "cuda") for name, batches in workloads.items()}


def _called_modules(runner: PyTorchRunner, layers: dict[str, ExecutedLayer], batches: Sequence[Tensors]) -> Execution:
    layers.clear()  # those of the workload before
    for batch in batches:
        runner.infer(batch)
    return Execution(
        source="PyTorch's modules that own parameters and were called; functions such as attention's own "
        "products are none, and have no times",
        layers=tuple(layers.values()),
    )


def _profiled(runner: PyTorchRunner, batches: Sequence[Tensors], *, cuda: bool) -> Execution:
    for batch in batches:
        for _ in range(runner.warmup_calls_per_shape):
            runner.infer(batch)
    profile = profiled(runner.infer, batches, cuda=cuda)
    if runner.describe().get("cuda_graphs") and profile.execution.layers and not profile.graph_launches:
        raise BackendError(
            asked=runner.asked,
            happened="PyTorch's profiler shows kernels, but no CUDA graph that was launched",
            affected="this record only: its latency would be another mode's",
            fix="set mode: compile in the backend's row, or drop the row from params.yaml",
        )
    return profile.execution


def trace(artifact: str, options: Mapping[str, Any], version: str, batches: Sequence[Tensors]) -> Execution | None:
    """The same for the batches of one workload; as `traces`."""
    return traces(artifact, options, version, {"": batches})[""]
