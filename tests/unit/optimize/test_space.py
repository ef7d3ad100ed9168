import numpy as np
import pytest

from temper.optimize.space import Machine, most_points, space, variants
from temper.optimize.steps import GRAPH_STEPS, PACKING
from temper.optimize.studies import trials_params, winner_params
from temper.study.study import read_study

TWO_CORES = Machine(cores=2, precisions=("bf16",), gpus=0)
FIXED, REAL = {"batch_size": 1, "sequence_length": 128}, {"batch_size": 12, "real_lengths": "arrival"}
STEPS = tuple(GRAPH_STEPS)


LENGTHS = np.random.default_rng(0).integers(4, 70, 3000)


def of(applied=STEPS, machine=TWO_CORES, longest=128, workload=FIXED):
    lengths = LENGTHS if machine.gpus and longest else None
    return space(export="fp32", applied=applied, machine=machine, longest=longest, workload=workload, lengths=lengths)


def test_graph_steps_that_apply_build_on_one_another_and_the_others_are_left_out():
    found = of(applied=("read_token", "simplify"))
    assert found.conversions["one-token"] == {"step": "read_token", "onnx": "fp32"}
    assert found.conversions["simplified"] == {"step": "simplify", "onnx": "one-token"}
    assert not {"unguarded", "one-product", "tanh"} & set(found.conversions)


def test_every_row_that_a_point_loads_is_made_by_rows_that_are_there():
    found = of()
    for point in found.points:
        kind, _, name = point.loads.partition("/")
        while kind == "onnx" and name != "fp32":
            row = found.conversions[name]
            if "calibration" in row:
                assert found.calibrations[row["calibration"]]["onnx"] == row["onnx"]
            name = row["onnx"]
    assert len({point.name for point in found.points}) == len(found.points)


def test_sixteen_bits_are_asked_of_a_processor_that_multiplies_in_them_alone():
    plain = of(machine=Machine(cores=2, precisions=(), gpus=0))
    assert {point.backend["options"].get("inference_precision") for point in plain.points} == {"f32", None}
    assert any(point.backend["options"].get("inference_precision") == "bf16" for point in of().points)
    assert any(point.name == "torch-bfloat16-eager" for point in of().points)


def test_eight_bits_are_not_asked_for_between_layers_that_have_no_kernel_for_them():
    points = of(machine=Machine(cores=2, precisions=("bf16", "f16"), gpus=0)).points
    bits = {
        precision: {
            point.low_precision for point in points if point.backend["options"].get("inference_precision") == precision
        }
        for precision in ("f32", "bf16", "f16")
    }
    assert bits == {"f32": {True, False}, "bf16": {True, False}, "f16": {False}}


def test_texts_are_answered_without_their_padding_too_and_images_have_none():
    assert any(point.name == "torch-float32-unpadded" for point in of().points)
    for machine in (ONE_GPU, TWO_CORES):
        assert not any("unpadded" in point.name for point in of(machine=machine, applied=(), longest=None).points)


@pytest.mark.parametrize("workload", [REAL, {"batch_size": 12, "sequence_length": 64}])
def test_rows_are_packed_where_a_batch_has_several_in_float_and_in_int8(workload):
    found = of(applied=(*STEPS, PACKING), workload=workload)
    row = {"step": "pack_rows", "onnx": "fp32", "row_tokens": 256, "pad_to_multiple_of": 8}
    assert found.conversions["packed-256"] == row
    assert found.conversions["packed-int8-products"]["onnx"] == "int8-products"
    unguarded = found.conversions["packed-int8-products-unguarded"]
    assert unguarded == {"step": "unguarded_softmax", "onnx": "packed-int8-products"}
    eight_bits = {point.loads for point in found.points if point.low_precision and "packed" in point.loads}
    assert {"onnx/packed-int8", "onnx/packed-256-int8-products-unguarded"} <= eight_bits
    assert not any("int8-dynamic" in name for name in found.conversions if "packed" in name)
    assert not {"onnx/packed", "onnx/packed-int8-fast"} & eight_bits
    assert not any("packed" in name for name in of(applied=(*STEPS, PACKING)).conversions)  # one row alone


def test_columns_of_padding_are_left_out_where_rows_are_padded_to_a_length():
    def trimmed(**changes):
        own = [point for point in of(**changes).points if point.backend["runner"] != "pytorch"]
        return {point.name.partition("-")[0] for point in own if point.backend["options"].get("trim_padding")}

    assert trimmed() == {"openvino", "ort"}
    bare = {"export": "fp32", "applied": (), "machine": TWO_CORES, "longest": 128, "workload": FIXED, "masked": False}
    assert not any("trimmed" in point.name for point in space(**bare).points)
    assert trimmed(workload=REAL) == trimmed(applied=(), longest=None) == set()
    packed = of(applied=(*STEPS, PACKING), workload={"batch_size": 12, "sequence_length": 64}).points
    assert not any("trim_padding" in each.backend["options"] for each in packed if "packed" in each.loads)


