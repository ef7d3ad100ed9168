from temper.artifacts.onnx_file import load
from temper.transforms.graph.prune import prune


def test_only_what_nothing_reads_goes(tiny_study):
    model = load(tiny_study.fp32)
    whole = model.SerializeToString()
    prune(model)
    assert [node.name for node in model.graph.node] == [node.name for node in load(tiny_study.fp32).graph.node]
    last = model.graph.node[-1]
    reads_it = [name for name in last.input if name in {tensor.name for tensor in model.graph.initializer}]
    model.graph.output[0].name = last.input[0]
    prune(model)
    assert last.name not in {node.name for node in model.graph.node}
    assert not {tensor.name for tensor in model.graph.initializer} & set(reads_it)
    assert len(model.SerializeToString()) < len(whole)
