import functools
import shutil

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from temper.backends import pytorch_modes
from temper.backends.pytorch import batch_dependent, open_runner, trace
from temper.errors import ArtifactError, BackendError, PrecisionNotActive, Unavailable
from tests.unit.backends.test_runner import CPU

OPTIONS = CPU["pytorch"][1]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_without_a_gpu_is_unavailable_and_never_a_cpu_latency(tiny_study):
    runner = open_runner(str(tiny_study.checkpoint), {**OPTIONS, "device": "cuda"}, "installed")
    with pytest.raises(Unavailable, match="sees no CUDA device"), runner:
        pass


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_the_dtype_asked_for_is_the_one_that_runs(tiny_study, dtype):
    inputs = tiny_study.inputs([0, 1, 2])
    with open_runner(str(tiny_study.checkpoint), OPTIONS, "installed") as runner:
        expected = runner.infer(inputs)
    with open_runner(str(tiny_study.checkpoint), {**OPTIONS, "dtype": dtype}, "installed") as runner:
        logits = runner.infer(inputs)
        assert runner.describe()["dtype"] == dtype
    assert logits.dtype == np.float32
    assert np.abs(logits - expected).max() < 0.1
    assert (dtype == "float32") == np.array_equal(logits, expected)


def test_altered_weights_are_refused(tiny_study, copy_of):
    folder = copy_of(tiny_study.checkpoint)
    with open(folder / "model.safetensors", "ab") as stream:
        stream.write(b"\0")
    with pytest.raises(ArtifactError, match=r"model\.safetensors"), open_runner(str(folder), OPTIONS, "installed"):
        pass


@pytest.mark.parametrize(("dtype", "precision"), [("float32", "FP32"), ("bfloat16", "BF16")])
def test_modules_that_were_called_are_listed_with_the_dtype_of_their_parameters(tiny_study, dtype, precision):
    execution = trace(
        str(tiny_study.checkpoint), {**OPTIONS, "dtype": dtype}, "installed", [tiny_study.inputs([0]) for _ in range(2)]
    )
    assert {layer.type for layer in execution.layers} == {"Embedding", "LayerNorm", "Linear"}
    assert {(layer.precision, layer.device, layer.time_ms) for layer in execution.layers} == {(precision, "cpu", None)}
    assert len({layer.name for layer in execution.layers}) == len(execution.layers)


def test_a_module_that_was_not_called_is_not_listed(tiny_study):
    assert trace(str(tiny_study.checkpoint), OPTIONS, "installed", []).layers == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"tf32": True}, "a CPU has no TF32"),
        ({"mode": "compile-reduce-overhead"}, "on the CPU set compile"),
        ({"mode": "dynamic_int8", "dtype": "bfloat16"}, "kernels are the CPU's and read float32"),
        ({"mode": "dynamic_int8", "device": "cuda"}, "kernels are the CPU's and read float32"),
        ({"mode": "unpadded-fp8"}, "set device to cuda and dtype to bfloat16"),
        ({"mode": "onnx"}, "'eager', 'compile'"),
    ],
)
def test_options_that_could_not_run_as_asked_are_refused(changes, said):
    with pytest.raises(ValidationError, match=said):
        open_runner("anywhere", {**OPTIONS, **changes}, "installed")


def test_the_reason_why_there_is_no_cuda_is_pytorchs_own(tiny_study, monkeypatch):
    def too_old():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", too_old)
    runner = open_runner(str(tiny_study.checkpoint), {**OPTIONS, "device": "cuda"}, "installed")
    with pytest.raises(Unavailable, match=r"sees no CUDA device: The NVIDIA driver .* is too old"), runner:
        pass


def test_threads_and_precision_are_set_anew_where_a_neighbour_has_changed_them(tiny_study):
    inputs = tiny_study.inputs([0])
    with open_runner(str(tiny_study.checkpoint), OPTIONS, "installed") as runner:
        torch.set_num_threads(2)
        torch.set_float32_matmul_precision("medium")
        runner.infer(inputs)
        assert torch.get_num_threads() == 1
        assert torch.get_float32_matmul_precision() == "highest"


