"""A runner on packed rows, called with padded batches; tests/unit/transforms/test_pack_rows.py runs a real file."""

import numpy as np

from temper.artifacts.signature import Signature, TensorSpec
from temper.backends.opening import PackedRunner
from temper.backends.runner import Runner

ROW = 8
SIGNATURE = Signature(
    task="text-classification",
    inputs=(
        TensorSpec(name="first_tokens", dtype="int32", axes=("batch_size",), pad_value=0),
        *(
            TensorSpec(name=name, dtype="int32", axes=("rows", ROW), pad_value=0)
            for name in ("input_ids", "segment_ids", "position_ids")
        ),
    ),
    label_names=("a", "b"),
    padding_side="right",
    row_tokens=ROW,
)


class Inner(Runner):
    """Answers with the id of each sentence's first token; takes so many sentences and rows."""

    def __init__(self, sentences=16, rows=2):
        self.limits_ = {"batch_size": (1, sentences), "rows": (1, rows)}
        self.calls = []

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        pass

    def infer(self, inputs):
        assert len(inputs["input_ids"]) <= self.limits_["rows"][1]
        self.calls.append(inputs)
        first = inputs["input_ids"].ravel()[inputs["first_tokens"]]
        return np.stack([first, -first], axis=1).astype(np.float32)

    def describe(self):
        return {"library": "inner"}

    def limits(self):
        return self.limits_


class Clocked(Inner):
    warmup_calls_per_shape, compiles_shapes = 3, True

    def device_time_ms(self, inputs):
        return float(len(inputs["input_ids"]))

    def computed_sizes(self, sizes):
        return (16, 2)


def batch(*lengths):
    mask = (np.arange(ROW) < np.asarray(lengths)[:, None]).astype(np.int64)
    return {"input_ids": mask * (np.arange(len(lengths)) + 1)[:, None], "attention_mask": mask}


def test_a_batch_that_needs_more_rows_than_there_are_is_run_in_parts_and_answered_in_order():
    inner = Inner()
    with PackedRunner(inner, SIGNATURE) as runner:
        answer = runner.infer(batch(8, 8, 8, 8, 8))
        assert runner.shape_of(batch(8, 8, 8, 8, 8))[0] == 5
    assert answer[:, 0].tolist() == [1, 2, 3, 4, 5]
    assert len(inner.calls) > 2


def test_a_batch_that_fits_is_one_call():
    inner = Inner()
    with PackedRunner(inner, SIGNATURE) as runner:
        assert runner.infer(batch(3, 5, 4, 4))[:, 0].tolist() == [1, 2, 3, 4]
        assert runner.limits() == {"batch_size": (1, 16), "sequence_length": (1, ROW)}
        assert runner.describe() == {"library": "inner", "packed_row_tokens": ROW, "packed_by": runner._pack.by}
    assert [len(call["input_ids"]) for call in inner.calls] == [2]


def test_batches_of_one_padded_shape_may_be_computed_in_different_rows():
    with PackedRunner(Inner(), SIGNATURE) as runner:
        assert runner.shape_of(batch(2, 2, 2)) != runner.shape_of(batch(8, 8, 2))


def test_it_warms_up_compiles_and_times_as_its_runner_does():
    with PackedRunner(Inner(), SIGNATURE) as plain, PackedRunner(Clocked(), SIGNATURE) as clocked:
        assert plain.device_time_ms(batch(8, 8, 8)) is None
        assert clocked.device_time_ms(batch(8, 8, 8)) == 3.0  # two calls of two rows and one
        assert (plain.warmup_calls_per_shape, clocked.warmup_calls_per_shape) == (1, 3)
        assert (plain.compiles_shapes, clocked.compiles_shapes) == (False, True)


def test_padding_of_rows_and_of_the_engines_shape_counts_as_computed():
    with PackedRunner(Inner(), SIGNATURE) as plain, PackedRunner(Clocked(), SIGNATURE) as clocked:
        assert plain.computed_tokens(batch(3, 5)) == ROW
        assert clocked.computed_tokens(batch(3, 5)) == 2 * ROW
