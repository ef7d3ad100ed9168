import pytest

from temper.backends.onnxruntime import trace
from temper.backends.onnxruntime_profile import check_providers, executed_layers
from temper.errors import ProviderNotActive
from tests.unit.backends.test_runner import CPU

OPTIONS = CPU["onnxruntime"][1]
CPU_PROVIDER = "CPUExecutionProvider"


def node(name, kind, provider="CUDAExecutionProvider", start_us=0, us=1, types=("float",), index=0):
    """One event of a profile, as ONNX Runtime writes it."""
    return {
        "cat": "Node",
        "name": f"{name}_kernel_time",
        "ts": start_us,
        "dur": us,
        "args": {
            "op_name": kind,
            "provider": provider,
            "node_index": str(index),
            "input_type_shape": [{word: [1]} for word in types],
            "output_type_shape": [{"float": [1]}],
        },
    }


def profile(*nodes, calls=3):
    """A profile of calls that take 100 µs each; the first warms up."""
    runs = [{"cat": "Session", "name": "model_run", "ts": 100 * call, "dur": 99} for call in range(calls)]
    return [{"cat": "Session", "name": "session_initialization", "ts": 0, "dur": 1}, *nodes, *runs]


CUDA = "CUDAExecutionProvider"
ON_CUDA = [node("attention", "MatMul", start_us=at, us=us) for at, us in ((10, 900), (110, 20), (210, 40))]
ON_CPU = [node("length", "Shape", "CPUExecutionProvider", start_us=at, types=("int64",)) for at in (5, 105, 205)]


def check(events, **changes):
    settings = {"wanted": "CUDAExecutionProvider", "allow_cpu_fallback": False, "asked": "run it on CUDA", **changes}
    return check_providers(executed_layers(events, provider=CUDA), **settings)


def test_times_are_means_over_the_calls_after_the_first():
    on_cpu = [node("attention", "MatMul", CPU_PROVIDER, at, us) for at, us in ((10, 900), (110, 20), (210, 40))]
    (layer,) = executed_layers(profile(*on_cpu), provider=CPU_PROVIDER)
    assert (layer.name, layer.type, layer.precision) == ("attention", "MatMul", "FP32")
    assert (layer.device, layer.time_ms) == (CPU_PROVIDER, pytest.approx(0.03))


def test_nodes_of_a_gpu_have_no_times_because_it_works_on_after_their_code_has_returned():
    (layer,) = executed_layers(profile(*ON_CUDA), provider=CUDA)
    assert (layer.device, layer.precision, layer.time_ms) == (CUDA, "FP32", None)


def test_what_a_fused_node_computes_in_is_not_listed():
    fused = node("TRTKernel_0", "TRTKernel_0", "nv_tensorrt_rtx", start_us=110, types=("int64",))
    (layer,) = executed_layers(profile(fused), provider="NvTensorRTRTXExecutionProvider")
    assert (layer.precision, layer.device) == ("not listed", "nv_tensorrt_rtx")


def test_a_profile_without_nodes_shows_nothing():
    with pytest.raises(ProviderNotActive, match="lists no node"):
        check(profile())


def test_a_node_on_the_cpu_is_an_error_where_another_provider_was_asked_for():
    with pytest.raises(ProviderNotActive) as caught:
        check(profile(*ON_CUDA, *ON_CPU))
    assert caught.value.asked == "run it on CUDA"
    assert caught.value.happened == "1 of 2 nodes ran on CPUExecutionProvider: Shape 'length'"
    assert caught.value.affected == "this record only: its latency would be another device's"
    assert "allow_cpu_fallback: true" in caught.value.fix


def test_of_many_nodes_on_the_cpu_the_first_five_are_named():
    many = [node(f"n{at}", "Shape", "CPUExecutionProvider", start_us=110 + at, index=at) for at in range(7)]
    with pytest.raises(ProviderNotActive, match="7 of 7 nodes") as caught:
        check(profile(*many))
    assert caught.value.happened.endswith("Shape 'n4', …")


def test_a_row_may_allow_nodes_on_the_cpu_and_then_they_are_listed():
    assert check(profile(*ON_CUDA, *ON_CPU), allow_cpu_fallback=True) == ("Shape length",)
    assert check(profile(*ON_CUDA), allow_cpu_fallback=True) == ()


def test_a_third_provider_is_an_error_whatever_the_row_allows():
    with pytest.raises(ProviderNotActive, match="DmlExecutionProvider"):
        check(profile(node("x", "Add", "DmlExecutionProvider", start_us=110)), allow_cpu_fallback=True)


def test_a_real_profile_of_the_cpu_passes_for_the_cpu_and_not_for_cuda(tiny_study):
    execution = trace(str(tiny_study.fp32), OPTIONS, "installed", [tiny_study.inputs([0, 1])])
    settings = {"allow_cpu_fallback": False, "asked": "run it"}
    assert check_providers(execution.layers, wanted="CPUExecutionProvider", **settings) == ()
    with pytest.raises(ProviderNotActive, match=f"{len(execution.layers)} of {len(execution.layers)} nodes"):
        check_providers(execution.layers, wanted="CUDAExecutionProvider", **settings)


@pytest.mark.parametrize(
    ("kind", "types", "precision"),
    [
        ("MatMulIntegerToFloat", ("uint8", "float", "float", "uint8"), "INT8"),
        ("DynamicQuantizeMatMul", ("float", "float", "int8"), "INT8"),
        ("MatMul", ("float16",), "FP16"),
        ("Gather", ("float", "int64"), "FP32"),
        ("Where", ("bool", "float", "float"), "FP32"),
        ("Concat", ("int64", "int64"), "INT64"),
        ("Constant", (), "FP32"),
    ],
)
def test_a_node_computes_in_the_type_of_the_data_it_reads(kind, types, precision):
    (layer,) = executed_layers(profile(node("n", kind, start_us=150, types=types)), provider=CUDA)
    assert layer.precision == precision


def test_the_time_of_a_branch_is_that_of_the_nodes_in_it():
    (layer,) = executed_layers(
        profile(node("n", "If", CPU_PROVIDER, start_us=150, types=("bool",))), provider=CPU_PROVIDER
    )
    assert layer.time_ms is None
