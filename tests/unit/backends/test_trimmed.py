import numpy as np
import pytest

from temper.artifacts.signature import read_signature
from temper.backends.opening import open_artifact, trace_artifact
from temper.backends.runner import Runner
from temper.backends.trimmed import TrimmedRunner
from temper.errors import BackendError
from tests.unit.backends.test_runner import CPU


class Echo(Runner):
    """Answers with what it was called with."""

    def __init__(self, *, compiles=False, least=1):
        self.shapes, self._compiles, self._least = [], compiles, least

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.shapes.clear()

    def infer(self, inputs):
        assert all(array.flags.c_contiguous for array in inputs.values())
        self.shapes.append(inputs["input_ids"].shape)
        return (inputs["input_ids"] * inputs["attention_mask"]).sum(1, keepdims=True).astype(np.float32)

    def describe(self):
        return {"library": "echo"}

    def limits(self):
        return {"sequence_length": (self._least, 64)}

    @property
    def compiles_shapes(self):
        return self._compiles


@pytest.fixture
def signature(tiny_study):
    return read_signature(tiny_study.fp32 / "signature.json")


def padded(lengths, columns, side="right"):
    mask = (np.arange(columns) < np.array(lengths)[:, None]).astype(np.int64)
    mask = mask if side == "right" else mask[:, ::-1].copy()
    return {"input_ids": np.arange(1, mask.size + 1).reshape(mask.shape), "attention_mask": mask}


@pytest.mark.parametrize("side", ["right", "left"])
def test_columns_of_padding_alone_are_left_out_and_the_answers_stay(signature, side):
    echo, inputs = Echo(), padded([7, 3], 32, side)
    with TrimmedRunner(echo, signature.model_copy(update={"padding_side": side}), asked="run it") as runner:
        np.testing.assert_array_equal(runner.infer(inputs), echo.infer(inputs))
        assert echo.shapes[0] == (2, 7)
        assert runner.shape_of(inputs, (2, 32)) == (2, 7)
        assert runner.computed_tokens(inputs, (2, 32)) == 14
        assert runner.describe() == {"library": "echo", "trim_padding": True}


@pytest.mark.parametrize(
    ("echo", "lengths", "columns", "kept"),
    [
        (Echo(compiles=True), [7, 3], 32, 8),  # few shapes are compiled
        (Echo(compiles=True), [9], 12, 12),  # and no column is added
        (Echo(least=10), [7, 3], 32, 10),
        (Echo(), [0], 8, 1),
        (Echo(), [8, 8], 8, 8),
    ],
)
def test_what_is_left_is_a_length_that_the_runner_takes(signature, echo, lengths, columns, kept):
    with TrimmedRunner(echo, signature, asked="run it") as runner:
        runner.infer(padded(lengths, columns))
        assert echo.shapes == [(len(lengths), kept)]


@pytest.mark.parametrize("name", ["openvino", "onnxruntime"])
def test_a_backend_answers_padded_rows_as_it_does_without_their_padding(tiny_study, name):
    inputs, longest = tiny_study.inputs([0, 1], length=24), 20
    for array in inputs.values():
        array[:, longest:] = 0  # rows of 20 tokens at most
    with open_artifact(name, str(tiny_study.fp32), CPU[name][1], "installed") as plain:
        expected = plain.infer(inputs)
        assert "trim_padding" not in plain.describe()
    options = {**CPU[name][1], "trim_padding": True}
    with open_artifact(name, str(tiny_study.fp32), options, "installed") as runner:
        np.testing.assert_allclose(runner.infer(inputs), expected, atol=1e-5)
        assert runner.shape_of(inputs, (2, 24)) == (2, longest)
        assert runner.describe()["trim_padding"] is True
    found = trace_artifact(name, str(tiny_study.fp32), options, "installed", {"padded": [inputs]})
    assert sum(layer.is_product for layer in found["padded"].layers) > 0


def test_what_has_no_padding_is_refused(signature):
    images = signature.model_copy(update={"inputs": signature.inputs[:1]})
    with pytest.raises(BackendError, match=r"hold no attention_mask") as raised:
        TrimmedRunner(Echo(), images, asked="run it")
    assert "trim_padding: false" in raised.value.fix
