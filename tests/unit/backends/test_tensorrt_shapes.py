"""What a call and a CUDA graph hold, over a GPU that computes on the host; test_tensorrt_runner.py has the whole runner."""

from contextlib import ExitStack

import numpy as np
import pytest

from temper.backends.staging import Layout, Padded, Staging
from temper.backends.tensorrt_shapes import BoundShape, Call, OpenProfile, capture
from temper.environment.cuda import Device
from temper.errors import BackendError
from tests.fake_gpu import OUT_OF_MEMORY, FakeCuda
from tests.tiny_onnx import TEXT

SIZES = {"batch_size": 4, "sequence_length": 8}


@pytest.fixture
def cuda():
    return FakeCuda()


@pytest.fixture
def bound(cuda):
    """A shape of an open profile, with memory."""
    layout = Layout.of(TEXT.inputs, SIZES, (4, 2))
    with ExitStack() as undo:
        staging = Staging(Device(cuda, 0), layout.total_bytes, undo)
        yield BoundShape(OpenProfile(0, None, staging, undo), (4, 8), layout)
    assert cuda.memory == {}


def call_of(bound, shape):
    corners = [Padded.corner(spec, bound.view(spec.name), shape, "right") for spec in TEXT.inputs]
    return Call(bound, corners, shape[0])


def test_a_call_of_the_engines_own_shape_pads_nothing(bound):
    call = call_of(bound, (4, 8))
    assert call.pads == ()
    assert call.answer.shape == (4, 2)


@pytest.mark.parametrize("shape", [(3, 8), (4, 7), (1, 1)])
def test_a_smaller_call_fills_the_whole_of_every_input_and_answers_its_own_rows(bound, shape):
    call = call_of(bound, shape)
    assert [(whole.shape, value) for whole, value in call.pads] == [((4, 8), spec.pad_value) for spec in TEXT.inputs]
    assert [(name, target.shape) for name, target in call.inputs] == [(spec.name, shape) for spec in TEXT.inputs]
    bound.view("logits")[:] = np.arange(8).reshape(4, 2)
    assert call.answer.tolist() == np.arange(8).reshape(4, 2)[: shape[0]].tolist()


def test_the_inputs_of_a_call_are_the_hosts_buffer(bound):
    for whole, target in zip(
        (bound.view(spec.name) for spec in TEXT.inputs), call_of(bound, (2, 3)).inputs, strict=True
    ):
        target[1][:] = 5
        assert whole[:2, :3].tolist() == [[5] * 3] * 2


def test_what_was_captured_runs_when_it_is_launched(cuda):
    ran, device = [], Device(cuda, 0)
    graph = capture(device, 7, lambda: cuda.enqueue(lambda: ran.append(1)), "a call")
    assert ran == []
    cuda.cudaGraphLaunch(graph, 7)
    assert ran == [1]
    assert cuda.calls["cudaGraphDestroy"] == 1


def test_work_that_fails_ends_the_capture_and_its_error_is_the_one_told(cuda):
    def work():
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        capture(Device(cuda, 0), 7, work, "a call")
    assert cuda.captured is None
    assert cuda.graphs == {}


def test_a_graph_that_cannot_be_made_is_destroyed_and_said(cuda):
    cuda.fails["cudaGraphInstantiate"] = OUT_OF_MEMORY
    with pytest.raises(BackendError, match="out of memory") as caught:
        capture(Device(cuda, 0), 7, lambda: None, "the kernels")
    assert caught.value.asked == "make a graph of the kernels on GPU 0"
    assert cuda.calls["cudaGraphDestroy"] == 1


def test_dropping_a_shape_destroys_both_graphs_and_once(cuda, bound):
    device = Device(cuda, 0)
    bound.graph, bound.kernels = (capture(device, 7, lambda: None, name) for name in ("a call", "its kernels"))
    assert len(cuda.graphs) == 2
    bound.drop(device)
    bound.drop(device)
    assert cuda.graphs == {}
    assert (bound.graph, bound.kernels) == (None, None)
