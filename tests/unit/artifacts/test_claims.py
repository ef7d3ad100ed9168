import pytest

from temper.artifacts.census import census_of_model
from temper.artifacts.claims import check_claim, check_engine, claimed_precisions
from temper.errors import PrecisionNotActive
from tests.tiny_onnx import text_model

FP32, INT8 = census_of_model(text_model("fp32")), census_of_model(text_model("int8"))


def executed(**products):
    return {"products_by_precision": products}


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("rtx-int8", ("INT8",)),
        ("int8-dynamic", ("INT8",)),
        ("ort-int8-entropy", ("INT8",)),
        ("int8_static", ("INT8",)),
        ("engines/INT8", ("INT8",)),
        ("b1int8", ("INT8",)),
        ("fp8e4m3", ("FP8",)),
        ("int8-or-fp8", ("INT8", "FP8")),
        ("fp32", ()),
        ("torch-bf16", ()),
        ("int80", ()),
        ("fp800", ()),
        ("point8", ()),
        ("uint8-inputs", ()),
        ("", ()),
    ],
)
def test_a_name_claims_what_stands_in_it_as_a_word(name, claims):
    assert claimed_precisions([name]) == claims


@pytest.mark.parametrize("census", [INT8, INT8.as_dict()])
def test_a_claim_that_every_piece_of_evidence_shows_is_let_through(census):
    check_claim(("ort-int8", "int8"), census=census, executed=executed(INT8=1, FP32=7))
    check_claim(("rtx-int8",), layers_by_precision={"INT8": 2, "FP32": 1})


def test_a_name_without_a_claim_needs_no_evidence():
    check_claim(("ort-fp32", ""), census=FP32, executed=executed(FP32=2))
    check_claim(("torch-fp32",))


def test_a_file_without_quantised_products_is_refused_with_its_counts():
    with pytest.raises(PrecisionNotActive) as caught:
        check_claim(("ort-int8", "fp32"), census=FP32)
    assert caught.value.asked == "call ort-int8 and fp32 INT8"
    assert caught.value.happened == (
        "of 2 products in the ONNX file 0 are quantised (2 FP32; 0 have only their weight quantised)"
    )
    assert "INT8" in caught.value.affected
    assert "take int8 out of the row's name in params.yaml" in caught.value.fix


def test_the_artifacts_name_claims_as_the_candidates_does():
    with pytest.raises(PrecisionNotActive):
        check_claim(("fast", "int8"), census=FP32)


def test_a_file_in_8_bits_that_was_executed_in_float_is_refused():
    with pytest.raises(PrecisionNotActive) as caught:
        check_claim(("openvino-int8",), census=INT8, executed=executed(FP32=20))
    assert caught.value.happened == "the products that were executed are 20 FP32"


def test_one_8_bit_precision_does_not_show_the_other():
    with pytest.raises(PrecisionNotActive, match="1 INT8"):
        check_claim(("fp8",), executed=executed(INT8=1))


def test_an_engine_without_such_layers_is_refused():
    with pytest.raises(PrecisionNotActive, match="the engine's layers are 36 FP32, 1 no data"):
        check_claim(("rtx-int8",), layers_by_precision={"FP32": 36, "no data": 1})


def test_a_claim_without_any_evidence_is_refused():
    with pytest.raises(PrecisionNotActive, match="neither an ONNX file nor an engine nor an execution"):
        check_claim(("torch-int8",))


def test_an_engine_in_8_bits_in_name_only_is_refused():
    with pytest.raises(PrecisionNotActive) as caught:
        check_engine("main", census=INT8, layers_by_precision={"FP32": 5})
    assert caught.value.asked == "build the engine main from an ONNX file with 2 INT8 products of 2"
    assert caught.value.happened == "it is INT8 in name only: its layers are 5 FP32"
    assert caught.value.affected == "this engine and what is measured on it"
    assert "params.yaml" in caught.value.fix


@pytest.mark.parametrize(
    ("census", "layers"), [(INT8, {"INT8": 2, "FP32": 1}), (FP32, {"FP32": 5}), (INT8, {})], ids=["int8", "fp32", "?"]
)
def test_other_engines_are_let_through(census, layers):
    check_engine("main", census=census, layers_by_precision=layers)
