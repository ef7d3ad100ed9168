import importlib.metadata
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from temper.artifacts.onnx_file import load
from temper.errors import ArtifactError, LibraryError
from temper.transforms.convert import convert_precision
from temper.transforms.simplify import Options, convert


def logits(model, inputs):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def interface(model):
    return [(value.name, value.type) for value in (*model.graph.input, *model.graph.output)]


def with_waste(weight=1.0):
    """x [batch, 4] → logits [batch, 2], with constants to fold and a node that does nothing."""
    nodes = [
        helper.make_node("Add", ["half", "half"], ["whole"]),  # constants alone: folded
        helper.make_node("Mul", ["weight", "whole"], ["scaled"]),
        helper.make_node("Identity", ["x"], ["same"]),
        helper.make_node("MatMul", ["same", "scaled"], ["logits"]),
    ]
    constants = {"half": np.asarray([0.5], np.float32), "weight": np.full((4, 2), weight, np.float32)}
    graph = helper.make_graph(
        nodes,
        "waste",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_constants_are_folded_and_the_answers_and_the_interface_stay():
    before = with_waste(weight=3.0)
    inputs = {"x": np.arange(12, dtype=np.float32).reshape(3, 4)}
    expected = logits(before, inputs)
    made = convert(with_waste(weight=3.0), None, Options())
    assert [node.op_type for node in made.graph.node] == ["MatMul"]
    np.testing.assert_allclose(logits(made, inputs), expected, rtol=1e-6)
    assert interface(made) == interface(before)


def test_an_exported_model_has_fewer_nodes_and_equal_bytes_each_time(tiny_study, tmp_path, capsys):
    made = [tmp_path / name for name in ("one", "other")]
    for folder in made:
        convert_precision(
            onnx_folder=str(tiny_study.fp32),
            calibration_folder=None,
            search_folder=None,
            folder=str(folder),
            step="simplify",
            options={},
            external_data=False,
        )
    before, after = load(tiny_study.fp32), load(made[0])
    assert len(after.graph.node) < len(before.graph.node)
    assert f"{len(before.graph.node)} nodes became {len(after.graph.node)}" in capsys.readouterr().out
    assert (made[0] / "model.onnx").read_bytes() == (made[1] / "model.onnx").read_bytes()
    inputs = tiny_study.inputs([0, 1, 2])
    np.testing.assert_allclose(logits(after, inputs), logits(before, inputs), atol=1e-5)
    assert "onnxslim" in (made[0] / "onnx.json").read_text()  # the version that made it


def test_a_graph_in_which_nothing_can_be_left_out_is_refused():
    done = convert(with_waste(), None, Options())
    with pytest.raises(ArtifactError, match="1 nodes of 1: there is nothing"):
        convert(done, None, Options())


def test_a_simplified_graph_that_answers_otherwise_is_refused(monkeypatch):
    import onnxslim

    other = convert(with_waste(weight=2.0), None, Options())
    monkeypatch.setattr(onnxslim, "slim", lambda model: other)
    with pytest.raises(ArtifactError, match="logits differ"):
        convert(with_waste(weight=1.0), None, Options())


def test_a_simplified_graph_with_other_inputs_is_refused(monkeypatch):
    import onnxslim

    other = onnx.ModelProto()
    other.CopyFrom(convert(with_waste(), None, Options()))
    other.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    monkeypatch.setattr(onnxslim, "slim", lambda model: other)
    with pytest.raises(ArtifactError, match="the inputs and outputs became"):
        convert(with_waste(), None, Options())


def test_without_onnxslim_the_row_says_how_to_get_it(monkeypatch):
    found = importlib.metadata.distributions
    monkeypatch.setattr(
        importlib.metadata,
        "distributions",
        lambda **given: iter(()) if given.get("name") == "onnxslim" else found(**given),
    )
    monkeypatch.delitem(sys.modules, "onnxslim", raising=False)
    with pytest.raises(LibraryError) as caught:
        convert(with_waste(), None, Options())
    assert caught.value.asked == "use onnxslim"
    assert "make setup" in caught.value.fix
