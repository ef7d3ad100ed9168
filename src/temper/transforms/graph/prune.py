"""Nodes and constants that nothing reads any more, removed."""

from onnx import ModelProto


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
            read.update(name for name in node.input if name)
            for attribute in node.attribute:  # a branch reads tensors of the graph around it
                for inner in (attribute.g, *attribute.graphs):
                    read.update(name for each in inner.node for name in each.input if name)
    copies = [type(node).FromString(node.SerializeToString()) for node in reversed(kept)]
    del graph.node[:]
    graph.node.extend(copies)
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)
