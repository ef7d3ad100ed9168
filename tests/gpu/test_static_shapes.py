"""Static shapes, CUDA graphs, the runtime cache and the device's clock on a real GPU, against the dynamic engine without."""

import numpy as np
import pytest

from temper.artifacts.manifest import read_manifest
from temper.backends.tensorrt_rtx import open_runner, trace
from temper.engines.build import build_engine
from temper.environment.devices import nvidia_gpus
from temper.errors import BackendError
from temper.measurement import alone
from tests.tiny_onnx import TEXT, save_onnx_folder, summing_text_model, text_inputs

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not nvidia_gpus(), reason="no NVIDIA GPU")]
pytest.importorskip("tensorrt_rtx")
COMMON = {"library": "tensorrt_rtx", "version": "installed", "onnx": "tiny"}
DYNAMIC = {**COMMON, "min_shape": [1, 1], "opt_shape": [4, 16], "max_shape": [16, 128]}
STATIC = {**COMMON, "static_shapes": [[1, 128], [4, 16], [16, 64]]}
OPTIONS = {
    "device_index": 0,
    "cuda_graph": False,
    "kernel_specialization": "eager",
    "runtime_cache": False,
    "trim_padding": False,
}
# with repetitions, so that a graph runs again after others were captured on the same context
SHAPES = [(4, 16), (1, 128), (3, 7), (16, 64), (4, 16), (9, 33), (1, 1), (16, 63), (3, 7), (1, 128), (9, 33)]
TOLERANCE = 2e-3  # of the largest logit: another shape may have another kernel, and FP32 engines multiply in TF32


@pytest.fixture(scope="module")
def engines(tmp_path_factory):
    """One model as an engine with a dynamic profile, and as one of static shapes."""
    place = tmp_path_factory.mktemp("static") / "artifacts"
    onnx = save_onnx_folder(place / "onnx/tiny", summing_text_model(), TEXT, external_data=False)
    for name, row in (("dynamic", DYNAMIC), ("static", STATIC)):
        (place / "engines").mkdir(exist_ok=True)
        build_engine(onnx_folder=onnx, engine_folder=place / "engines" / name, row=row, name=name)
    return place / "engines"


def assert_same(logits, expected, said=""):
    np.testing.assert_allclose(
        logits, expected, atol=TOLERANCE * max(1.0, np.abs(expected).max()), rtol=0, err_msg=said
    )


def answers(folder, shapes=SHAPES, **changes):
    with open_runner(str(folder), {**OPTIONS, **changes}, "installed") as runner:
        return [runner.infer(text_inputs(*shape)) for shape in shapes], runner.describe()


def test_static_shapes_and_graphs_answer_as_the_dynamic_engine_without(engines):
    plain, _ = answers(engines / "dynamic")
    for name in ("dynamic", "static"):
        eager, said = answers(engines / name)
        assert said["cuda_graph"] == "not used"
        graphs, said = answers(engines / name, cuda_graph=True)
        assert said["cuda_graph"] == {"dynamic": "7 captured", "static": "3 captured"}[name]
        for at, shape in enumerate(SHAPES):
            assert graphs[at].shape == (shape[0], 2)
            np.testing.assert_allclose(graphs[at], eager[at], atol=1e-4, rtol=1e-5, err_msg=f"{name} {shape}")
            assert_same(graphs[at], plain[at], f"{name} {shape}")
    assert said["profiles_used"] == [0, 1, 2]


def test_rows_beside_a_row_do_not_change_it(engines):
    alone_, beside = text_inputs(1, 10), text_inputs(4, 10)
    first = {name: array[:1].copy() for name, array in beside.items()}
    with open_runner(str(engines / "static"), {**OPTIONS, "cuda_graph": True}, "installed") as runner:
        full = runner.infer(beside)
        runner.infer({name: array[:, :3].copy() for name, array in alone_.items()})
        one = runner.infer(first)
    assert_same(one[0], full[0])


def test_padding_is_trimmed_and_the_answers_stay(engines):
    """Rows of 20 tokens padded to 128: the shape of 128 tokens is not needed."""
    inputs = text_inputs(4, 128)
    for array in inputs.values():
        array[:, 20:] = 0
    short = {name: array[:, :20].copy() for name, array in inputs.items()}
    with open_runner(
        str(engines / "static"), {**OPTIONS, "cuda_graph": True, "trim_padding": True}, "installed"
    ) as runner:
        assert_same(runner.infer(inputs), runner.infer(short))
        assert runner.computed_tokens(inputs, ()) == 16 * 64
        assert runner.describe()["cuda_graph"] == "1 captured"


