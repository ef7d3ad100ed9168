import json

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from temper.artifacts import onnx_file
from temper.artifacts.manifest import read_manifest
from temper.artifacts.onnx_file import contents, load, strip_provenance, write_onnx_artifact
from temper.artifacts.signature import Signature
from temper.errors import ArtifactError
from tests.tiny_onnx import TEXT, save_onnx_folder, text_inputs, text_model


@pytest.fixture
def write(tmp_path):
    """Writes a tiny model as an artifact; gives its folder."""
    source = save_onnx_folder(tmp_path / "source", text_model("fp32"), TEXT, external_data=False)

    def write(name="written", model=None, **changes):
        settings = {"external_data": False, "facts": {}, "inputs": {}, "libraries": ("onnx",), **changes}
        model = model or text_model("fp32")
        write_onnx_artifact(model, folder=tmp_path / name, source_folder=source, signature=TEXT, **settings)
        return tmp_path / name

    return write


@pytest.mark.parametrize(
    ("precision", "products", "quantized", "dtypes"),
    [
        ("fp32", 2, 0, {"FLOAT", "INT64"}),
        ("fp16", 2, 0, {"FLOAT16", "INT64"}),
        ("int8", 2, 2, {"FLOAT", "INT64", "INT8"}),
    ],
)
def test_the_census_counts_products_and_how_many_are_quantised(precision, products, quantized, dtypes):
    found = contents(text_model(precision))
    assert (found["products"], found["products_quantized"]) == (products, quantized)
    assert set(found["weight_elements_by_dtype"]) == dtypes
    assert found["operators"]["MatMul"] == 2
    assert found["opset"] == 20


def test_the_census_counts_elements():
    assert contents(text_model("fp32"))["weight_elements_by_dtype"]["FLOAT"] == 12 * 8 + 8 * 16 + 16 * 2


def test_a_product_with_one_plain_input_is_not_quantised():
    model = text_model("int8")
    product = next(node for node in model.graph.node if node.op_type == "MatMul")
    product.input[0] = "mean"
    assert contents(model)["products_quantized"] == 1


def test_an_integer_product_counts_as_quantised():
    values = [helper.make_tensor_value_info(name, TensorProto.INT8, [2, 2]) for name in "ab"]
    out = helper.make_tensor_value_info("c", TensorProto.INT32, [2, 2])
    graph = helper.make_graph([helper.make_node("MatMulInteger", ["a", "b"], ["c"])], "g", values, [out])
    found = contents(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]))
    assert (found["products"], found["products_quantized"]) == (1, 1)


def test_traces_of_this_machine_are_stripped_also_from_inner_graphs():
    def note(entry):
        entry.doc_string = "/home/someone"
        prop = entry.metadata_props.add()
        prop.key, prop.value = "stack", "/home/someone/model.py"

    inner = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "inner", [], [])
    branch = helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner)
    model = text_model("fp32")
    model.graph.node.append(branch)
    for attribute in model.graph.node[-1].attribute:
        note(attribute.g.node[0])
        note(attribute.g)
    for entry in (model, model.graph, model.graph.node[0], model.graph.input[0], model.graph.initializer[0]):
        note(entry)
    model.graph.value_info.add().name = "stale"
    strip_provenance(model)
    assert b"someone" not in model.SerializeToString()
    assert not model.graph.value_info


def test_an_artifact_has_model_signature_preprocessor_and_manifest(write):
    folder = write(facts={"made_by": {"step": "x"}}, inputs={"checkpoint": "abc"}, check=lambda path: 0.5)
    manifest = read_manifest(folder / "onnx.json", kind="onnx")
    assert set(manifest["files"]) == {"model.onnx", "signature.json", "tokenizer.json", "tokenizer_config.json"}
    assert manifest["made_from"] == {"checkpoint": "abc"}
    assert manifest["largest_logit_difference"] == 0.5
    assert manifest["census"]["products"] == 2
    assert manifest["versions"]["onnx"] == onnx.__version__
    (entry,) = load(folder).metadata_props
    assert Signature.model_validate_json(entry.value) == TEXT


def test_a_check_that_fails_keeps_the_file_from_being_written(write, tmp_path):
    def refuse(path):
        assert path.is_file()
        raise ArtifactError(asked="a", happened="b", affected="c", fix="d")

    with pytest.raises(ArtifactError):
        write(check=refuse)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


def test_external_data_lies_beside_and_answers_the_same(write):
    big = text_model("fp32")
    table = next(tensor for tensor in big.graph.initializer if tensor.name == "embedding")
    rows = np.random.default_rng(1).standard_normal((500, 8)).astype(np.float32)
    table.CopyFrom(onnx.numpy_helper.from_array(rows, "embedding"))
    inside, beside = write("inside", big), write("beside", big, external_data=True)
    assert (beside / "model.onnx.data").stat().st_size >= rows.nbytes
    assert (beside / "model.onnx").stat().st_size < rows.nbytes < (inside / "model.onnx").stat().st_size
    answers = [
        ort.InferenceSession(folder / "model.onnx").run(["logits"], text_inputs(3, 9))[0] for folder in (inside, beside)
    ]
    assert np.array_equal(*answers)


def test_the_data_file_is_there_even_when_no_weight_is_large(write):
    folder = write(external_data=True)
    assert (folder / "model.onnx.data").is_file()
    assert "model.onnx.data" in json.loads((folder / "onnx.json").read_text())["files"]


def test_weights_beyond_what_protobuf_holds_are_refused_before_writing(write, monkeypatch, tmp_path):
    monkeypatch.setattr(onnx_file, "PROTOBUF_LIMIT_BYTES", 500)  # 2 GiB would take minutes
    with pytest.raises(ArtifactError) as caught:
        write()
    assert caught.value.fix == "set onnx_external_data: true in params.yaml"
    assert not (tmp_path / "written").exists()
    assert (write(external_data=True) / "model.onnx.data").is_file()
