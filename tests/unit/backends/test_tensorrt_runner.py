"""The runner over a GPU that computes on the host; tests/gpu/test_tensorrt_rtx.py runs real engines."""

import threading

import numpy as np
import pytest

from temper.backends import tensorrt_runner
from temper.errors import BackendError
from tests.fake_gpu import OUT_OF_MEMORY, FakeCuda
from tests.tiny_onnx import TEXT, text_inputs
from tests.unit.backends.conftest import DYNAMIC, STATIC


def expected(inputs):
    """What the fake engine computes, without padding."""
    kept = (inputs["input_ids"] * inputs["attention_mask"]).sum(axis=1)
    return np.stack([kept, inputs["attention_mask"].sum(axis=1)], axis=1).astype(np.float32)


@pytest.mark.parametrize("cuda_graph", [False, True])
@pytest.mark.parametrize("row", [DYNAMIC, STATIC], ids=["dynamic", "static"])
def test_answers_are_those_of_the_rows_in_every_shape_and_order(on_fake_gpu, row, cuda_graph):
    shapes = [(8, 16), (3, 7), (1, 16), (8, 16), (4, 8), (3, 7), (2, 2), (1, 32), (4, 8), (3, 5), (1, 31)]
    with on_fake_gpu(row).runner(cuda_graph=cuda_graph) as runner:
        for shape in shapes:
            inputs = text_inputs(*shape)
            logits = runner.infer(inputs)
            assert logits.dtype == np.float32
            np.testing.assert_array_equal(logits, expected(inputs), err_msg=str(shape))


def test_an_answer_is_not_overwritten_by_the_next(on_fake_gpu):
    with on_fake_gpu().runner() as runner:
        first = runner.infer(text_inputs(8, 16))
        kept = first.copy()
        other = text_inputs(8, 16)
        assert not np.array_equal(runner.infer({**other, "input_ids": other["input_ids"] + 1}), kept)
        np.testing.assert_array_equal(first, kept)


def test_a_call_runs_in_the_cheapest_static_shape_that_holds_it(on_fake_gpu):
    gpu = on_fake_gpu(STATIC)
    with gpu.runner() as runner:
        for shape in [(1, 8), (4, 8), (1, 32), (5, 8), (1, 9), (8, 16), (2, 16)]:
            runner.infer(text_inputs(*shape))
        assert runner.describe()["profiles"] == "static shapes [1, 32], [4, 8], [8, 16]"
    assert gpu.engine.ran == [(1, 32), (4, 8), (1, 32), (8, 16), (1, 32), (8, 16), (8, 16)]


def test_padding_stands_on_the_signatures_side(on_fake_gpu):
    left = TEXT.model_copy(update={"padding_side": "left"})
    for signature, position in ((TEXT, 0), (left, 4)):
        gpu = on_fake_gpu({"static_shapes": [[2, 8]]}, signature=signature)
        with gpu.runner() as runner:
            call = runner._copy_in({name: np.full((1, 4), 3) for name in ("input_ids", "attention_mask")})
            whole = call.bound.view("attention_mask")
            assert whole.tolist() == [[3 if position <= at < position + 4 else 0 for at in range(8)], [0] * 8]


def test_a_shape_is_told_to_the_engine_once_until_another_comes(on_fake_gpu):
    gpu = on_fake_gpu()
    with gpu.runner() as runner:
        for shape, told in (((4, 16), 2), ((4, 16), 2), ((2, 8), 4), ((4, 16), 6)):
            runner.infer(text_inputs(*shape))
            assert gpu.engine.bound == told


def test_a_call_that_fails_leaves_the_runner_as_it_was(on_fake_gpu):
    gpu = on_fake_gpu()
    with gpu.runner() as runner:
        gpu.cuda.fails["cudaMemcpyAsync"] = OUT_OF_MEMORY
        with pytest.raises(BackendError, match="copy the inputs to the device"):
            runner.infer(text_inputs(4, 16))
        gpu.cuda.fails.clear()
        inputs = text_inputs(4, 16)
        np.testing.assert_array_equal(runner.infer(inputs), expected(inputs))


def padded(rows, tokens, real, side="right"):
    inputs = text_inputs(rows, tokens)
    inputs["attention_mask"][:] = 1
    for array in inputs.values():
        array[:, slice(real, None) if side == "right" else slice(None, tokens - real)] = 0
    return inputs


