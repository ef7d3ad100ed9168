"""Graphs run on made-up inputs."""

import numpy as np
import onnx
import pytest

from temper.artifacts.onnx_file import load
from temper.errors import ArtifactError
from temper.transforms.graph.probe import SIZES, Answers, example_inputs, observed_shapes


def test_made_up_token_ids_are_in_the_tables_and_every_mask_keeps_its_first_token(tiny_study):
    model = load(tiny_study.fp32)
    made = example_inputs(model, (3, 7), seed=0)
    table = next(t for t in model.graph.initializer if t.name.endswith("word_embeddings.weight"))
    assert made["input_ids"].shape == made["attention_mask"].shape == (3, 7)
    assert 0 <= made["input_ids"].min() <= made["input_ids"].max() < table.dims[0]
    assert len(set(made["input_ids"].ravel())) > 5
    assert made["attention_mask"][:, 0].all()
    assert (np.diff(made["attention_mask"], axis=1) <= 0).all()
    assert not np.array_equal(example_inputs(model, (3, 7), seed=1)["input_ids"], made["input_ids"])


def test_sizes_that_follow_the_inputs_are_told_from_fixed_ones(tiny_study):
    shapes = observed_shapes(load(tiny_study.fp32))
    assert shapes["input_ids"] == ((SIZES[0][0], SIZES[1][0]), (SIZES[0][1], SIZES[1][1]))
    assert shapes["logits"] == ((2, 3), 2)


def test_a_graph_whose_answers_changed_is_refused(tiny_study):
    model = load(tiny_study.fp32)
    answers = Answers.of(model)
    answers.check(model, "nothing")
    bias = next(t for t in model.graph.initializer if t.name.endswith(".classifier.bias"))
    values = onnx.numpy_helper.to_array(bias)
    bias.CopyFrom(onnx.numpy_helper.from_array(values + np.float32(0.01), bias.name))
    with pytest.raises(ArtifactError, match=r"logits differ by 0\.01 on made-up inputs"):
        answers.check(model, "a step")
    bias.CopyFrom(onnx.numpy_helper.from_array(values * np.float32("nan"), bias.name))
    with pytest.raises(ArtifactError, match="logits differ by nan"):
        answers.check(model, "a step")
