"""A GPU that is none: CUDA's runtime and TensorRT's interface over the host's memory, as far as the runner uses them.

Work runs when it is enqueued, or is kept while a stream is captured and runs when the graph is launched.
"""

import ctypes
import json
import re
from collections import Counter
from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from temper.artifacts.signature import Signature
from temper.engines.profile import Profiles

OUT_OF_MEMORY, ILLEGAL_ADDRESS = 2, 700
_NAMES = {
    OUT_OF_MEMORY: (b"cudaErrorMemoryAllocation", b"out of memory"),
    ILLEGAL_ADDRESS: (b"cudaErrorIllegalAddress", b"an illegal memory access was encountered"),
}
_WITH_A_VALUE = (
    "cudaMalloc",
    "cudaMallocHost",
    "cudaStreamCreate",
    "cudaStreamCreateWithFlags",
    "cudaGraphInstantiate",
    "cudaGetDeviceCount",
)
VERSION = "1.6.1.120"


def _snake(name):
    """'cudaStreamCreate' is answered by '_stream_create'."""
    return re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", name.removeprefix("cuda"))


class FakeCuda:
    """`cuda.bindings.runtime`: every call returns (error code, value …).

    Attributes:
        calls: how often each function was called.
        fails: error code by function, from now on.
        room_bytes: of the device.
    """

    cudaStreamNonBlocking = 1  # noqa: N815
    cudaMemcpyKind = SimpleNamespace(cudaMemcpyHostToDevice=1, cudaMemcpyDeviceToHost=2)  # noqa: N815
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeRelaxed=2)  # noqa: N815

    def __init__(self, *, driver=13000, runtime=13000, capability=(9, 0), room_bytes=1 << 30):
        self.versions, self.capability, self.room_bytes = (driver, runtime), capability, room_bytes
        self.calls, self.fails = Counter(), {}
        self.memory, self.device_bytes = {}, {}
        self.captured = None
        self.graphs = {}

    def __getattr__(self, name):
        if not name.startswith("cuda"):
            raise AttributeError(name)

        def call(*arguments):
            self.calls[name] += 1
            if name in self.fails:
                return (self.fails[name], None) if name in _WITH_A_VALUE else (self.fails[name],)
            found = getattr(self, _snake(name), lambda *_: ())(*arguments)
            return found if isinstance(found, tuple) and found and found[0] == OUT_OF_MEMORY else (0, *found)

        return call

    def enqueue(self, work):
        if self.captured is None:
            work()
        else:
            self.captured.append(work)

    def _driver_get_version(self):
        return (self.versions[0],)

    def _runtime_get_version(self):
        return (self.versions[1],)

    def _get_device_count(self):
        return (1,)

    def _get_device_properties(self, index):
        uuid = SimpleNamespace(bytes=bytes(range(16)))
        return (SimpleNamespace(name=b"Fake GPU\0\0", uuid=uuid, major=self.capability[0], minor=self.capability[1]),)

    def _get_error_name(self, code):
        return (_NAMES[code][0],)

    def _get_error_string(self, code):
        return (_NAMES[code][1],)

    def _stream_create(self):
        return (7,)

    def _stream_create_with_flags(self, flags):
        assert flags == self.cudaStreamNonBlocking
        return (8,)

    def _take(self, nbytes):
        buffer = (ctypes.c_uint8 * nbytes)()
        buffer[:] = b"\xaa" * nbytes  # nobody gives memory of zeros
        self.memory[ctypes.addressof(buffer)] = buffer
        return ctypes.addressof(buffer)

    def _malloc_host(self, nbytes):
        return (self._take(nbytes),)

    def _malloc(self, nbytes):
        if sum(self.device_bytes.values()) + nbytes > self.room_bytes:
            return (OUT_OF_MEMORY, None)
        address = self._take(nbytes)
        self.device_bytes[address] = nbytes
        return (address,)

    def _free_host(self, address):
        del self.memory[address]
        return ()

    def _free(self, address):
        del self.memory[address], self.device_bytes[address]
        return ()

    def _memcpy_async(self, to, source, nbytes, kind, stream):
        self.enqueue(lambda: ctypes.memmove(to, source, nbytes))
        return ()

    def _stream_begin_capture(self, stream, mode):
        assert self.captured is None
        self.captured = []
        return ()

    def _stream_end_capture(self, stream):
        graph, self.captured = self.captured, None
        return (graph,)

    def _graph_instantiate(self, graph, flags):
        number = 100 + len(self.graphs) + self.calls["cudaGraphExecDestroy"]
        self.graphs[number] = graph
        return (number,)

    def _graph_exec_destroy(self, number):
        del self.graphs[number]
        return ()

    def _graph_launch(self, number, stream):
        for work in self.graphs[number]:
            work()
        return ()

    def _event_create(self):
        return (object(),)

    def _event_elapsed_time(self, start, end):
        return (0.25,)