def answers(tiny_study, mode, shapes, calls=3):
    """Answers of a mode to rows of these lengths, each shape called several times; and what the runner says of itself."""
    with open_runner(str(tiny_study.checkpoint), {**OPTIONS, "mode": mode}, "installed") as runner:
        found = [
            [runner.infer(tiny_study.inputs(rows, length=length)) for _ in range(calls)] for rows, length in shapes
        ]
        return found, runner.describe()


@pytest.fixture(params=["aot_eager", pytest.param("inductor", marks=pytest.mark.long)])
def graphs(request, monkeypatch):
    """What becomes of captured graphs: with every change they run operator by operator; before a release Inductor makes C++ of
    them, which takes it a minute to begin with. Which graphs there are is the same."""
    if request.param != "inductor":
        monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=request.param))


SHAPES = [([0, 1], 16), ([2, 3], 16), ([4], 24)]  # two of them alike
compiler = pytest.mark.skipif(not any(map(shutil.which, ("g++", "clang++"))), reason="no C++ compiler")


@pytest.mark.parametrize("mode", [pytest.param("compile", marks=compiler), "torchscript"])
@pytest.mark.usefixtures("graphs")
def test_every_shape_has_a_graph_of_its_own_with_the_answers_of_the_eager_model(tiny_study, mode):
    eager, _ = answers(tiny_study, "eager", SHAPES)
    found, described = answers(tiny_study, mode, SHAPES)
    for several, expected in zip(found, eager, strict=True):
        for logits in several:  # also of the calls after which TorchScript has optimised
            np.testing.assert_allclose(logits, expected[0], atol=1e-5)
    assert described["mode"] == mode
    if mode == "torchscript":
        assert described["traced_graphs"] == 2
    else:
        assert (described["compiled_shapes"], described["compiled_graphs"]) == (2, 2)
        assert (described["recompilations"], described["graph_breaks"], described["cuda_graphs"]) == (0, 0, False)


@pytest.mark.parametrize(
    ("mode", "padded_first"),
    [
        pytest.param("compile", True, marks=compiler),
        pytest.param("compile", False, marks=compiler),
        ("torchscript", True),
        ("torchscript", False),
    ],
)
@pytest.mark.usefixtures("graphs")
def test_a_graph_made_without_padding_answers_padded_rows(tiny_study, mode, padded_first):
    """Attention leaves a mask out where nothing is padded: a graph must not keep that of the row it was made with."""
    full, padded = tiny_study.inputs([0], length=8), tiny_study.inputs([0], length=8)
    padded["attention_mask"] = np.array([[1, 1, 1, 1, 0, 0, 0, 0]], np.int64)
    order = [padded, full] if padded_first else [full, padded]
    found = {}
    for name in ("eager", mode):
        with open_runner(str(tiny_study.checkpoint), {**OPTIONS, "mode": name}, "installed") as runner:
            found[name] = [runner.infer(each) for each in (*order, *order)]
    np.testing.assert_allclose(found[mode], found["eager"], atol=1e-5)
    assert np.abs(found["eager"][0] - found["eager"][1]).max() > 1e-3


@compiler
@pytest.mark.usefixtures("graphs")
def test_two_compiled_runners_of_one_process_share_no_graph(tiny_study):
    found = [answers(tiny_study, "compile", SHAPES[:1], calls=1)[1] for _ in range(2)]
    assert [described["compiled_graphs"] for described in found] == [1, 1]


@compiler
@pytest.mark.usefixtures("graphs")
def test_beyond_the_limit_of_graphs_nothing_runs_eager_in_silence(tiny_study, monkeypatch):
    monkeypatch.setattr(pytorch_modes, "MOST_SHAPES", 1)
    with pytest.raises(BackendError, match="FailOnRecompileLimitHit") as caught:
        answers(tiny_study, "compile", SHAPES)
    assert caught.value.asked.endswith("in float32 on cpu, mode compile")
    assert "mode: eager" in caught.value.fix


