"""Tiny ONNX classifiers with known layers, and the folders they stand in, for tests of engines and backends."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from temper.artifacts.manifest import write_manifest
from temper.artifacts.signature import Signature, TensorSpec

Precision = Literal["fp32", "fp16", "int8"]
FEATURES, HIDDEN, LABELS = 8, 16, 2
TOKENS = 12  # size of the vocabulary

TEXT = Signature(
    task="text-classification",
    inputs=(
        TensorSpec(name="input_ids", dtype="int64", axes=("batch_size", "sequence_length"), pad_value=0),
        TensorSpec(name="attention_mask", dtype="int64", axes=("batch_size", "sequence_length"), pad_value=0),
    ),
    label_names=("negative", "positive"),
    padding_side="right",
)
IMAGE = Signature(
    task="image-classification",
    inputs=(TensorSpec(name="pixel_values", dtype="float32", axes=("batch_size", 2, 2, 2), pad_value=0),),
    label_names=("cat", "dog"),
    padding_side="right",
)


class _Graph:
    """Nodes and initializers of one model, with weights from a fixed seed."""

    def __init__(self, precision: Precision) -> None:
        self.precision, self.nodes, self.initializers = precision, [], []
        self.dtype = np.float16 if precision == "fp16" else np.float32
        self._random = np.random.default_rng(7)

    def add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: Any) -> str:
        self.initializers.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def weight(self, name: str, *shape: int) -> np.ndarray:
        return self._random.standard_normal(shape).astype(self.dtype)

    def linear(self, x: str, name: str, rows: int, columns: int) -> str:
        """A matrix product; with INT8, of tensors that go through Q/DQ."""
        weight = self.weight(name, rows, columns)
        if self.precision != "int8":
            return self.add("MatMul", [x, self.constant(f"{name}_weight", weight)], name)
        zero, scale = self.constant(f"{name}_zero", np.int8(0)), np.float32(np.abs(weight).max() / 127)
        x_scale, w_scale = self.constant(f"{name}_x_scale", np.float32(0.1)), self.constant(f"{name}_w_scale", scale)
        x = self.add("QuantizeLinear", [x, x_scale, zero], f"{name}_q")
        x = self.add("DequantizeLinear", [x, x_scale, zero], f"{name}_dq")
        stored = self.constant(f"{name}_weight", np.round(weight / scale).astype(np.int8))
        return self.add("MatMul", [x, self.add("DequantizeLinear", [stored, w_scale, zero], f"{name}_w")], name)

    def classify(self, x: str) -> None:
        """Two linear layers; `logits` is float32 whatever the precision."""
        x = self.add("Relu", [self.linear(x, "first", FEATURES, HIDDEN)], "relu")
        x = self.linear(x, "second", HIDDEN, LABELS)
        self.add("Cast", [x], "logits", to=TensorProto.FLOAT)


def _model(graph: _Graph, signature: Signature) -> onnx.ModelProto:
    types = {"int64": TensorProto.INT64, "float32": TensorProto.FLOAT}
    inputs = [helper.make_tensor_value_info(spec.name, types[spec.dtype], spec.axes) for spec in signature.inputs]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", LABELS])
    body = helper.make_graph(graph.nodes, "tiny", inputs, [logits], graph.initializers)
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def text_model(precision: Precision) -> onnx.ModelProto:
    """Token embeddings, averaged over the sequence under the attention mask, then two linear layers."""
    graph = _Graph(precision)
    table = graph.constant("embedding", graph.weight("embedding", TOKENS, FEATURES))
    mask = graph.add("Cast", ["attention_mask"], "mask", to=helper.np_dtype_to_tensor_dtype(np.dtype(graph.dtype)))
    mask = graph.add("Unsqueeze", [mask, graph.constant("last", np.array([-1]))], "mask_column")
    tokens = graph.add("Mul", [graph.add("Gather", [table, "input_ids"], "tokens"), mask], "masked")
    axis = graph.constant("sequence_axis", np.array([1]))
    graph.classify(graph.add("ReduceMean", [tokens, axis], "mean", keepdims=0))
    return _model(graph, TEXT)


def summing_text_model() -> onnx.ModelProto:
    """The same over the sum of its tokens, FP32: padding changes nothing, where it changes their mean."""
    model = text_model("fp32")
    next(node for node in model.graph.node if node.op_type == "ReduceMean").op_type = "ReduceSum"
    return model


def image_model() -> onnx.ModelProto:
    """Eight pixels in a row, then two linear layers, FP32."""
    graph = _Graph("fp32")
    graph.classify(graph.add("Flatten", ["pixel_values"], "row", axis=1))
    return _model(graph, IMAGE)


def unsupported_model() -> onnx.ModelProto:
    """A model with one node that no TensorRT knows."""
    model = text_model("fp32")
    next(node for node in model.graph.node if node.op_type == "Relu").op_type = "NoSuchOperator"
    return model


def save_onnx_folder(folder: Path, model: onnx.ModelProto, signature: Signature, *, external_data: bool) -> Path:
    """An ONNX folder as the export rule leaves it, with stand-ins for the preprocessor's files."""
    folder.mkdir(parents=True)
    settings: dict[str, Any] = {"save_as_external_data": True, "location": "model.onnx.data", "size_threshold": 0}
    onnx.save(model, folder / "model.onnx", **(settings if external_data else {}))
    (folder / "signature.json").write_text(signature.model_dump_json())
    for name in ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"):
        (folder / name).write_text("{}")
    write_manifest(folder / "onnx.json", kind="onnx", facts={})
    return folder


def text_inputs(batch_size: int, sequence_length: int) -> dict[str, np.ndarray]:
    """Random token ids, the last third of each row masked."""
    tokens = np.random.default_rng(11).integers(0, TOKENS, (batch_size, sequence_length), dtype=np.int64)
    mask = np.ones_like(tokens)
    mask[:, sequence_length - sequence_length // 3 :] = 0
    return {"input_ids": tokens, "attention_mask": mask}
