"""An ONNX Runtime session bound to device memory: fixed buffers for each input shape, copies on the session's own stream."""

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from temper.artifacts.signature import Signature, Tensors
from temper.backends.cuda_device import CudaDevice
from temper.backends.runner import Logits
from temper.errors import BackendError

LOGITS = "logits"
_MOST_SHAPES = 64  # bindings kept at a time, the oldest go first: each holds buffers, and a CUDA graph where there are
_ALIGNMENT = 256  # bytes, of each tensor in its block: what CUDA's own allocator keeps


@dataclass(frozen=True)
class _Binding:
    """One shape's buffers; they stay where they are, because a CUDA graph has their addresses in it."""

    io_binding: Any
    run_options: Any
    views: Mapping[str, npt.NDArray[Any]]  # of the host block, by input
    host_inputs: npt.NDArray[np.uint8]  # all inputs, one after the other: one copy
    device_inputs: int
    host_logits: Logits
    device_logits: int
    memory: ExitStack
    graph: int  # ONNX Runtime's number of its CUDA graph


class BoundSession:
    """Runs a session on inputs that are copied to the device and logits that are copied back."""

    def __init__(self, ort: Any, session: Any, device: CudaDevice, signature: Signature, *, cuda_graph: bool) -> None:
        self._ort, self._session, self._device = ort, session, device
        self._specs = signature.inputs
        self._logits_shape = signature.logits_shape
        self._batch_position = signature.inputs[0].axes.index(signature.dynamic_axes[0])
        self._cuda_graph = cuda_graph
        self._bindings: dict[tuple[Any, ...], _Binding] = {}
        self._made = 0

    def run(self, inputs: Tensors) -> Logits:
        """Host arrays in, float32 logits out, complete in host memory.

        Args:
            inputs: the arrays of the signature by name.

        Raises:
            BackendError: memory ran out, or a copy failed. What the session itself raises is passed on.
        """
        key = tuple(inputs[spec.name].shape for spec in self._specs)
        bound = self._bindings.get(key) or self._bind(key)
        for name, view in bound.views.items():
            np.copyto(view, inputs[name], casting="no")
        self._device.copy_to_device(bound.device_inputs, bound.host_inputs)
        self._session.run_with_iobinding(bound.io_binding, bound.run_options)
        self._device.copy_to_host(bound.host_logits, bound.device_logits)
        self._device.synchronize()
        return bound.host_logits.copy()  # the next call of this shape writes over it

    @property
    def bindings(self) -> int:
        """Shapes that were bound so far, those that were dropped again included."""
        return self._made

    def close(self) -> None:
        """Free all buffers; the session is to be dropped before the device's stream is."""
        while self._bindings:
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        oldest = self._bindings.pop(next(iter(self._bindings)))
        if self._cuda_graph and hasattr(self._session, "release_captured_graph"):  # from 1.31 on
            self._session.release_captured_graph(oldest.graph)
        oldest.memory.close()

    def _bind(self, key: tuple[tuple[int, ...], ...]) -> _Binding:
        """Take memory for the inputs and logits of these shapes and bind the session to it."""
        while len(self._bindings) >= _MOST_SHAPES:
            self._drop_oldest()
        device = self._device
        dtypes = [np.dtype(spec.dtype) for spec in self._specs]
        sizes = [math.prod(shape) * dtype.itemsize for shape, dtype in zip(key, dtypes, strict=True)]
        offsets = np.cumsum([0, *(-(-size // _ALIGNMENT) * _ALIGNMENT for size in sizes)]).tolist()
        answer = self._logits_shape(key[0][self._batch_position], key[0][-1])
        with ExitStack() as undo:
            host, address = device.allocate(offsets[-1], undo)
            host_logits, logits_address = device.allocate(math.prod(answer) * 4, undo)
            io_binding = self._session.io_binding()
            views = {}
            for spec, shape, dtype, start, size in zip(self._specs, key, dtypes, offsets, sizes, strict=False):
                views[spec.name] = host[start : start + size].view(dtype).reshape(shape)
                io_binding.bind_input(spec.name, device.kind, device.index, dtype.type, list(shape), address + start)
            io_binding.bind_output(LOGITS, device.kind, device.index, np.float32, list(answer), logits_address)
            bound = _Binding(
                io_binding,
                self._run_options(self._made + 1),
                views,
                host,
                address,
                host_logits.view(np.float32).reshape(answer),
                logits_address,
                undo.pop_all(),
                self._made + 1,
            )
        self._made += 1
        self._bindings[key] = bound
        return bound

    def _run_options(self, graph: int) -> Any:
        """One CUDA graph for each shape, and no wait of the session's own: the copy of the logits follows on its stream."""
        options = self._ort.RunOptions()
        options.add_run_config_entry("disable_synchronize_execution_providers", "1")
        if self._cuda_graph:
            options.add_run_config_entry(
                "gpu_graph_id", str(graph)
            )  # the bundled providers' key, and below the plugin's
            options.add_run_config_entry("cuda_graph_annotation_id", str(graph))
        return options


def check_outputs(session: Any, asked: str) -> None:
    """Refuse a session whose logits are not float32: their buffer could not be bound.

    Raises:
        BackendError: they have another type.
    """
    found = {output.name: output.type for output in session.get_outputs()}
    if found.get(LOGITS) != "tensor(float)":
        raise BackendError(
            asked=asked,
            happened=f"the file's outputs are {found}, where {LOGITS} as tensor(float) is expected",
            affected="this record only",
            fix="export the model anew, or set io_binding: false in the backend's row",
        )
