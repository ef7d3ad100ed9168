"""Each mode on a small module that answers as transformers' classifiers do; test_pytorch.py runs them on a checkpoint."""

from types import SimpleNamespace

import pytest
import torch

from temper.backends import pytorch_modes
from temper.backends.pytorch_modes import Compiled, Eager, Traced, is_quantized, quantize_linear_layers
from temper.errors import BackendError, Unavailable

NAMES = ("pixel_values", "token_ids")


class Classifier(torch.nn.Module):
    """Keeps the dtypes that it was given."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(4, 2)
        self.seen = {}

    def forward(self, pixel_values, token_ids):
        self.seen = {"pixel_values": pixel_values.dtype, "token_ids": token_ids.dtype}
        return SimpleNamespace(logits=self.linear(pixel_values) + token_ids.sum().to(pixel_values.dtype))


def inputs(rows, first=0.0):
    return (torch.full((rows, 4), first), torch.ones(rows, dtype=torch.int64))


def test_floats_are_cast_to_the_dtype_and_integers_are_not_and_logits_are_float32():
    model = Classifier().to(torch.bfloat16)
    logits = Eager(model, NAMES, torch.bfloat16, {"a": 1})(inputs(3))
    assert logits.dtype == torch.float32
    assert logits.shape == (3, 2)
    assert model.seen == {"pixel_values": torch.bfloat16, "token_ids": torch.int64}


def test_inputs_that_are_not_those_of_the_signature_are_an_error():
    with pytest.raises(ValueError, match="shorter"):
        Eager(Classifier(), NAMES, torch.float32, {})(inputs(1)[:1])


def test_each_runner_has_a_code_object_of_its_own():
    found = {pytorch_modes._forward_of(Classifier(), NAMES, torch.float32).__code__ for _ in range(3)}
    assert len(found) == 3


def test_traces_are_bounded_and_a_shape_that_was_dropped_answers_again(monkeypatch):
    monkeypatch.setattr(pytorch_modes, "_MOST_TRACES", 2)
    model = Classifier().eval()
    eager, traced = Eager(model, NAMES, torch.float32, {}), Traced(model, NAMES, torch.float32, asked="run it")
    for rows in (1, 2, 3, 3, 1):
        torch.testing.assert_close(traced(inputs(rows, 0.5)), eager(inputs(rows, 0.5)))
        assert len(traced._graphs) <= 2
    assert traced.describe() == {"traced_graphs": 4}  # 1, 2, 3 and 1 again


def test_a_model_that_cannot_be_traced_is_an_error_that_says_what_was_asked():
    class Dictionary(Classifier):
        def forward(self, pixel_values, token_ids):
            return SimpleNamespace(logits=torch.tensor(pixel_values.tolist()).unknown)

    with pytest.raises(BackendError, match="set another mode") as caught:
        Traced(Dictionary().eval(), NAMES, torch.float32, asked="run it traced")(inputs(1))
    assert caught.value.asked == "run it traced"
    assert caught.value.happened.startswith("AttributeError: ")


@pytest.fixture
def counters(monkeypatch):
    """torch.compile that hands the function back, and the counters by which its work is told."""
    from torch._dynamo.utils import counters

    monkeypatch.setattr(torch, "compile", lambda function, **settings: function)
    counters.clear()
    yield counters
    counters.clear()


def compiled(model, **changes):
    return Compiled(model, NAMES, torch.float32, "compile", **{"cuda_graphs": False, "asked": "run it", **changes})


class Counting(Classifier):
    """Moves a counter with each call, as a compilation does."""

    def __init__(self, counters, group, name):
        super().__init__()
        self.counters, self.group, self.name = counters, group, name

    def forward(self, pixel_values, token_ids):
        self.counters[self.group][self.name] += 1
        return super().forward(pixel_values, token_ids)


def test_a_graph_that_a_known_shape_costs_is_a_recompilation(counters):
    runner = compiled(Counting(counters, "stats", "unique_graphs"))
    for rows in (1, 1, 2):
        runner(inputs(rows))
    described = runner.describe()
    assert (described["compiled_shapes"], described["compiled_graphs"], described["recompilations"]) == (2, 2, 1)


@pytest.mark.parametrize("error", [MemoryError("no room"), torch.OutOfMemoryError("no room")])
def test_memory_that_runs_out_while_compiling_stays_what_it_is(counters, error):
    class Large(Classifier):
        def forward(self, pixel_values, token_ids):
            raise error

    for runner in (compiled(Large()), Traced(Large().eval(), NAMES, torch.float32, asked="run it")):
        with pytest.raises(type(error), match="no room"):
            runner(inputs(1))


def test_cuda_graphs_that_were_skipped_are_an_error(counters):
    model = Counting(counters, "inductor", "cudagraph_skips")
    counters["stats"]["unique_graphs"] = 0
    runner = compiled(model, cuda_graphs=True)
    runner._shapes.add(tuple(tensor.shape for tensor in inputs(1)))  # as after a first call
    with pytest.raises(BackendError, match="skipped the CUDA graphs") as caught:
        runner(inputs(1))
    assert "mode: compile" in caught.value.fix
    assert runner.warmup_calls == 3


def test_linear_layers_are_quantised_and_nothing_else():
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.LayerNorm(4), torch.nn.Linear(4, 2))
    quantized, facts = quantize_linear_layers(model, asked="run it")
    assert [is_quantized(layer) for layer in quantized] == [True, False, True]
    assert facts["quantized_linear_layers"] == 2
    assert not any(map(is_quantized, model))


def test_a_cpu_without_an_engine_for_them_is_not_measured(monkeypatch):
    monkeypatch.setattr(torch.backends, "quantized", SimpleNamespace(engine="none"))
    with pytest.raises(Unavailable, match="no engine for quantised layers"):
        quantize_linear_layers(torch.nn.Linear(4, 2), asked="run it")
