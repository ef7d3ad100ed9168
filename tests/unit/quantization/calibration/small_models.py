"""Models of a product or two whose activations a test can name."""

from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper


def between_products(kind: str | None, weight: Any = ((1.0,),), dtype: int = TensorProto.FLOAT) -> ModelProto:
    """`x` [rows, columns of weight] → MatMul → `first` → `kind` → `between` → MatMul → `second`.

    Without a kind, x → MatMul → `first` alone.
    """
    weights = np.asarray(weight, helper.tensor_dtype_to_np_dtype(dtype))
    nodes, constants = [helper.make_node("MatMul", ["x", "w"], ["first"])], [numpy_helper.from_array(weights, "w")]
    if kind is not None:
        nodes += [helper.make_node(kind, ["first"], ["between"])]
        nodes += [helper.make_node("MatMul", ["between", "v"], ["second"])]
        constants += [numpy_helper.from_array(np.eye(weights.shape[1], dtype=weights.dtype), "v")]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", dtype, ["rows", weights.shape[0]])],
        [helper.make_tensor_value_info(nodes[-1].output[0], dtype, ["rows", weights.shape[1]])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
