"""Nodes and constants that nothing reads any more, removed."""

from onnx import ModelProto, NodeProto


def reads(node: NodeProto) -> set[str]:
    """Names of the tensors that a node reads; a branch reads tensors of the graph around it."""
    found = {name for name in node.input if name}
    for attribute in node.attribute:
        for inner in (attribute.g, *attribute.graphs):
            found.update(name for each in inner.node for name in each.input if name)
    return found


def prune(model: ModelProto) -> None:
    """Remove every node and every initializer whose outputs no node and no output of the graph reads.

    Inputs of the graph stay: they belong to the model's signature.
    """
    graph = model.graph
    read = {value.name for value in graph.output}
    kept = []
    for node in reversed(graph.node):  # ONNX orders makers before readers
        if any(name in read for name in node.output if name):
            kept.append(node)
            read |= reads(node)
    copies = [type(node).FromString(node.SerializeToString()) for node in reversed(kept)]
    del graph.node[:]
    graph.node.extend(copies)
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)
