"""Distances between files, and work counted from real shapes."""

from itertools import pairwise

import numpy as np
import onnx
import pytest

from temper.artifacts.onnx_file import load
from temper.data.encoded import read_split
from temper.quantization.distance import Judge, batches, multiplications
from temper.quantization.layers import layers
from tests.tiny_onnx import FEATURES, HIDDEN, LABELS, text_model


@pytest.fixture
def rows(tiny_study):
    return batches(read_split(tiny_study.data / "validation.parquet", tiny_study.signature), tiny_study.signature, 20)


def test_every_row_is_in_one_batch_with_rows_of_like_length(tiny_study, rows):
    assert sum(len(batch["input_ids"]) for batch in rows) == 20
    lengths = [batch["attention_mask"].sum(axis=1) for batch in rows]
    assert all(max(before) <= min(after) for before, after in pairwise(lengths))


def test_a_file_is_at_no_distance_from_itself(tiny_study, rows):
    judge = Judge(load(tiny_study.fp32), rows, threads=1, signature=tiny_study.signature)
    found = judge.distance(load(tiny_study.fp32))
    assert (found.mean_logit_difference, found.largest_logit_difference, found.flips) == (0.0, 0.0, 0)
    assert found.rows == 20
    assert judge.evaluations == 1


def test_a_quantised_file_is_at_a_distance(tiny_study, rows):
    found = Judge(load(tiny_study.fp32), rows, threads=1, signature=tiny_study.signature).distance(
        load(tiny_study.precision["int8_nncf"])
    )
    assert 0 < found.mean_logit_difference < found.largest_logit_difference


def test_flips_are_rows_with_another_label(tiny_study, rows):
    model = load(tiny_study.fp32)
    negated = onnx.ModelProto()
    negated.CopyFrom(model)
    output = negated.graph.output[0].name
    maker = next(node for node in negated.graph.node if output in node.output)
    maker.output[:] = ["before"]
    negated.graph.node.append(onnx.helper.make_node("Neg", ["before"], [output]))
    assert Judge(model, rows, threads=1, signature=tiny_study.signature).distance(negated).flips == 20


def test_work_is_counted_from_the_shapes_of_a_batch():
    batch = {
        "input_ids": np.ones((3, 5), np.int64),
        "attention_mask": np.ones((3, 5), np.int64),
    }
    assert multiplications(text_model("fp32"), batch, threads=1) == {
        "first": 3 * FEATURES * HIDDEN,
        "second": 3 * HIDDEN * LABELS,
    }


def test_products_of_two_activations_are_counted_too(tiny_study, rows):
    model = load(tiny_study.fp32)
    counted = multiplications(model, rows[-1], threads=1)
    assert set(counted) == {layer.node for layer in layers(model)}
    size, length = rows[-1]["input_ids"].shape
    attention = [layer for layer in layers(model) if layer.name == layer.node]  # no weight, no bias
    assert {counted[layer.node] for layer in attention} == {size * length * length * 16}
