"""Rotary embeddings whose tables are one for all rows, as PyTorch's exporter writes them."""

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, checker, helper

from temper.export.rotary import repeat_tables

BATCH, HEADS, TOKENS, SIZE = 3, 2, 5, 4
GENERATOR = np.random.default_rng(0)
ANGLES = GENERATOR.normal(size=(1, TOKENS, SIZE // 2)).astype(np.float32)


def model(shape, positions=False):
    """One node on x, with cosines and sines of all rows."""
    names = ["x", "cos", "sin", *(["places"] if positions else [])]
    shapes = {"x": shape, "cos": [1, TOKENS, SIZE // 2], "sin": [1, TOKENS, SIZE // 2]}
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, own) for name, own in shapes.items()]
    inputs += [helper.make_tensor_value_info("places", TensorProto.INT64, [BATCH, TOKENS])] if positions else []
    node = helper.make_node("RotaryEmbedding", names, ["y"], name="turn", num_heads=HEADS, interleaved=0)
    graph = helper.make_graph([node], "g", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)])
    made.ir_version = 11
    return made


def answered(made, x):
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x, "cos": np.cos(ANGLES), "sin": np.sin(ANGLES)})[0]


@pytest.mark.parametrize("shape", [[BATCH, HEADS, TOKENS, SIZE], [BATCH, TOKENS, HEADS * SIZE]])
def test_a_table_for_all_rows_becomes_one_for_each(shape):
    x = GENERATOR.normal(size=shape).astype(np.float32)
    made = model(shape)
    with pytest.raises(Exception, match="expected to have"):
        answered(made, x)
    assert repeat_tables(made) == 1
    checker.check_model(made)
    found = answered(made, x)
    heads = x if len(shape) == 4 else x.reshape(BATCH, TOKENS, HEADS, SIZE).transpose(0, 2, 1, 3)
    low, high = heads[..., : SIZE // 2], heads[..., SIZE // 2 :]
    cos, sin = np.cos(ANGLES)[:, None], np.sin(ANGLES)[:, None]
    wanted = np.concatenate([low * cos - high * sin, high * cos + low * sin], axis=-1)
    wanted = wanted if len(shape) == 4 else wanted.transpose(0, 2, 1, 3).reshape(shape)
    assert np.abs(found - wanted).max() < 1e-5


def test_what_reads_its_tables_by_positions_stays_and_so_does_any_other_graph():
    made = model([BATCH, HEADS, TOKENS, SIZE], positions=True)
    before = made.SerializeToString()
    assert repeat_tables(made) == 0
    assert made.SerializeToString() == before
