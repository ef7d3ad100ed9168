"""ONNX Runtime's execution providers: the options of a row, and how a provider is put into a session."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, NonNegativeInt, PositiveInt, model_validator

from temper.artifacts.signature import Signature
from temper.environment.devices import nvidia_gpus
from temper.environment.library import Library, import_library, installed_version
from temper.errors import BackendError, ProviderNotActive, Unavailable

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
TENSORRT, RTX = "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider"
FUSING = (TENSORRT, RTX)  # they make one node of whatever they can run; what is inside, no profile says
RTX_PLUGIN = Library(
    "onnxruntime_ep_nv_tensorrt_rtx",
    tuple(f"onnxruntime-ep-nv-tensorrt-rtx-cu{major}" for major in (13, 12)),
    "TensorRT-RTX's plugin for ONNX Runtime",
)
_CHECKED = ("device_id", "use_tf32", "enable_cuda_graph", "trt_cuda_graph_enable")
SPOILED = "this record only: its latency would be another device's"
INSTALL_FIX = (
    "install the build that has the provider, and what it needs: the log names the libraries that could not be loaded "
    "(docs/install.md); or drop the row from params.yaml"
)
Shape = list[PositiveInt]


class ProfileShapes(BaseModel):
    """Sizes of the dynamic axes in order, batch first, that an engine is built for."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    min: Shape
    opt: Shape
    max: Shape

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not len(self.min) == len(self.opt) == len(self.max) or not all(
            low <= best <= high for low, best, high in zip(self.min, self.opt, self.max, strict=True)
        ):
            raise ValueError("profile_shapes: let min ≤ opt ≤ max hold on every axis")
        return self