@pytest.mark.parametrize("side", ["right", "left"])
def test_columns_that_are_padding_in_every_row_are_left_out(on_fake_gpu, side):
    gpu = on_fake_gpu(STATIC, signature=TEXT.model_copy(update={"padding_side": side}))
    with gpu.runner(trim_padding=True) as runner:
        for real, computed in ((7, (4, 8)), (8, (4, 8)), (9, (8, 16))):
            inputs = padded(3, 32, real, side)
            np.testing.assert_array_equal(runner.infer(inputs), expected(inputs))
            assert runner.shape_of(inputs) == (3, real)
            assert runner.computed_tokens(inputs, ()) == computed[0] * computed[1]
            assert gpu.engine.ran[-1] == computed
        assert runner.device_time_ms(padded(3, 32, 7, side)) == 0.25
        with pytest.raises(BackendError, match="static shapes"):
            runner.infer(padded(3, 32, 17, side))
        assert runner.describe()["trim_padding"] is True
    with gpu.runner() as runner:
        assert runner.shape_of(padded(1, 32, 7, side)) == (1, 32)


def test_a_row_of_padding_alone_is_not_cut_to_nothing(on_fake_gpu):
    with on_fake_gpu(STATIC).runner(trim_padding=True) as runner:
        assert runner.infer(padded(1, 32, 0)).shape == (1, 2)


def test_a_model_without_a_mask_is_not_trimmed(on_fake_gpu):
    other = TEXT.model_copy(update={"inputs": TEXT.inputs[:1]})
    assert other.inputs[0].name == "input_ids"
    with (
        pytest.raises(BackendError, match="hold no attention_mask"),
        on_fake_gpu(signature=other).runner(trim_padding=True),
    ):
        pass


def test_one_copy_takes_all_inputs_to_the_device(on_fake_gpu):
    gpu = on_fake_gpu()
    with gpu.runner() as runner:
        runner.infer(text_inputs(4, 16))
        assert gpu.cuda.calls["cudaMemcpyAsync"] == 2
        runner.infer(text_inputs(4, 16))
        assert gpu.cuda.calls["cudaMemcpyAsync"] == 4


def test_a_graph_is_captured_once_for_each_shape_and_launched_from_then_on(on_fake_gpu):
    gpu = on_fake_gpu()
    with gpu.runner(cuda_graph=True) as runner:
        for _ in range(3):
            for shape in ((4, 16), (2, 8)):
                runner.infer(text_inputs(*shape))
        assert gpu.cuda.calls["cudaGraphInstantiate"] == 2
        assert gpu.cuda.calls["cudaGraphLaunch"] == 6 + 2  # and each once when it was captured, to compare its answer
        assert gpu.cuda.calls["cudaMemcpyAsync"] == 2 * 2 * 2  # to run and to capture each shape, both ways
        assert runner.describe()["cuda_graph"] == "2 captured"
    assert gpu.cuda.graphs == {}


def test_calls_that_are_padded_to_one_static_shape_share_its_graph(on_fake_gpu):
    gpu = on_fake_gpu(STATIC)
    with gpu.runner(cuda_graph=True) as runner:
        for shape in ((8, 16), (5, 9), (8, 15), (5, 9)):
            inputs = text_inputs(*shape)
            np.testing.assert_array_equal(runner.infer(inputs), expected(inputs))
        assert runner.describe()["profiles_used"] == [2]
    assert gpu.cuda.calls["cudaGraphInstantiate"] == 1


def test_the_graphs_of_a_dynamic_profile_are_bounded_and_a_dropped_shape_answers_again(on_fake_gpu, monkeypatch):
    monkeypatch.setattr(tensorrt_runner, "SHAPES_KEPT", 2)
    gpu = on_fake_gpu()
    with gpu.runner(cuda_graph=True) as runner:
        for length in (8, 9, 10, 8, 11):
            inputs = text_inputs(2, length)
            np.testing.assert_array_equal(runner.infer(inputs), expected(inputs))
            assert len(gpu.cuda.graphs) == len(runner._bound) <= 2
    assert gpu.cuda.calls["cudaGraphInstantiate"] == 5


def test_a_graph_that_answers_otherwise_is_an_error_and_nothing_runs_without(on_fake_gpu):
    gpu = on_fake_gpu()
    gpu.engine.graphs_lie = True
    with gpu.runner(cuda_graph=True) as runner, pytest.raises(BackendError) as caught:
        runner.infer(text_inputs(4, 16))
    assert caught.value.happened == "the graph's logits differ by 1 from those of the same call without it"
    assert gpu.cuda.graphs == {}
    assert "cuda_graph: false" in caught.value.fix


def test_a_failure_while_capturing_ends_the_capture(on_fake_gpu):
    gpu = on_fake_gpu()
    with gpu.runner(cuda_graph=True) as runner:
        gpu.engine.can_be_captured_after_all = False
        with pytest.raises(BackendError, match="run the engine"):
            runner.infer(text_inputs(2, 8))
        assert gpu.cuda.captured is None
        gpu.engine.can_be_captured_after_all = True
        inputs = text_inputs(2, 8)
        np.testing.assert_array_equal(runner.infer(inputs), expected(inputs))