class FakeContext:
    """`IExecutionContext`: logits are the sum of the tokens under the mask, and how many tokens that are."""

    def __init__(self, engine):
        self.engine, self.active_optimization_profile = engine, 0
        self.shapes, self.addresses, self.profiler = {}, {}, None

    def set_optimization_profile_async(self, number, stream):
        self.active_optimization_profile = number
        return True

    def set_input_shape(self, name, shape):
        self.shapes[name] = tuple(shape)
        self.engine.bound += 1
        return self.engine.profiles.profiles[self.active_optimization_profile].holds(tuple(shape))

    def set_tensor_address(self, name, address):
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream):
        shapes, addresses = dict(self.shapes), dict(self.addresses)
        lies = self.engine.graphs_lie and self.engine.cuda.captured is not None

        def run():
            self.engine.ran.append(shapes["input_ids"])
            read = {name: _array(addresses[name], shape, np.int64) for name, shape in shapes.items()}
            logits = _array(addresses["logits"], (shapes["input_ids"][0], 2), np.float32)
            logits[:, 0] = (read["input_ids"] * read["attention_mask"]).sum(axis=1)
            logits[:, 1] = read["attention_mask"].sum(axis=1) + lies
            if self.profiler is not None:
                self.profiler.report_layer_time("sum", 0.5)

        self.engine.cuda.enqueue(run)
        return self.engine.cuda.captured is None or self.engine.can_be_captured_after_all


def _array(address, shape, dtype):
    count = int(np.prod(shape))
    memory = (ctypes.c_uint8 * (count * np.dtype(dtype).itemsize)).from_address(address)
    return np.ctypeslib.as_array(memory).view(dtype).reshape(shape)


class FakeRuntimeCache:
    """`IRuntimeCache`, which takes what begins with b'kernels'."""

    def __init__(self):
        self.content = b""

    def deserialize(self, blob):
        taken = blob.startswith(b"kernels")
        self.content = blob if taken else self.content
        return taken

    def serialize(self):
        return self.content or b"kernels of 1.6"


class FakeEngine:
    """`ICudaEngine` of a text classifier.

    Attributes:
        ran: shape of input_ids of every execution.
        graphs_lie: whether an execution that was captured answers otherwise.
        bound: how often a shape was set.
        can_be_captured_after_all: whether an execution inside a capture succeeds.
    """

    def __init__(self, cuda: FakeCuda, signature: Signature, profiles: Profiles):
        self.cuda, self.signature, self.profiles = cuda, signature, profiles
        self.ran, self.graphs_lie, self.can_be_captured_after_all = [], False, True
        self.bound, self.contexts, self.configs = 0, 0, []
        self._names = [*(spec.name for spec in signature.inputs), "logits"]
        self.num_io_tensors, self.num_optimization_profiles = len(self._names), len(profiles.profiles)

    def get_tensor_name(self, at):
        return self._names[at]

    def get_tensor_dtype(self, name):
        return np.float32 if name == "logits" else np.int64

    def create_runtime_config(self):
        self.configs.append(
            SimpleNamespace(
                set_execution_context_allocation_strategy=lambda strategy: None,
                create_runtime_cache=FakeRuntimeCache,
                set_runtime_cache=lambda cache: True,
            )
        )
        return self.configs[-1]

    def create_execution_context(self, config):
        self.contexts += 1
        return FakeContext(self)

    def create_engine_inspector(self):
        tensor = {"Dimensions": [1], "Datatype": "Float"}
        layers = [{"Name": name, "LayerType": "gemm", "Inputs": [tensor], "Outputs": []} for name in ("sum", "other")]
        return SimpleNamespace(get_engine_information=lambda kind: json.dumps({"Layers": layers}))


class _Logger:
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = (
        SimpleNamespace(name=name) for name in ("INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE")
    )


def fake_tensorrt(engine: FakeEngine | None, messages: Sequence[str] = ()) -> SimpleNamespace:
    """The module: its runtime gives `engine`, or None after it has said `messages` as errors."""

    def runtime(logger):
        def deserialize(content):
            for message in messages:
                logger.log(_Logger.ERROR, message)
            return engine

        return SimpleNamespace(deserialize_cuda_engine=deserialize)

    return SimpleNamespace(
        __file__=None,
        __version__=VERSION,
        ILogger=_Logger,
        IProfiler=object,
        Runtime=runtime,
        nptype=lambda dtype: dtype,
        ExecutionContextAllocationStrategy=SimpleNamespace(STATIC=0, ON_PROFILE_CHANGE=1),
        DynamicShapesKernelSpecializationStrategy=SimpleNamespace(LAZY=0, EAGER=1, NONE=2),
        LayerInformationFormat=SimpleNamespace(JSON=1),
    )
