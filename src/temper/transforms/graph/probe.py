"""A graph run on small made-up inputs: the shape of every tensor, and whether two graphs answer alike.

ONNX's own shape inference loses track of a transformer's axes where sizes are computed by the graph.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import GraphProto, ModelProto, ValueInfoProto, helper, numpy_helper

from temper.artifacts.onnx_file import open_session
from temper.artifacts.signature import Tensors
from temper.errors import ArtifactError
from temper.transforms.graph.prune import reads

SIZES = (2, 5), (3, 7)  # batch and the other dynamic axis; all different, so that no axis is taken for another
LARGEST_DIFFERENCE = 1e-4  # of logits in FP32, whose sums may change their order
Shape = tuple[int | tuple[int, ...], ...]


def attribute(node: Any, name: str, default: Any = None) -> Any:
    """An attribute's value; `default` where the node has none of that name."""
    return next((helper.get_attribute_value(each) for each in node.attribute if each.name == name), default)


def _limits(model: ModelProto) -> dict[str, int]:
    """How many rows the tables have that an input indexes."""
    tables = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims}
    found: dict[str, int] = {}
    for node in model.graph.node:
        if node.op_type == "Gather" and node.input[0] in tables and attribute(node, "axis", 0) == 0:
            found[node.input[1]] = min(tables[node.input[0]], found.get(node.input[1], 2**31))
    return found


def example_inputs(model: ModelProto, sizes: tuple[int, int], seed: int, padding_side: str = "right") -> Tensors:
    """Seeded inputs of these sizes: token ids that the tables have, masks with padding, pixels around zero.

    Args:
        model: of any task.
        sizes: of the first dynamic axis and of every other.
        seed: of the values.
        padding_side: where rows have their padding; 'left' or 'right'.
    """
    generator, limits = np.random.default_rng(seed), _limits(model)
    known: dict[str, int] = {}
    made: dict[str, Any] = {}
    for value in model.graph.input:
        tensor = value.type.tensor_type
        shape = []
        for axis in tensor.shape.dim:
            if axis.HasField("dim_value"):
                shape.append(axis.dim_value)
            else:
                shape.append(known.setdefault(axis.dim_param, sizes[min(len(known), 1)]))
        dtype = helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        if np.issubdtype(dtype, np.floating):
            made[value.name] = generator.standard_normal(shape).astype(dtype)
        elif value.name in limits:
            made[value.name] = generator.integers(0, limits[value.name], shape).astype(dtype)
        else:
            kept = generator.integers(1, shape[-1] + 1, shape[:-1])  # every row keeps a token
            rows = np.arange(shape[-1]) < kept[..., None]
            made[value.name] = (rows if padding_side == "right" else rows[..., ::-1]).astype(dtype)
    return made


def observed_shapes(model: ModelProto) -> dict[str, Shape]:
    """The shape of every tensor that the graph makes or reads.

    Returns:
        By name; a size that depends on the inputs is a tuple of what it was for SIZES.
    """
    whole = ModelProto()
    whole.CopyFrom(model)
    outputs = {value.name for value in whole.graph.output}
    names = [name for node in whole.graph.node for name in node.output if name and name not in outputs]
    whole.graph.output.extend(ValueInfoProto(name=name) for name in names)
    session = open_session(whole, 1, "ORT_DISABLE_ALL")
    seen: list[dict[str, tuple[int, ...]]] = []
    for sizes in SIZES:
        inputs = example_inputs(model, sizes, seed=0)
        ran = session.run(None, inputs)
        seen.append(
            {value.name: np.shape(array) for value, array in zip(session.get_outputs(), ran, strict=True)}
            | {name: array.shape for name, array in inputs.items()}
        )
    found: dict[str, Shape] = {
        name: tuple(
            one if one == other else (one, other) for one, other in zip(seen[0][name], seen[1][name], strict=True)
        )
        for name in seen[0]
    }
    return found | {tensor.name: tuple(tensor.dims) for tensor in model.graph.initializer}


def values_of(model: ModelProto, names: Sequence[str], inputs: Tensors) -> dict[str, Any]:
    """What a graph makes of inputs, of the named tensors alone; what they are not made of does not run.

    Args:
        model: of any task; it stays as it is.
        names: outputs of its nodes.
        inputs: at least those that these tensors are made of.
    """
    wanted, nodes = set(names), []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            nodes.append(node)
            wanted.update(reads(node))
    graph = GraphProto(
        name="part",
        node=reversed(nodes),
        input=[value for value in model.graph.input if value.name in wanted],
        output=[ValueInfoProto(name=name) for name in names],
        initializer=[tensor for tensor in model.graph.initializer if tensor.name in wanted],
    )
    part = ModelProto(
        ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions, graph=graph
    )
    session = open_session(part, 1, "ORT_DISABLE_ALL")
    ran = session.run(list(names), {value.name: inputs[value.name] for value in graph.input})
    return dict(zip(names, ran, strict=True))


def constants(model: ModelProto) -> Mapping[str, Any]:
    """Constants of the graph that hold one value, by name."""
    return {
        tensor.name: numpy_helper.to_array(tensor)
        for tensor in model.graph.initializer
        if int(np.prod(tensor.dims)) == 1
    }


@dataclass(frozen=True)
class Answers:
    """What a graph answers to made-up inputs of each of SIZES: taken before a step, compared after it."""

    inputs: tuple[Tensors, ...]
    logits: tuple[Any, ...]

    @classmethod
    def of(cls, model: ModelProto, calls: Sequence[Tensors] | None = None) -> "Answers":
        """Those of a graph; to calls of `example_inputs` where none are given."""
        session = open_session(model, 1, "ORT_DISABLE_ALL")
        inputs = tuple(calls or (example_inputs(model, sizes, seed=1) for sizes in SIZES))
        return cls(inputs, tuple(session.run(None, each)[0] for each in inputs))

    def check(
        self,
        changed: ModelProto,
        step: str,
        *,
        adapt: Callable[[Tensors], Tensors] = lambda inputs: inputs,
        allowed: float = LARGEST_DIFFERENCE,
    ) -> None:
        """Check that the changed graph answers alike.

        Args:
            changed: the graph after the step.
            step: its name.
            adapt: makes the inputs of the changed graph out of those of the graph before.
            allowed: largest difference of a logit, times the largest logit where that is above 1.

        Raises:
            ArtifactError: a logit differs by more.
        """
        session = open_session(changed, 1, "ORT_DISABLE_ALL")
        for before, given in zip(self.logits, self.inputs, strict=True):
            after = session.run(None, adapt(given))[0]
            most = allowed * max(1.0, float(np.abs(before).max()))
            off = float(np.abs(before - after).max()) if before.shape == after.shape else np.inf
            if not off <= most:  # NaN is not
                raise ArtifactError(
                    asked=f"apply {step}",
                    happened=f"logits differ by {off:.3g} on made-up inputs, where {most:.1g} is allowed",
                    affected="this ONNX file and what is made from it; nothing was written",
                    fix="drop the row from params.yaml: this model's answers depend on what the step changes",
                )
