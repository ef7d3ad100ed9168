import pytest

from temper.engines.hardware import need_hardware
from temper.errors import Unavailable


@pytest.mark.parametrize("capability", [(7, 5), (8, 6), (8, 0)])
def test_fp8_layers_need_a_gpu_that_multiplies_fp8(capability):
    with pytest.raises(Unavailable, match=r"3 layers of the engine are FP8, which needs compute capability 8\.9"):
        need_hardware({"FP8": 3, "FP32": 1}, capability, "An old GPU")


@pytest.mark.parametrize("capability", [(8, 9), (9, 0), (10, 0), (12, 0)])
def test_ada_and_later_have_it(capability):
    need_hardware({"FP8": 3}, capability, "A GPU")


def test_other_precisions_run_on_any():
    need_hardware({"INT8": 40, "FP16": 2}, (7, 5), "An old GPU")