class Options(BaseModel):
    """`options` of a row whose runner is onnxruntime."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    execution_provider: Literal[
        "CPUExecutionProvider", "CUDAExecutionProvider", "TensorrtExecutionProvider", "NvTensorRTRTXExecutionProvider"
    ]
    device_index: NonNegativeInt  # CUDA's number of the GPU
    intra_op_threads: PositiveInt
    spinning: bool  # whether idle threads wait busily: faster alone, a disturbance beside others
    graph_optimization: Literal["disable", "basic", "extended", "all"]
    allow_cpu_fallback: bool  # whether nodes that the provider lacks may run on the CPU; they are listed then
    io_binding: bool  # whether inputs and logits have buffers of their own on the GPU
    cuda_graph: bool  # whether the kernels of each shape are recorded once and replayed as one
    tf32: bool  # whether FP32 products and convolutions may round what they read to TF32
    profile_shapes: ProfileShapes | None  # of the TensorRT providers; null: any shape, or as the provider chooses
    trim_padding: bool = (
        False  # by backends/trimmed.py; not of defaults.yaml: a record of before holds all that was set
    )

    @model_validator(mode="after")
    def _fits_the_provider(self) -> Self:
        provider = self.execution_provider
        if provider == CPU:
            for key in ("device_index", "io_binding", "cuda_graph", "tf32"):
                if getattr(self, key):
                    raise ValueError(f"{key} is {getattr(self, key)}, which {CPU} cannot have: set it to 0 or false")
        if self.cuda_graph and not self.io_binding:
            raise ValueError("cuda_graph is true, which needs buffers that stay where they are: set io_binding to true")
        if provider in FUSING and not self.tf32:
            raise ValueError(f"tf32 is false, but {provider} has no switch for it and may use TF32: set it to true")
        if provider not in FUSING and self.profile_shapes is not None:
            raise ValueError(f"profile_shapes are given, but {provider} builds no engine: set them to null")
        return self


def not_active(asked: str, happened: str, fix: str = INSTALL_FIX) -> ProviderNotActive:
    """The error of a provider that does not execute what it was asked for."""
    return ProviderNotActive(asked=asked, happened=happened, affected=SPOILED, fix=fix)


def need_provider(ort: Any, options: Options, asked: str) -> None:
    """Refuse a provider that this installation or this machine lacks. ONNX Runtime would only warn, and run on the CPU.

    Raises:
        ProviderNotActive: this build of ONNX Runtime does not have it, or its plugin is not installed.
        Unavailable: this machine has no NVIDIA GPU.
    """
    provider = options.execution_provider
    if provider == RTX:
        if installed_version(RTX_PLUGIN) is None:
            raise not_active(asked, f"the plugin {RTX_PLUGIN.distributions[0]} is not installed")
    elif provider not in ort.get_available_providers():
        raise not_active(asked, f"ONNX Runtime {ort.__version__} offers {ort.get_available_providers()}")
    if provider != CPU and not nvidia_gpus():
        raise Unavailable("no NVIDIA GPU")


def provider_options(options: Options, signature: Signature, stream: int | None) -> dict[str, str]:
    """The options of a provider in ONNX Runtime's words.

    Args:
        options: of the row.
        signature: of the model; its inputs have the profile's shapes.
        stream: address of the CUDA stream that the session is to use, or None for its own.
    """
    if options.execution_provider == CPU:
        return {}
    graph = "trt_cuda_graph_enable" if options.execution_provider == TENSORRT else "enable_cuda_graph"
    found = {"device_id": str(options.device_index), graph: str(int(options.cuda_graph))}
    if stream is not None:
        found |= {"has_user_compute_stream": "1", "user_compute_stream": str(stream)}
    if options.execution_provider == CUDA:
        found["use_tf32"] = str(int(options.tf32))  # on by default
    if options.execution_provider == RTX and not options.io_binding:
        found["nv_use_sync_gpu_allocator"] = (
            "1"  # fails with 'Available memory of 0' else, where inputs are on the host
        )
    if options.profile_shapes is not None:
        prefix = "trt" if options.execution_provider == TENSORRT else "nv"
        for bound in ("min", "opt", "max"):
            sizes = dict(zip(signature.dynamic_axes, getattr(options.profile_shapes, bound), strict=True))
            found[f"{prefix}_profile_{bound}_shapes"] = ",".join(
                f"{spec.name}:{'x'.join(map(str, spec.shape(sizes)))}" for spec in signature.inputs
            )
    return found


def add_provider(
    ort: Any, settings: Any, options: Options, chosen: Mapping[str, str], asked: str
) -> tuple[str, dict[str, Any]]:
    """Put the provider into a session's settings.

    Args:
        ort: the module onnxruntime.
        settings: SessionOptions, changed here for a plugin.
        options: of the row.
        chosen: as `provider_options` returned them.
        asked: in words, for errors.

    Returns:
        The name under which the session and its profile list the provider, and what `InferenceSession` is to be called
        with beside the settings.

    Raises:
        Unavailable: the plugin shows no such GPU.
        BackendError: the plugin cannot be loaded.
    """
    provider = options.execution_provider
    if provider != RTX:
        if provider != CPU and hasattr(ort, "preload_dlls"):
            ort.preload_dlls()  # CUDA and cuDNN from PyTorch's own packages, which are not on the loader's path
        return provider, {"providers": [(provider, dict(chosen))]}
    plugin = import_library(RTX_PLUGIN, "installed")
    name: str = plugin.get_ep_name()
    devices = _plugin_devices(ort, name, plugin.get_library_path(), asked)
    fitting = [device for device in devices if device.ep_options.get("device_id") == chosen["device_id"]]
    if not fitting:
        raise Unavailable(
            f"{RTX_PLUGIN.title} {plugin.__version__} shows {len(devices)} devices, none with index "
            f"{options.device_index}: it needs compute capability 8.0 or newer, and a driver for its CUDA version"
        )
    settings.add_provider_for_devices(fitting[:1], dict(chosen))
    return name, {}


def _plugin_devices(ort: Any, name: str, library: str, asked: str) -> Sequence[Any]:
    """The devices of a plugin, which is registered once in a process."""
    try:
        ort.register_execution_provider_library(name, library)
    except Exception as error:  # ONNX Runtime raises many types, all private
        if "already registered" not in str(error):
            raise BackendError(
                asked=asked,
                happened=f"{type(error).__name__}: {str(error).strip()[:400]}",
                affected="this record only",
                fix="docs/install.md says which version of the plugin goes with which ONNX Runtime, driver and GPU",
            ) from error
    return [device for device in ort.get_ep_devices() if device.ep_name == name]


def refuse_other_options(name: str, active: Mapping[str, str], chosen: Mapping[str, str], asked: str) -> None:
    """Refuse a session whose provider says that it took other options than it was given.

    Args:
        name: of the provider.
        active: its options as the session reports them; a plugin may report none.
        chosen: as `provider_options` returned them.
        asked: in words, for the error.

    Raises:
        ProviderNotActive: an option has another value.
    """
    other = {key: active[key] for key in _CHECKED if key in active and key in chosen and active[key] != chosen[key]}
    if other:
        raise not_active(
            asked,
            f"{name} runs with {other}, where { ({key: chosen[key] for key in other}) } was asked for",
            fix="declare what runs in the backend's row, or use another version of ONNX Runtime",
        )
