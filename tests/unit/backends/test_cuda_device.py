"""ONNX Runtime's GPU memory over a CUDA that computes on the host; tests/gpu/test_onnxruntime.py binds to a GPU."""

from contextlib import ExitStack

import numpy as np
import pytest

from temper.backends import cuda_device
from temper.backends.cuda_device import CudaDevice
from temper.errors import BackendError, LibraryError, Unavailable
from tests.fake_gpu import OUT_OF_MEMORY, FakeCuda


@pytest.fixture
def cuda(monkeypatch):
    fake = FakeCuda(room_bytes=4096)
    monkeypatch.setattr(cuda_device, "import_runtime", lambda: fake)
    return fake


def test_a_stream_of_its_own_is_opened_and_given_back(cuda):
    with CudaDevice(0) as device:
        assert (device.kind, device.index, device.stream) == ("cuda", 0, 8)
        assert cuda.calls["cudaStreamDestroy"] == 0
    assert cuda.calls["cudaStreamDestroy"] == 1


def test_what_is_copied_there_and_back_is_the_same_and_the_memory_is_freed(cuda):
    with CudaDevice(0) as device, ExitStack() as undo:
        sent, there = device.allocate(64, undo)
        back, other = device.allocate(64, undo)
        sent[:], back[:] = np.arange(64), 0
        device.copy_to_device(there, sent)
        assert back.tolist() == [0] * 64
        device.copy_to_host(back, there)
        device.synchronize()
        assert back.tolist() == list(range(64))
        assert there != other
        assert len(cuda.device_bytes) == 2
    assert cuda.memory == cuda.device_bytes == {}


def test_memory_that_is_not_there_says_so_and_leaves_nothing_taken(cuda):
    with CudaDevice(0) as device:
        with ExitStack() as undo, pytest.raises(BackendError, match="out of memory"):
            device.allocate(5000, undo)
        assert cuda.memory == {}


@pytest.mark.parametrize(
    ("call", "function", "said"),
    [
        ("copy_to_device", "cudaMemcpyAsync", "copy to the device on GPU 0"),
        ("copy_to_host", "cudaMemcpyAsync", "copy to the host on GPU 0"),
        ("synchronize", "cudaStreamSynchronize", "wait for the GPU on GPU 0"),
    ],
)
def test_a_call_that_fails_says_what_it_was_for(cuda, call, function, said):
    host = np.zeros(8, np.uint8)
    arguments = {"copy_to_device": (1, host), "copy_to_host": (host, 1), "synchronize": ()}[call]
    with CudaDevice(0) as device:
        cuda.fails[function] = OUT_OF_MEMORY
        with pytest.raises(BackendError) as caught:
            getattr(device, call)(*arguments)
    assert caught.value.asked == said


def test_a_gpu_that_is_not_there_is_not_measured(cuda):
    with pytest.raises(Unavailable, match="none with index 3"), CudaDevice(3):
        pass


def test_without_a_driver_it_is_not_measured(monkeypatch):
    monkeypatch.setattr(cuda_device, "import_runtime", lambda: FakeCuda(driver=0))
    with pytest.raises(Unavailable, match="no NVIDIA driver"), CudaDevice(0):
        pass


def test_here_it_is_not_measured_or_its_package_is_missed():
    """The real cuda-bindings, where it is installed: on a machine without a GPU nothing else may come out."""
    from temper.environment.devices import nvidia_gpus

    if nvidia_gpus():
        pytest.skip("this machine has a GPU: tests/gpu/test_onnxruntime.py runs there")
    with pytest.raises((Unavailable, LibraryError)), CudaDevice(0):
        pass
