import json

from temper.engines.layers import count_by_precision, layers_of_inspector, layers_of_listing

# One line as TensorRT-RTX 1.6 and 1.5 print it, shortened.
LISTING = """Layers:
Name: shapes_0, LayerType: shape_call, Inputs: [], Constants: [], Outputs: [], TacticName: , StreamId: 0, Metadata: 
Name: first_1, LayerType: gemm, Inputs: [ { Name: x, Dimensions: [-1,16], Strides: [16,1], Datatype: Int8, \
Format: (Linear) Row major linear format }], Constants: [ { Name: w, Dimensions: [16,32], Strides: [32,1], \
Datatype: Int8, Format: (Linear) Row major linear format }, { Name: alpha, Dimensions: [1], Strides: [1], \
Datatype: Float, Format: (Linear) Row major linear format }], Outputs: [ { Name: y, Dimensions: [-1,32], \
Strides: [32,1], Datatype: Half, Format: (Linear) Row major linear format }], TacticName: , StreamId: 0, \
Metadata: [ONNX Layer: first][ONNX Layer: relu]
Name: gather_2, LayerType: kgen, Inputs: [ { Name: ids, Dimensions: [-1,16], Datatype: Int64, Format: f }], \
Constants: [ { Name: table, Dimensions: [99,16], Datatype: Half, Format: f }], Outputs: [ { Name: z, \
Dimensions: [-1,16], Datatype: Float, Format: f }], TacticName: , StreamId: 0, Metadata: 

I/O Tensors:
 Name: x, IOMode: Input, DataType: Float, Dimensions: [-1,16]
"""


def test_a_listing_gives_types_precisions_and_onnx_nodes():
    shapes, gemm, gather = layers_of_listing(["something else", LISTING])
    assert (shapes.precision, shapes.input_types) == ("no data", ())
    assert (gemm.name, gemm.type, gemm.precision) == ("first_1", "gemm", "INT8")
    assert (gemm.constant_types, gemm.output_types) == (("INT8", "FP32"), ("FP16",))
    assert gemm.onnx_nodes == ("first", "relu")
    assert gather.precision == "FP16"  # integers in, so its table of weights says it


def test_layers_are_counted_by_precision():
    assert count_by_precision(layers_of_listing([LISTING])) == {"FP16": 1, "INT8": 1, "no data": 1}


def test_no_listing_gives_no_layers():
    assert layers_of_listing(["nothing", "of the kind"]) == []


def test_the_inspectors_json_is_read_like_the_listing():
    tensor = {"Name": "x", "Dimensions": [-1, 16], "Datatype": "Half"}
    older = {"Name": "y", "Dimensions": [-1, 16], "Format/Datatype": "Row major linear FP32 format"}
    layer = {"Name": "l", "LayerType": "gemm", "Inputs": [tensor], "Outputs": [older], "Metadata": "[ONNX Layer: n]"}
    (read,) = layers_of_inspector(json.dumps({"Layers": [layer], "Bindings": ["x", "y"]}))
    assert (read.precision, read.output_types, read.onnx_nodes) == ("FP16", ("FP32",), ("n",))


def test_an_inspector_that_knows_only_names_gives_no_layers():
    assert layers_of_inspector(json.dumps({"Layers": ["first", "second"]})) == []
