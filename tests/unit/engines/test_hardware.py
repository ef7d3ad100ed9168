import pytest

from temper.engines.hardware import need_hardware, need_same_capability
from temper.errors import BackendError, Unavailable


@pytest.mark.parametrize("capability", [(7, 5), (8, 6), (8, 0)])
def test_fp8_layers_need_a_gpu_that_multiplies_fp8(capability):
    with pytest.raises(Unavailable, match=r"3 layers of the engine are FP8, which needs compute capability 8\.9"):
        need_hardware({"FP8": 3, "FP32": 1}, capability, "An old GPU")


@pytest.mark.parametrize("capability", [(8, 9), (9, 0), (10, 0), (12, 0)])
def test_ada_and_later_have_it(capability):
    need_hardware({"FP8": 3}, capability, "A GPU")


def test_other_precisions_run_on_any():
    need_hardware({"INT8": 40, "FP16": 2}, (7, 5), "An old GPU")


def test_an_engine_bound_to_a_capability_runs_on_no_other():
    manifest = {"compute_capability": [8, 9], "gpu": "L4"}
    need_same_capability(manifest, (8, 9), "L40", "engines/a")
    with pytest.raises(BackendError) as caught:
        need_same_capability(manifest, (9, 0), "H100", "engines/a")
    assert caught.value.asked == "run engines/a on H100 (compute capability 9.0)"
    assert "built on L4 (compute capability 8.9)" in caught.value.happened
    assert "remove engines/a" in caught.value.fix


@pytest.mark.parametrize("manifest", [{"compute_capability": None, "gpu": None}, {"gpu": "L4"}])
def test_an_engine_that_is_not_bound_or_does_not_say_runs_anywhere(manifest):
    need_same_capability(manifest, (9, 0), "H100", "engines/a")
