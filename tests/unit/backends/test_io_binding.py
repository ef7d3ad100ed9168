"""Real sessions of the CPU, bound to host memory; only the device is a fake. tests/gpu binds to a GPU."""

import numpy as np
import onnxruntime as ort
import pytest

from temper.backends import io_binding
from temper.backends.io_binding import BoundSession, check_outputs
from temper.errors import BackendError
from tests.tiny_onnx import TEXT, save_onnx_folder, text_inputs, text_model


class HostDevice:
    """Host memory in place of a GPU's; copies are queued until it is waited for, as on a stream."""

    kind, index, stream = "cpu", 0, 0

    def __init__(self):
        self.taken, self._waiting = 0, []

    def allocate(self, nbytes, undo):
        host, device = np.zeros(nbytes, np.uint8), np.zeros(nbytes, np.uint8)
        self.taken += 1
        undo.callback(self._free, device)
        self._memory = {**getattr(self, "_memory", {}), device.ctypes.data: device}
        return host, device.ctypes.data

    def _free(self, device):
        self.taken -= 1
        del self._memory[device.ctypes.data]

    def copy_to_device(self, device, host):
        self._memory[device][:] = host.view(np.uint8).ravel()

    def copy_to_host(self, host, device):
        self._waiting.append((host, device))

    def synchronize(self):
        for host, device in self._waiting:
            host.view(np.uint8).ravel()[:] = self._memory[device]
        self._waiting.clear()


class Released:
    """A session that remembers which CUDA graphs it was told to release."""

    def __init__(self, session):
        self.released = []
        self.io_binding, self.run_with_iobinding = session.io_binding, session.run_with_iobinding

    def release_captured_graph(self, graph):
        self.released.append(graph)


@pytest.fixture
def session(tmp_path):
    folder = save_onnx_folder(tmp_path / "onnx", text_model("fp32"), TEXT, external_data=False)
    return ort.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("cuda_graph", [False, True])
def test_bound_answers_are_those_of_the_session(session, cuda_graph):
    device = HostDevice()
    bound = BoundSession(ort, session, device, TEXT, cuda_graph=cuda_graph)
    for shape in [(4, 16), (1, 7), (4, 16), (3, 33)]:
        inputs = text_inputs(*shape)
        (expected,) = session.run(["logits"], inputs)
        np.testing.assert_array_equal(bound.run(inputs), expected)
    assert (bound.bindings, device.taken) == (3, 6)
    bound.close()
    assert device.taken == 0


def test_an_answer_is_not_overwritten_by_the_next(session):
    bound = BoundSession(ort, session, HostDevice(), TEXT, cuda_graph=False)
    first = bound.run(text_inputs(4, 16))
    kept = first.copy()
    other = {name: array[:, ::-1].copy() for name, array in text_inputs(4, 16).items()}
    assert not np.array_equal(bound.run(other), kept)
    np.testing.assert_array_equal(first, kept)


def test_the_oldest_shape_is_dropped_with_its_memory_and_its_graph(session, monkeypatch):
    monkeypatch.setattr(io_binding, "_MOST_SHAPES", 2)
    device, watched = HostDevice(), Released(session)
    bound = BoundSession(ort, watched, device, TEXT, cuda_graph=True)
    for length in (8, 9, 8, 10, 9):
        bound.run(text_inputs(2, length))
    assert (bound.bindings, device.taken) == (3, 4)
    assert watched.released == [1]


def test_inputs_of_another_dtype_are_refused(session):
    bound = BoundSession(ort, session, HostDevice(), TEXT, cuda_graph=False)
    with pytest.raises(TypeError):
        bound.run({name: array.astype(np.int32) for name, array in text_inputs(2, 8).items()})


def test_a_graph_for_each_shape_has_a_number_of_its_own(session):
    bound = BoundSession(ort, session, HostDevice(), TEXT, cuda_graph=True)
    for length in (8, 9):
        bound.run(text_inputs(2, length))
    found = [each.run_options.get_run_config_entry("gpu_graph_id") for each in bound._bindings.values()]
    assert found == ["1", "2"]


def test_logits_of_another_type_cannot_be_bound(session):
    check_outputs(session, "run it")

    class Half:
        def get_outputs(self):
            return [type("Output", (), {"name": "logits", "type": "tensor(float16)"})]

    with pytest.raises(BackendError, match="tensor\\(float16\\)"):
        check_outputs(Half(), "run it")
