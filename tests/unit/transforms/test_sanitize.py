import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from temper.errors import ArtifactError
from temper.transforms.sanitize import Options, convert


def model(*, constants_added):
    """2 x + c with c known, or added up from two constants by a node of its own."""
    weights = {name: numpy_helper.from_array(np.float32(2), name) for name in ("two", "one", "other", "sum")}
    nodes = [helper.make_node("Add", ["one", "other"], ["c"])] if constants_added else []
    nodes += [helper.make_node("Mul", ["x", "two"], ["m"]), helper.make_node("Add", ["m", "c"], ["logits"])]
    if not constants_added:
        nodes[-1].input[1] = "sum"
    kept = ("two", "one", "other") if constants_added else ("two", "sum")
    value = {
        name: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch_size", 2]) for name in ("x", "logits")
    }
    graph = helper.make_graph(nodes, "made", [value["x"]], [value["logits"]], [weights[name] for name in kept])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def test_what_is_known_ahead_is_computed_ahead_and_the_file_is_the_same_each_time():
    found = convert(model(constants_added=True), None, Options())
    assert [node.op_type for node in found.graph.node] == ["Mul", "Add"]
    assert [value.name for value in found.graph.input] == ["x"]
    again = convert(model(constants_added=True), None, Options())
    assert found.SerializeToString(deterministic=True) == again.SerializeToString(deterministic=True)


def test_a_graph_with_nothing_to_take_out_is_refused():
    with pytest.raises(ArtifactError) as caught:
        convert(model(constants_added=False), None, Options())
    assert "Polygraphy left 2 nodes of 2" in caught.value.happened
    assert "drop the row" in caught.value.fix