@pytest.mark.parametrize("graph", [False, True])
def test_the_time_on_the_device_is_that_of_the_kernels_alone(on_fake_gpu, graph):
    gpu = on_fake_gpu(STATIC)
    with gpu.runner(cuda_graph=graph) as runner:
        inputs = text_inputs(4, 8)
        assert runner.device_time_ms(inputs) == 0.25
        before = dict(gpu.cuda.calls)
        assert runner.device_time_ms(inputs) == 0.25
        made = {name: gpu.cuda.calls[name] - before.get(name, 0) for name in gpu.cuda.calls}
        assert made["cudaMemcpyAsync"] == 1  # before the first event
        assert made["cudaEventRecord"] == made["cudaEventDestroy"] == 2
        assert made.get("cudaGraphLaunch", 0) == graph
        np.testing.assert_array_equal(runner.infer(inputs), expected(inputs))


def test_every_size_within_a_static_shape_fits_and_limits_are_those_of_all(on_fake_gpu):
    with on_fake_gpu(STATIC).runner() as runner:
        assert runner.limits() == {"batch_size": (1, 8), "sequence_length": (1, 32)}
        fits = [(1, 32), (8, 16), (4, 16), (2, 32), (8, 17)]
        asked = [{"batch_size": batch, "sequence_length": length} for batch, length in fits]
        assert [runner.fits(sizes) for sizes in asked] == [True, True, True, False, False]


@pytest.mark.parametrize("row", [DYNAMIC, STATIC], ids=["dynamic", "static"])
@pytest.mark.parametrize("shape", [(9, 8), (1, 65)])
def test_inputs_that_no_profile_takes_are_refused_and_the_runner_goes_on(on_fake_gpu, row, shape):
    with on_fake_gpu(row).runner() as runner:
        with pytest.raises(BackendError) as caught:
            runner.infer(text_inputs(*shape))
        assert str(shape) in caught.value.asked
        assert str(row.get("max_shape", "static shapes")) in caught.value.happened
        assert runner.infer(text_inputs(1, 16)).shape == (1, 2)


def test_inputs_that_do_not_agree_are_refused_also_in_a_shape_that_was_seen(on_fake_gpu):
    with on_fake_gpu().runner() as runner:
        good = text_inputs(4, 16)
        for _ in range(2):
            for spoiled in (
                {**good, "attention_mask": good["attention_mask"][:1]},  # NumPy would spread it over the rows
                {**good, "token_type_ids": good["input_ids"]},
                {"input_ids": good["input_ids"]},
                {"attention_mask": good["attention_mask"]},
            ):
                with pytest.raises(BackendError):
                    runner.infer(spoiled)
            with pytest.raises(TypeError):
                runner.infer({name: array.astype(np.int32) for name, array in good.items()})
            np.testing.assert_array_equal(runner.infer(good), expected(good))


def test_memory_of_a_profile_is_taken_with_its_first_call_and_the_others_go_on_where_it_is_not_there(on_fake_gpu):
    gpu = on_fake_gpu({"static_shapes": [[1, 16], [8, 64]]}, cuda=FakeCuda(room_bytes=2000))
    with gpu.runner() as runner:
        assert gpu.cuda.device_bytes == {}
        for _ in range(2):
            small = text_inputs(1, 16)
            np.testing.assert_array_equal(runner.infer(small), expected(small))
            with pytest.raises(BackendError, match="out of memory"):
                runner.infer(text_inputs(8, 64))
        assert gpu.engine.contexts == 1
    assert gpu.cuda.memory == {}


def test_everything_is_given_back(on_fake_gpu):
    gpu = on_fake_gpu(STATIC)
    with gpu.runner(cuda_graph=True) as runner:
        for shape in ((1, 32), (8, 16), (2, 8)):
            runner.infer(text_inputs(*shape))
            runner.device_time_ms(text_inputs(*shape))
        assert len(gpu.cuda.device_bytes) == 3
    assert gpu.cuda.memory == gpu.cuda.graphs == {}
    assert gpu.cuda.calls["cudaStreamDestroy"] == 1


def test_another_thread_chooses_the_gpu_before_it_calls(on_fake_gpu):
    gpu = on_fake_gpu()
    with gpu.runner() as runner:
        runner.infer(text_inputs(4, 16))
        chosen = gpu.cuda.calls["cudaSetDevice"]
        thread = threading.Thread(target=runner.infer, args=(text_inputs(4, 16),))
        thread.start()
        thread.join()
        assert gpu.cuda.calls["cudaSetDevice"] == chosen + 1


@pytest.mark.parametrize("batches", [1, 4])
def test_the_profilers_times_are_means_over_the_batches(on_fake_gpu, batches):
    with on_fake_gpu(STATIC).runner() as runner:
        inputs = [text_inputs(4, 8)] * batches
        runner.infer(inputs[0])
        assert runner.time_layers(inputs) == {"sum": 0.5}