def test_images_have_no_attention_to_leave_in_float():
    assert not any("products" in name for name in of(applied=(), longest=None).conversions)


def test_a_point_that_leads_has_variants_that_answer_as_it_does():
    lead = next(point for point in of().points if point.backend["runner"] == "onnxruntime")
    found = variants(lead, TWO_CORES)
    assert [point.backend["options"] for point in found] == [
        {**lead.backend["options"], "intra_op_threads": 1},
        {**lead.backend["options"], "spinning": True},
        {**lead.backend["options"], "graph_optimization": "extended"},
    ]
    assert {point.answers for point in found} == {lead.answers}
    assert {point.loads for point in found} == {lead.loads}
    assert most_points([lead], TWO_CORES) == 4


def test_where_throughput_is_asked_for_each_point_comes_with_a_caller_for_each_core_too():
    asked = {"export": "fp32", "applied": (), "machine": TWO_CORES, "longest": 128, "workload": FIXED}
    alone, crowded = space(**asked), space(**asked, throughput=True)
    assert len(crowded.points) == 2 * len(alone.points)
    crowd, point = crowded.points[:2]
    assert crowd.name == f"{point.name}-2-callers"
    assert (crowd.callers, crowd.backend["options"]["threads"]) == (2, 1)
    assert (point.callers, point.backend["options"]["threads"]) == (1, 2)
    assert crowd.answers == point.answers
    assert not any("threads" in each.name for each in variants(crowd, TWO_CORES))


SECTION = {
    "defaults": 1,
    "study": "mine",
    "data": {
        **{"train": "data/raw/train.tsv", "test": "data/raw/test.tsv", "text": "text", "label": "label"},
        **{"label_names": ["no", "yes"], "max_tokens": 128},
    },
    "model": {"checkpoint": "data/raw/model"},
    "recipe": "cpu",
    "workloads": {"b12": {"batch_size": 12, "sequence_length": 64}, "b12-arrival": REAL},
}


@pytest.mark.parametrize(("workload", "gpus"), [("b12-arrival", 0), ("b12-arrival", 1), ("b12", 1)])
def test_the_rows_are_of_a_study_that_holds(workload, gpus):
    machine = Machine(cores=2, precisions=("bf16",), gpus=gpus)
    whole = of(applied=(*STEPS, PACKING), machine=machine, workload=SECTION["workloads"][workload])
    study = read_study(trials_params(SECTION, whole, workload))
    assert {point.name for point in whole.points} <= set(study.candidates)
    assert study.baseline_candidate == "torch-fp32"
    made = {*(f"onnx/{name}" for name in study.onnx_rows), *(f"engines/{name}" for name in study.engine_rows)}
    assert set(whole.artifacts) <= made


ONE_GPU = Machine(cores=2, precisions=("bf16",), gpus=1)
ONE_WITH_FP8 = Machine(cores=2, precisions=("bf16",), gpus=1, fp8=True)


@pytest.mark.parametrize(
    ("workload", "applied", "opset", "engines"),
    [
        (FIXED, (*STEPS, PACKING), 20, {"fp8-linear-bf16", "fp8-attention-bf16"}),
        (REAL, (*STEPS, PACKING), 20, {"packed-fp8-linear-bf16", "packed-fp8-attention-bf16"}),
        (REAL, (PACKING,), 23, {"opset20-packed-fp8-linear-bf16", "opset20-packed-fp8-attention-bf16"}),
    ],
)
def test_two_engines_of_fp8_where_the_gpu_multiplies_it(workload, applied, opset, engines):
    asked = {
        "export": "fp32",
        "applied": applied,
        "longest": 128,
        "workload": workload,
        "lengths": LENGTHS,
        "opset": opset,
    }
    found = space(machine=ONE_WITH_FP8, **asked)
    points = [point for point in found.points if "fp8" in point.loads]
    assert {point.loads for point in points} == {f"engines/{name}" for name in engines}
    assert len(points) <= 4
    assert all(point.low_precision for point in points)
    rows = {name: row for name, row in found.conversions.items() if row["step"] == "fp8"}
    assert {row["attention"] for row in rows.values()} == {"float", "whole"}
    for row in rows.values():
        assert found.calibrations[row["calibration"]] == {"onnx": row["onnx"], "method": "minmax"}
        while row["onnx"] in found.conversions:
            row = found.conversions[row["onnx"]]
        assert {"fp32": opset, **{name: each["opset"] for name, each in found.exports.items()}}[row["onnx"]] == 20
    assert not any("fp8" in point.loads for point in space(machine=ONE_GPU, **asked).points)
    images = {**asked, "longest": None, "lengths": None, "applied": ()}
    assert not any("fp8" in point.loads for point in space(machine=ONE_WITH_FP8, **images).points)
    if opset == 20:
        section = {**SECTION, "workloads": {"asked": workload}}
        study = read_study(trials_params(section, found, "asked"))
        assert {f"engines/{name}" for name in engines} <= {row.loads for row in study.candidates.values()}


