"""One optimization profile of a loaded engine: its execution context and its memory; one shape of it: its CUDA graph."""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from temper.backends.staging import LOGITS, Layout, Padded, Staging
from temper.environment.cuda import Device

if TYPE_CHECKING:
    import tensorrt


class OpenProfile:
    """A profile that was used: context and memory are taken with the first call that it runs.

    Attributes:
        number: of the profile in the engine.
        context: has this profile chosen.
        staging: room for the largest call.
        bound: the shape whose sizes and addresses the context holds; None before the first.
        filled_for: the call whose padding stands in the buffer.
        undo: gives everything back.
    """

    def __init__(self, number: int, context: "tensorrt.IExecutionContext", staging: Staging, undo: ExitStack) -> None:
        self.number, self.context, self.staging, self.undo = number, context, staging, undo
        self.bound: BoundShape | None = None
        self.filled_for: Call | None = None


class BoundShape:
    """One shape that the engine runs in, and the CUDA graphs of it.

    Attributes:
        profile: that it runs in.
        sizes: of the dynamic axes.
        layout: of its tensors in the profile's memory.
        graph: of a whole call (copies and kernels), where graphs are used and one was captured.
        kernels: of the kernels alone, captured where the time on the device is asked for.
    """

    def __init__(self, profile: OpenProfile, sizes: tuple[int, ...], layout: Layout) -> None:
        self.profile, self.sizes, self.layout = profile, sizes, layout
        self.graph: Any = None
        self.kernels: Any = None

    def view(self, name: str) -> npt.NDArray[Any]:
        """A tensor in the host's buffer."""
        return self.layout.view(self.profile.staging.host, name)

    def drop(self, device: Device) -> None:
        """Destroy the graphs."""
        for graph in filter(None, (self.graph, self.kernels)):
            device.runtime.cudaGraphExecDestroy(graph)
        self.graph = self.kernels = None


class Call:
    """All that is known of calls of one input shape, so that a call looks nothing up.

    Attributes:
        bound: the shape that the engine runs in; larger than the call's where it is padded.
        inputs: name and place of each input.
        pads: places to be filled first; empty where nothing is padded.
        answer: the call's rows of the logits.
    """

    __slots__ = ("answer", "bound", "inputs", "pads")

    def __init__(self, bound: BoundShape, corners: list[Padded], rows: int) -> None:
        self.bound = bound
        self.inputs = tuple((corner.name, corner.target) for corner in corners)
        padded = any(corner.target.shape != corner.whole.shape for corner in corners)
        self.pads = tuple((corner.whole, corner.pad_value) for corner in corners) if padded else ()
        self.answer = bound.view(LOGITS)[:rows]


def capture(device: Device, stream: Any, work: Callable[[], None], what: str) -> Any:
    """An executable CUDA graph (`cudaGraphExec_t`) of what `work` enqueues on the stream.

    Relaxed: TensorRT-RTX 1.6 calls CUDA in ways that a stricter capture forbids (its contexts say of themselves that they
    cannot be captured). What the graph answers is therefore compared once with what the same call answered without it.

    Raises:
        BackendError: something in it cannot be captured.
    """
    runtime = device.runtime
    mode = runtime.cudaStreamCaptureMode.cudaStreamCaptureModeRelaxed
    device.check(runtime.cudaStreamBeginCapture(stream, mode), f"begin to capture {what}")
    try:
        work()
    except BaseException:
        runtime.cudaStreamEndCapture(stream)  # else the stream would stay in its capture
        raise
    graph = device.check(runtime.cudaStreamEndCapture(stream), f"capture {what}")
    try:
        return device.check(runtime.cudaGraphInstantiate(graph, 0), f"make a graph of {what}")
    finally:
        runtime.cudaGraphDestroy(graph)
