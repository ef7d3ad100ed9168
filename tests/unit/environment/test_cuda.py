import os
import subprocess
import sys

import pytest

from temper.environment import cuda
from temper.environment.cuda import Device, check_driver
from temper.errors import BackendError, Unavailable
from tests.fake_gpu import ILLEGAL_ADDRESS, OUT_OF_MEMORY, FakeCuda


def reason(check, *arguments):
    with pytest.raises(Unavailable) as caught:
        check(*arguments)
    return caught.value.reason


@pytest.mark.parametrize(
    ("driver", "runtime", "needs", "said"),
    [
        (0, 13000, 13, "no NVIDIA driver"),
        (12080, 13000, 13, "the driver is too old: it offers CUDA 12.8, and TensorRT-RTX 1.6 needs CUDA 13.0 or later"),
        (12080, 13000, None, "the driver is too old: it offers CUDA 12.8, and cuda-bindings needs CUDA 13.0 or later"),
        (12080, 12090, 13, "the driver is too old: it offers CUDA 12.8, and TensorRT-RTX 1.6 needs CUDA 13.0 or later"),
    ],
)
def test_a_driver_that_is_absent_or_too_old_is_said(driver, runtime, needs, said):
    assert reason(check_driver, FakeCuda(driver=driver, runtime=runtime), "TensorRT-RTX 1.6", needs) == said


@pytest.mark.parametrize(("driver", "runtime", "needs"), [(13000, 13020, 13), (13010, 12080, 12), (12040, 12080, None)])
def test_a_driver_serves_every_runtime_of_its_major_version_and_of_those_before(driver, runtime, needs):
    check_driver(FakeCuda(driver=driver, runtime=runtime), "TensorRT-RTX", needs)


def test_a_driver_whose_library_is_absent_is_no_driver():
    cuda = FakeCuda()

    def absent():
        raise RuntimeError("Failed to dlopen\nlibcuda.so.1")

    cuda.cudaDriverGetVersion = absent
    assert reason(check_driver, cuda, "TensorRT", 13) == "no NVIDIA driver (Failed to dlopen libcuda.so.1)"


def test_a_gpu_is_known_by_name_and_capability():
    device = Device(FakeCuda(capability=(8, 9)), 0)
    assert (device.name, device.capability) == ("Fake GPU", (8, 9))


def test_a_gpu_that_is_not_there_is_unavailable():
    assert reason(Device, FakeCuda(), 3) == "CUDA shows 1 devices, none with index 3"
    cuda = FakeCuda()
    cuda.fails["cudaGetDeviceCount"] = OUT_OF_MEMORY
    assert "none with index 0 (cudaErrorMemoryAllocation: out of memory)" in reason(Device, cuda, 0)


def test_a_call_that_fails_is_an_error_and_one_that_ends_the_context_is_unavailable():
    device = Device(FakeCuda(), 0)
    assert device.check((0, 5), "do it") == 5
    assert device.check((0,), "do it") is None
    with pytest.raises(BackendError) as caught:
        device.check((OUT_OF_MEMORY, None), "take 5 bytes")
    assert (caught.value.asked, caught.value.happened) == (
        "take 5 bytes on GPU 0",
        "cudaErrorMemoryAllocation: out of memory",
    )
    said = reason(device.check, (ILLEGAL_ADDRESS,), "wait")
    assert "cudaErrorIllegalAddress" in said
    assert "others were not touched" in said


def test_the_last_error_of_a_shared_runtime_is_forgotten_where_one_is_loaded(monkeypatch):
    assert cuda.forget_last_error() is False  # none is loaded here, and none gets loaded
    asked = []

    class Loaded:
        def __init__(self, name, mode):
            if name != "libcudart.so.13" or not mode & os.RTLD_NOLOAD:
                raise OSError(name)

        def cudaGetLastError(self):  # noqa: N802
            asked.append(101)

    monkeypatch.setattr(cuda.ctypes, "CDLL", Loaded)
    assert cuda.forget_last_error() is True
    assert asked == [101]


def test_importing_it_imports_no_cuda():
    program = "import sys, temper.environment.cuda; print([name for name in sys.modules if name.startswith('cuda')])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