def test_a_batch_that_no_static_shape_holds_is_refused_and_the_runner_goes_on(engines):
    with open_runner(str(engines / "static"), {**OPTIONS, "cuda_graph": True}, "installed") as runner:
        for shape in [(17, 16), (2, 65), (1, 129)]:
            with pytest.raises(BackendError):
                runner.infer(text_inputs(*shape))
        assert runner.infer(text_inputs(16, 64)).shape == (16, 2)
        assert runner.limits() == {"batch_size": (1, 16), "sequence_length": (1, 128)}


@pytest.mark.parametrize("name", ["dynamic", "static"])
@pytest.mark.parametrize("cuda_graph", [False, True])
def test_the_device_tells_how_long_it_computed(engines, name, cuda_graph):
    with open_runner(str(engines / name), {**OPTIONS, "cuda_graph": cuda_graph}, "installed") as runner:
        inputs = text_inputs(16, 64)
        expected = runner.infer(inputs)
        times_ms = [runner.device_time_ms(inputs) for _ in range(5)]
        np.testing.assert_array_equal(runner.infer(inputs), expected)
    assert 0 < min(times_ms) < 1000


def test_the_runtime_cache_is_written_found_and_answers_the_same(engines):
    first, said = answers(engines / "static", runtime_cache=True)
    assert said["runtime_cache"]["found"] is False
    (file,) = (engines.parent / "runtime_cache").iterdir()
    assert file.stat().st_size > 100
    second, said = answers(engines / "static", runtime_cache=True)
    assert said["runtime_cache"] == {"file": file.name, "found": True}
    for one, other in zip(first, second, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4, rtol=1e-5)
    file.write_bytes(file.read_bytes()[:-10])
    third, said = answers(engines / "static", runtime_cache=True)
    assert said["runtime_cache"]["found"] is False
    np.testing.assert_allclose(third[0], first[0], atol=1e-4, rtol=1e-5)


@pytest.mark.parametrize("choice", ["lazy", "eager", "none"])
def test_every_way_to_specialize_kernels_answers(engines, choice):
    plain, _ = answers(engines / "dynamic", shapes=SHAPES[:4])
    other, said = answers(engines / "dynamic", shapes=SHAPES[:4], kernel_specialization=choice)
    assert said["kernel_specialization"] == choice
    for one, two in zip(plain, other, strict=True):
        assert_same(two, one)


def test_a_trace_of_static_shapes_lists_the_layers_of_the_profile_that_ran(engines):
    whole = sum(read_manifest(engines / "static/engine.json", kind="engine")["layers_by_precision"].values())
    traced = trace(str(engines / "static"), {**OPTIONS, "cuda_graph": True}, "installed", [text_inputs(4, 16)])
    assert all(layer.time_ms for layer in traced.layers), traced.source
    assert 0 < len(traced.layers) < whole


def test_several_callers_with_loadings_of_their_own_capture_at_the_same_time(engines):
    side = {
        "runner": "tensorrt_rtx",
        "artifact": str(engines / "static"),
        "options": {**OPTIONS, "cuda_graph": True},
        "version": "installed",
    }
    from temper.measurement.task import open_side
    from temper.measurement.timed_inputs import TimedInputs

    shapes = [(4, 16), (16, 64), (1, 100)]
    inputs = TimedInputs([text_inputs(*shape) for shape in shapes], [4, 16, 1], 0.0, "", shapes)
    with open_side(side) as first:
        assert alone._saturated(side, first, inputs, callers=3, duration_s=0.3) > 100


def test_memory_that_runs_out_for_one_shape_is_said_and_the_others_go_on(tmp_path, engines):
    from cuda.bindings import runtime

    onnx = engines.parent / "onnx/tiny"
    row = {**COMMON, "static_shapes": [[4, 16], [65536, 512]]}
    build_engine(onnx_folder=onnx, engine_folder=tmp_path / "engine", row=row, name="large")
    with open_runner(str(tmp_path / "engine"), OPTIONS, "installed") as runner:
        expected = runner.infer(text_inputs(4, 16))
        free = runtime.cudaMemGetInfo()[1]
        failure, taken = runtime.cudaMalloc(free - 256 * 2**20)  # all but what the small shape needs
        assert int(failure) == 0
        try:
            with pytest.raises(BackendError, match=r"(?i)out.?of.?memory"):
                runner.infer(text_inputs(65536, 512))
            np.testing.assert_array_equal(runner.infer(text_inputs(4, 16)), expected)
        finally:
            runtime.cudaFree(taken)