@compiler
@pytest.mark.usefixtures("graphs")
def test_more_shapes_than_torchs_own_limit_are_compiled(tiny_study):
    with torch._dynamo.config.patch(recompile_limit=1):  # 8 by default
        _, described = answers(tiny_study, "compile", SHAPES, calls=1)
    assert described["compiled_graphs"] == 2


@compiler
@pytest.mark.parametrize("by_torch", [True, False])
def test_a_compilation_that_is_switched_off_is_refused(tiny_study, monkeypatch, by_torch):
    if not by_torch:  # as where torch.compile hands the function back as it is
        monkeypatch.setattr(torch, "compile", lambda function, **settings: function)
    said = "found no compiled frames" if by_torch else "ran eager"
    with torch._dynamo.config.patch(disable=by_torch), pytest.raises(BackendError, match=said):
        answers(tiny_study, "compile", SHAPES[:1])


def test_without_a_compiler_a_compiled_row_is_not_measured(tiny_study, monkeypatch):
    from torch._inductor import cpp_builder

    def none():
        raise RuntimeError("No working C++ compiler found")

    monkeypatch.setattr(cpp_builder, "get_cpp_compiler", none)
    runner = open_runner(str(tiny_study.checkpoint), {**OPTIONS, "mode": "compile"}, "installed")
    with pytest.raises(Unavailable, match="No working C"), runner:
        pass


def test_dynamic_int8_quantises_the_linear_layers_and_no_others(tiny_study):
    eager, _ = answers(tiny_study, "eager", SHAPES)
    found, described = answers(tiny_study, "dynamic_int8", SHAPES)
    assert described["quantized_linear_layers"] == 8
    difference = max(np.abs(logits[0] - expected[0]).max() for logits, expected in zip(found, eager, strict=True))
    assert 1e-5 < difference < 0.1 * np.ptp(np.concatenate([logits[0] for logits in eager]))
    execution = trace(
        str(tiny_study.checkpoint), {**OPTIONS, "mode": "dynamic_int8"}, "installed", [tiny_study.inputs([0])]
    )
    assert execution.summary()["products_by_precision"] == {"INT8": 8}
    assert {layer.precision for layer in execution.layers if not layer.is_product} == {"FP32"}


def test_only_dynamic_int8_depends_on_the_batch():
    assert batch_dependent({**OPTIONS, "mode": "dynamic_int8"})
    assert not batch_dependent(OPTIONS)


def test_a_model_without_linear_layers_is_not_called_int8():
    with pytest.raises(PrecisionNotActive, match="nothing was quantised"):
        pytorch_modes.quantize_linear_layers(torch.nn.Sequential(torch.nn.ReLU()), asked="run it in INT8")


@pytest.mark.parametrize(
    ("mode", "dtype", "precision"),
    [
        pytest.param("compile", "float32", "FP32", marks=(compiler, pytest.mark.long)),
        pytest.param("compile", "bfloat16", "BF16", marks=(compiler, pytest.mark.long)),
        ("torchscript", "float32", "FP32"),
        ("torchscript", "bfloat16", "BF16"),
    ],
)
def test_operators_that_a_compiled_model_executed_are_listed(tiny_study, mode, dtype, precision):
    batches = [tiny_study.inputs(rows, length=length) for rows, length in SHAPES[:2]]
    found = trace(str(tiny_study.checkpoint), {**OPTIONS, "mode": mode, "dtype": dtype}, "installed", batches)
    products = [layer for layer in found.layers if layer.is_product]
    assert len(products) >= 8
    assert {layer.precision for layer in products} == {precision}
    assert all(layer.time_ms > 0 for layer in products)
    if mode == "compile":
        assert any(layer.type == "fused kernel" for layer in found.layers)
