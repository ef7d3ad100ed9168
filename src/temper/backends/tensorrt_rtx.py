"""TensorRT-RTX. Runs an engine on one NVIDIA GPU; tensorrt_runner.py says how."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, NonNegativeInt, model_validator

from temper.artifacts.signature import Tensors
from temper.backends.runner import Runner
from temper.backends.tensorrt_engine import Settings
from temper.backends.tensorrt_runner import TensorRTRunner
from temper.backends.tensorrt_trace import trace_with, traces_with
from temper.backends.trace import Execution
from temper.engines.tensorrt_rtx import API
from temper.engines.tensorrt_rtx import LIBRARY as LIBRARY

ACCEPTS = ("engines",)
PREDICTS = True


class Options(BaseModel):
    """`options` of a row whose runner is tensorrt_rtx."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    device_index: NonNegativeInt  # CUDA's index of the GPU
    cuda_graph: bool  # capture each shape's call once and launch it from then on
    kernel_specialization: Literal["lazy", "eager", "none"]  # when kernels are compiled for a shape
    runtime_cache: bool  # keep compiled kernels in artifacts/runtime_cache/ from one loading to the next
    trim_padding: bool  # run a call at the length of its longest row, in the smallest shape that holds it

    @model_validator(mode="after")
    def _captured_when_compiled(self) -> Self:
        if self.cuda_graph and self.kernel_specialization == "lazy":
            raise ValueError(
                "cuda_graph with kernel_specialization lazy would keep the kernels that stand in while the shape's own "
                "are compiled; give eager (or none)"
            )
        return self


def _settings(options: Mapping[str, Any]) -> Settings:
    return Settings(**Options.model_validate(options).model_dump())


def open_runner(artifact: str, options: Mapping[str, Any], version: str) -> Runner:
    """A runner of the `model.engine` in the folder `artifact`."""
    return TensorRTRunner(API, artifact, _settings(options), version)


def trace(artifact: str, options: Mapping[str, Any], version: str, batches: Sequence[Tensors]) -> Execution | None:
    """Layers of the engine with their times; as `trace_with`."""
    return trace_with(API, artifact, _settings(options), version, batches)


def traces(
    artifact: str, options: Mapping[str, Any], version: str, workloads: Mapping[str, Sequence[Tensors]]
) -> dict[str, Execution | None]:
    """The same for several workloads on one loading; as `traces_with`."""
    return traces_with(API, artifact, _settings(options), version, workloads)
