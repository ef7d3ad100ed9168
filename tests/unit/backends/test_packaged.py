import pytest

from temper.backends.packaged import unsupported

CPU = {"execution_provider": "CPUExecutionProvider"}


@pytest.mark.parametrize(
    ("runner", "options", "side", "why"),
    [
        ("tensorrt", {}, "right", "its runner is tensorrt; the runtime of a package has onnxruntime, openvino"),
        ("onnxruntime", {"execution_provider": "CUDAExecutionProvider"}, "right", "CUDAExecutionProvider"),
        ("pytorch", {"mode": "compile"}, "right", "its mode is compile"),
        ("pytorch", {"mode": "eager"}, "left", "padded on the left"),
        ("pytorch", {"mode": "dynamic_int8"}, "right", "its mode is dynamic_int8"),
    ],
)
def test_what_a_package_does_not_do_is_said_by_its_name(runner, options, side, why):
    assert why in unsupported({"runner": runner, "options": options}, side)


@pytest.mark.parametrize(
    ("runner", "options"),
    [
        ("onnxruntime", CPU),
        ("openvino", {}),
        ("pytorch", {"mode": "eager"}),
        ("pytorch", {"mode": "unpadded-fp8"}),
        ("tensorrt_rtx", {"cuda_graph": True}),
    ],
)
def test_what_it_does_is_taken(runner, options):
    assert unsupported({"runner": runner, "options": options}) is None