def test_a_gpu_is_given_engines_of_every_precision_and_what_it_does_without_them():
    found = of(machine=ONE_GPU)
    names = {point.name for point in found.points}
    assert {"rtx--one-token-fp16", "rtx-trimmed--tanh-bf16", "rtx--int8", "torch-cuda-float16-compile"} <= names
    assert {"torch-cuda-float16-unpadded", "torch-cuda-float16-unpadded-gelu-tanh"} <= names
    assert found.conversions["one-token-fp16"] == {"step": "fp16", "onnx": "one-token"}
    assert not any(variants(point, ONE_GPU) for point in found.points)
    assert not any(
        "simplify" in row.values() for row in found.conversions.values()
    )  # TensorRT writes graphs anew itself


def test_on_a_gpu_what_opens_soonest_and_leads_most_is_raced_first_and_eight_bits_late():
    found = of((*STEPS, PACKING), ONE_WITH_FP8, workload=SECTION["workloads"]["b12"])
    names = [point.name for point in found.points]
    packed = [name for name in names if "packed" in name and "fp8" not in name]
    eight_bits = [point.name for point in found.points if point.low_precision]
    assert sorted(names[:2]) == ["torch-cuda-float16-unpadded", "torch-cuda-float16-unpadded-gelu-tanh"]
    assert names[2 : 2 + len(packed)] == packed
    assert min(map(names.index, eight_bits)) > max(map(names.index, packed))


def test_both_forms_of_attention_are_built_on_a_gpu_and_the_winner_says_the_one_it_needs():
    found = of(machine=ONE_GPU, workload=SECTION["workloads"]["b12"])
    assert found.exports == {"fp32-opset23": {"opset": 23}}
    assert {"unguarded", "opset23-unguarded"} & set(found.conversions) == {"unguarded"}
    assert found.conversions["opset23-one-token"] == {"step": "read_token", "onnx": "fp32-opset23"}
    asked = {"space": found, "workload": "b12", "measurement": {}, "study": "mine-fast", "budget_points": 0.5}
    points = {point.name: point for point in found.points}
    other = winner_params(SECTION, points={"fastest": points["rtx--opset23-one-token-fp16"]}, **asked)
    assert other["exports"] == {"fp32-opset23": {"opset": 23}}
    assert set(read_study(other).onnx_rows) >= {"fp32-opset23", "opset23-one-token", "opset23-one-token-fp16"}
    both = {"fastest": points["rtx--opset23-one-token-fp16"], "exact": points["rtx--fp32"]}
    assert list(winner_params(SECTION, points=both, **asked)["exports"]) == ["fp32", "fp32-opset23"]
    assert "exports" not in winner_params(SECTION, points={"fastest": points["rtx--one-token-fp16"]}, **asked)


def test_engines_have_shapes_of_the_datas_own_lengths_and_none_before_these_are_known():
    found = of(machine=ONE_GPU, workload=REAL, applied=(*STEPS, PACKING))
    shapes = found.engines["fp32-fp16"]["static_shapes"]
    assert [12, 128] in shapes
    assert all(tokens in range(8, 129, 8) for _, tokens in shapes)
    packed = found.engines["opset23-packed-additive-fp16"]["static_shapes"]
    assert all(sentences == 12 and 1 <= rows <= 12 for sentences, rows in packed)
    assert {point.name for point in found.points} >= {"rtx--packed-fp16", "rtx-trimmed--fp32-fp16"}
    assert "packed-additive" not in found.conversions  # below opset 23 the mask is one already
    assert "rtx-trimmed--packed-fp16" not in {point.name for point in found.points}  # there is nothing to trim
    asked = {"export": "fp32", "applied": STEPS, "machine": ONE_GPU, "longest": 128, "workload": REAL}
    assert not any(point.loads.startswith("engines/") for point in space(**asked).points)
    read_study(trials_params(SECTION, space(**asked), "b12-arrival"))


def test_a_single_row_is_not_packed_and_images_have_engines_of_the_workloads_shape():
    single = of(machine=ONE_GPU, applied=(*STEPS, PACKING))
    assert not any("packed" in point.name for point in single.points)
    images = of(machine=ONE_GPU, longest=None, applied=(), workload={"batch_size": 8})
    assert images.engines["fp32-fp16"] == {"onnx": "fp32-fp16"}
    assert images.exports == {}
    assert "rtx-trimmed--fp32-fp16" not in {point.name for point in images.points}
