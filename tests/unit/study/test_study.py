"""Each test takes the embedded study in the complete form, which is right, and spoils one thing."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from temper.errors import ConfigError
from temper.study.onnx_rows import ONNX_SECTIONS, precision_options
from temper.study.resolve import load_resolved
from temper.study.study import ENGINE_SECTIONS, read_study

ROOT = Path(__file__).parents[3]
PARAMS = load_resolved(ROOT / "params.yaml")
PARAMS["calibration_methods"] |= {
    "minmax": {},
    "entropy": {"bins": 2048, "quantized_bins": 128},
    "percentile": {"bins": 2048, "percentile": 99.99},
}
GONE = object()
COMMON_OF_ENGINE = {"library": "tensorrt_rtx", "version": "1.6.1.120", "onnx": "fp32"}
SHAPES = {"min_shape": [1, 8], "opt_shape": [8, 32], "max_shape": [32, 64]}


def altered(*changes: tuple[str, Any]) -> dict[str, Any]:
    """The embedded study with other values at these slash-separated paths."""
    params = copy.deepcopy(PARAMS)
    for path, value in changes:
        *folders, last = (int(part) if part.isdigit() else part for part in path.split("/"))
        place = params
        for folder in folders:
            place = place[folder]
        if value is GONE:
            del place[last]
        else:
            place[last] = value
    return params


def refusal(*changes: tuple[str, Any]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_study(altered(*changes))
    assert caught.value.asked == "read params.yaml and plan the study"
    assert caught.value.affected == "nothing: no job was started"
    return caught.value


@pytest.mark.parametrize(
    "path", ["params.yaml", *(f"studies/{n}/params.yaml" for n in ("digits-resnet", "sst2-minilm"))]
)
def test_the_studies_of_this_repository_are_right(path):
    study = read_study(yaml.safe_load((ROOT / path).read_text()), [ROOT / path])
    assert study.candidates[study.baseline_candidate].loads == study.baseline.loads


def every_key(section: dict[str, Any], path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Paths of the keys that the schema names: those below rows and sections, not the rows' own names."""
    rows = {
        "exports",
        "calibrations",
        "precisions",
        "calibrated_precisions",
        "quantization_aware",
        "buckets",
        "engines",
        "bucketed_engines",
        "backends",
        "workloads",
        "candidates",
    }
    free = {("model", "config")}
    found: list[tuple[str, ...]] = []
    for key, value in section.items():
        here = (*path, key)
        if not path or path[-1] not in rows or len(path) > 1:
            found.append(here)
        if isinstance(value, dict) and here not in free:
            found += every_key(value, here)
    return found


KEYS = [path for path in every_key(PARAMS) if path[0] != "calibration_methods" or len(path) == 3]


@pytest.mark.parametrize("path", KEYS, ids="/".join)
def test_no_key_has_a_default(path):
    error = refusal(("/".join(path), GONE))
    if path not in {("model", "source"), ("model", "preprocessor", "kind")}:  # these choose which keys there are
        size = path[0] == "workloads" and len(path) == 3  # which sizes there are depends on the task
        assert (f"{'.'.join(path[:2])} gives" if size else f"{'.'.join(path)} ") in error.happened


SECTIONS = [
    "", "data/", "model/", "model/preprocessor/", "train/", "exports/fp32/", "calibration_methods/entropy/",
    "calibrations/main/", "precisions/fp16/", "calibrated_precisions/int8/", "engines/fp32/", "backends/ort-cpu/",
    "backends/ort-cpu/options/",
    "measurement/", "candidates/ort-fp32/",
]  # fmt: skip


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_is_closed(section):
    error = refusal((f"{section}colour", "blue"))
    assert error.happened.startswith(f"{section.replace('/', '.')}colour is an unknown key")
    assert "docs/params.md" in error.fix


WRONG = [
    ("seed", -1, "greater than or equal to 0"),
    ("seed", "17", "valid integer"),
    ("seed", True, "valid integer"),
    ("study", "no/path", "match pattern"),
    ("onnx_external_data", "yes", "valid boolean"),
    ("exports", {}, "at least 1 item"),
    ("exports/fp32/opset", 17, "greater than or equal to 18"),
    ("exports/fp32/max_logit_difference", 0, "greater than 0"),
    ("exports/fp32/max_logit_difference", float("nan"), "finite number"),
    ("data/train_rows", 0, "greater than 0"),
    ("data/label_noise", 0.5, "less than 0.5"),
    ("model/preprocessor/vocabulary_size", 10, "greater than or equal to 300"),
    ("model/config", [], "keys with values"),
    ("train/epochs", 2.5, "valid integer"),
    ("train/batch_size", -8, "greater than 0"),
    ("train/warmup_share", 1.0, "less than 1"),
    ("train/early_stopping_patience", 0, "greater than 0"),
    ("calibrations/main/samples", 0, "greater than 0"),
    ("calibration_methods/percentile/percentile", 100, "less than 100"),
    ("calibration_methods/entropy/bins", 0, "greater than 0"),
    ("calibrations/main/rows", "best", "'drawn', 'random_ids', 'shuffled_tokens' or 'digits_as_text'"),
    ("calibrated_precisions/int8/per_channel", "true", "valid boolean"),
    ("engines/fp32/opt_shape/0", 0, "greater than 0"),
    ("backends/rtx/version", 1.6, "valid string"),
    ("backends/rtx/version", "1.0/../../evil", "pattern"),
    ("backends/rtx/gpus", -1, "greater than or equal to 0"),
    ("backends/ort-cpu/options/intra_op_threads", 0, "greater than 0"),
    (
        "backends/ort-cpu/options/execution_provider",
        "TPU",
        "'TensorrtExecutionProvider' or 'NvTensorRTRTXExecutionProvider'",
    ),
    ("workloads/b1-s32/batch_size", 0, "greater than 0"),
    ("measurement/warmup_runs", -1, "greater than or equal to 0"),
    ("measurement/min_calls", 0, "greater than 0"),
    ("measurement/min_duration_s", float("inf"), "finite number"),
    ("measurement/percentiles", [], "at least 1 item"),
    ("measurement/percentiles", [50.0, 50.0], "50.0 stands twice"),
    ("measurement/throughput_callers", [1, 1], "1 stands twice"),
    ("candidates/ort-fp32/workloads", ["b1-s16", "b1-s16"], "b1-s16 stands twice"),
    ("measurement/percentiles/0", 100, "a percentile lies between 0 and 100"),
    ("measurement/percentiles/1", 0, "a percentile lies between 0 and 100"),
    ("candidates/ort-fp32/workloads", [], "at least 1 item"),
    ("candidates/ort-fp32/loads", "weights/fp32", "match pattern"),
]


@pytest.mark.parametrize(("path", "value", "message"), WRONG, ids=[f"{path}={value}" for path, value, _ in WRONG])
def test_a_wrong_value_is_named_by_its_full_path(path, value, message):
    error = refusal((path, value))
    assert error.happened.startswith(f"{path.replace('/', '.')} ")
    assert message in error.happened
    assert f"found {str(value)!r}" in error.happened


@pytest.mark.parametrize("path", ["train/learning_rate", "exports/fp32/max_logit_difference", "data/label_noise"])
def test_a_number_in_quotes_is_refused_with_the_way_to_write_it(path):
    error = refusal((path, "2e-5"))
    assert f"{path.replace('/', '.')} has to be a valid number (found '2e-5')" in error.happened
    assert "without quotes: 2e-5" in error.fix


def test_a_value_that_may_be_of_several_types_is_one_sentence():
    told = refusal(("workloads/b1-s32/batch_size", 0)).happened
    assert told == "workloads.b1-s32.batch_size has to be greater than 0 or 'arrival' or 'bucketed' (found '0')"
    told = refusal(("workloads/b1-s32/batch_size", {"rows": 1})).happened  # a section, which is not shown
    assert told.startswith("workloads.b1-s32.batch_size has to be a valid integer or ")
    assert told.count("has to be") == 1
    told = refusal(("data/max_tokens", "many")).happened
    assert "data.max_tokens has to be a valid integer (found 'many')" in told


def test_several_findings_come_together():
    error = refusal(("seed", -1), ("colour", "blue"), ("measurement/warmup_runs", GONE))
    assert len(error.happened.split("; ")) == 3


def test_keys_of_a_checkpoint_are_named_as_they_stand_in_the_file():
    model = {"task": "text-classification", "source": "checkpoint", "revision": None}
    assert refusal(("model", model)).happened == "model.checkpoint is missing"
    model = {"task": "text-classification", "source": "checkpoint", "checkpoint": "x"}
    assert refusal(("model", model)).happened == "model.revision is missing"


def test_a_row_may_be_called_like_a_kind_of_model():
    error = refusal(("candidates/checkpoint", {"backend": "harness", "loads": "checkpoint"}))
    assert error.happened == "candidates.checkpoint.workloads is missing"


def test_a_number_as_the_name_of_a_row_is_refused():
    params = altered()
    params["workloads"][12] = {"batch_size": 1, "sequence_length": 8}
    with pytest.raises(ConfigError, match=r"workloads\.12"):
        read_study(params)


CHOICES = [
    ("data/source", "data.source", "digits, files, hub, image_folder, synthetic"),
    ("train/method", "train.method", "fine_tune, none, untrained"),
    (
        "calibrations/main/method",
        "calibrations.main.method",
        "entropy, minmax, moving_average, nncf, percentile, smooth_quant",
    ),
    (
        "precisions/fp16/step",
        "precisions.fp16.step",
        "additive_mask, bf16, fp16, fp8, fuse_qkv, gelu_tanh, int8_dynamic, int8_static, int8_weight_only, pack_rows, "
        "read_token, sanitize, simplify, truncate, unguarded_softmax",
    ),
    ("engines/fp32/library", "engines.fp32.library", "tensorrt, tensorrt_rtx"),
    (
        "backends/ort-cpu/runner",
        "backends.ort-cpu.runner",
        "null, onnxruntime, openvino, pytorch, tensorrt, tensorrt_rtx",
    ),
]


@pytest.mark.parametrize(("path", "place", "known"), CHOICES, ids=[place for _, place, _ in CHOICES])
def test_an_unknown_choice_lists_the_known_ones(path, place, known):
    error = refusal((path, "magic"))
    assert error.happened == f"{place} is 'magic', which is not one of {known}"
    assert "choose one of these" in error.fix
    assert "CONTRIBUTING.md" in error.fix


@pytest.mark.parametrize("name", ["../../evil", "os", "evil.x", "__init__"])
@pytest.mark.parametrize("path", ["backends/ort-cpu/runner", "precisions/fp16/step"])
def test_a_choice_is_a_file_of_its_room_and_no_path_or_module(path, name):
    assert f"is {name!r}, which is not one of" in refusal((path, name)).happened


def test_an_unknown_calibration_method_with_options_lists_the_known_ones():
    assert (
        "entropy, minmax, moving_average, nncf, percentile, smooth_quant"
        in refusal(("calibration_methods/magic", {})).happened
    )


@pytest.mark.parametrize("rows", ["drawn", "random_ids", "shuffled_tokens", "digits_as_text", {"label": "negative"}])
def test_a_calibration_says_which_rows_it_reads(rows):
    assert read_study(altered(("calibrations/main/rows", rows))).model_dump()["calibrations"]["main"]["rows"] == rows


def test_rows_of_a_label_name_it():
    assert "calibrations.main.rows.label is missing" in refusal(("calibrations/main/rows", {})).happened


@pytest.mark.parametrize("rows", ["random_ids", "shuffled_tokens", "digits_as_text"])
def test_images_have_no_tokens_to_calibrate_on(rows):
    params = load_resolved(ROOT / "studies/digits-resnet/params.yaml")
    params["calibrations"]["main"]["rows"] = rows
    with pytest.raises(ConfigError) as caught:
        read_study(params)
    assert caught.value.happened == f"calibrations.main.rows is {rows}, but images have no tokens"
    assert caught.value.fix == "give drawn, or {label: <name>}"


def test_a_truncation_that_cuts_no_row_is_refused():
    row = {"step": "truncate", "onnx": "fp32", "max_tokens": 64, "keep_last_token": True}
    error = refusal(("precisions/first", row))
    assert error.happened == "precisions.first.max_tokens is 64, not below data.max_tokens (64): no row would be cut"
    assert "below 64" in error.fix
    assert "first" in read_study(altered(("precisions/first", {**row, "max_tokens": 63}))).precisions


def test_a_calibration_method_without_options_says_where_they_go():
    error = refusal(("calibration_methods/nncf", GONE))
    assert error.happened == "calibrations.main.method is 'nncf', but calibration_methods has no such row"
    assert error.fix == "add calibration_methods.nncf with its options"


MISSING_ROWS = [
    ("calibrations/main/onnx", "calibrations.main.onnx", ONNX_SECTIONS),
    ("precisions/fp16/onnx", "precisions.fp16.onnx", ONNX_SECTIONS),
    ("calibrated_precisions/int8/calibration", "calibrated_precisions.int8.calibration", "calibrations"),
    ("engines/fp32/onnx", "engines.fp32.onnx", ONNX_SECTIONS),
    ("baseline/backend", "baseline.backend", "backends"),
    ("candidates/ort-fp32/backend", "candidates.ort-fp32.backend", "backends"),
    ("candidates/ort-fp32/workloads", "candidates.ort-fp32.workloads", "workloads"),
    ("candidates/ort-fp32/loads", "candidates.ort-fp32.loads", ONNX_SECTIONS),
    ("candidates/rtx-fp32/loads", "candidates.rtx-fp32.loads", ENGINE_SECTIONS),
]


@pytest.mark.parametrize(("path", "place", "rows"), MISSING_ROWS, ids=[place for _, place, _ in MISSING_ROWS])
def test_a_row_that_is_not_there_is_named_with_those_that_are(path, place, rows):
    value = {"candidates/ort-fp32/loads": "onnx/nowhere", "candidates/rtx-fp32/loads": "engines/nowhere"}.get(
        path, ["nowhere"] if path.endswith("workloads") else "nowhere"
    )
    error = refusal((path, value))
    assert error.happened.startswith(f"{place} names 'nowhere', but there is no such row in {rows} (there are: ")
    assert error.fix == f"add the row to {rows}, or name one that is there"


TOGETHER = [
    (
        [("measurement/calls_per_turn", 100000)],
        "measurement max_calls is 1200, below two turns of 100000 calls: an interval needs two blocks",
        "docs/params.md",
    ),
    (
        [("baseline/backend", "harness")],
        "baseline.backend is harness, whose runner computes nothing",
        "name a backend that answers",
    ),
    (
        [("calibrations/main/samples", 257)],
        "calibrations.main.samples is 257, more than the 256 rows of data.calibration_rows",
        "fewer samples",
    ),
    (
        [("calibrations/main/rows", {"label": "lukewarm"})],
        "calibrations.main.rows.label is 'lukewarm', but the labels are negative, positive",
        "name one of these",
    ),
    (
        [("data/train_rows", 655)],
        "data.calibration_rows + data.validation_rows is 256 + 400, more than the 655 train rows",
        "data.train_rows",
    ),
    (
        [("model/task", "image-classification")],
        "data.max_tokens is 64 for the task image-classification",
        "images need null",
    ),
    ([("precisions/fp32", PARAMS["precisions"]["fp16"])], f"'fp32' is a row of two of {ONNX_SECTIONS}", "rename"),
    (
        [("calibrated_precisions/fp16", PARAMS["calibrated_precisions"]["int8"])],
        f"'fp16' is a row of two of {ONNX_SECTIONS}",
        "rename",
    ),
    (
        [("precisions/static", PARAMS["calibrated_precisions"]["int8"])],
        "precisions.static has the step int8_static, which reads a calibration cache",
        "move the row to calibrated_precisions",
    ),
    (
        [("calibrated_precisions/half", {**PARAMS["precisions"]["fp16"], "calibration": "main"})],
        "calibrated_precisions.half has the step fp16, which reads no calibration cache",
        "move the row to precisions",
    ),
    (
        [("calibrations/main/onnx", "fp16")],
        "calibrated_precisions.int8 starts from onnx/fp32, but its calibration 'main' holds the ranges of onnx/fp16",
        "calibrate the ONNX row",
    ),
    (
        [("precisions/fp16/calibration", "main")],
        "precisions.fp16.calibration is given, but the step fp16 reads no calibration cache",
        "remove the key",
    ),
    (
        [("precisions/fp16/onnx", "int8-dynamic"), ("precisions/int8-dynamic/onnx", "fp16")],
        "the precisions fp16 → int8-dynamic → fp16 start from each other",
        "exports",
    ),
    ([("precisions/fp16/onnx", "fp16")], "the precisions fp16 → fp16 start from each other", "exports"),
    (
        [("engines/fp32/min_shape", [1])],
        "engines.fp32 has shapes [[1], [8, 32], [32, 64]], but the dynamic axes are ['batch_size', 'sequence_length']",
        "give 2 number(s)",
    ),
    (
        [("engines/fp32/opt_shape", [33, 32])],
        "engines.fp32: min_shape [1, 8], opt_shape [33, 32] and max_shape [32, 64] are not in order",
        "min ≤ opt ≤ max",
    ),
    (
        [("engines/fp32/min_shape", [1, 40])],
        "engines.fp32: min_shape [1, 40], opt_shape [8, 32]",
        "min ≤ opt ≤ max",
    ),
    (
        [("engines/fp32/max_shape", [8, 31]), ("engines/fp32/opt_shape", [8, 31])],
        "candidates.rtx-fp32 runs workload 'b1-s32' [1, 32], outside the shapes of engines.fp32 ([1, 8] to [8, 31])",
        "widen the engine's shapes",
    ),
    (
        [("engines/int8/min_shape", [2, 8])],
        "candidates.rtx-int8 runs workload 'b1-s32' [1, 32], outside the shapes of engines.int8 ([2, 8] to [32, 64])",
        "widen the engine's shapes",
    ),
    (
        [("engines/fp32", {**COMMON_OF_ENGINE, "static_shapes": [[1, 32], [8]]})],
        "engines.fp32 has shapes [[1, 32], [8]], but the dynamic axes are ['batch_size', 'sequence_length']",
        "give 2 number(s) in each of static_shapes",
    ),
    (
        [("engines/fp32", {**COMMON_OF_ENGINE, "static_shapes": [[1, 31], [64, 16]]})],
        "candidates.rtx-fp32 runs workload 'b1-s32' [1, 32], outside the shapes of engines.fp32 "
        "(static shapes [1, 31], [64, 16])",
        "widen the engine's shapes",
    ),
    (
        [("engines/fp32", {**COMMON_OF_ENGINE, "static_shapes": [], "min_shape": [1, 8]})],
        "engines.fp32.static_shapes Tuple should have at least 1 item after validation, not 0 (found '[]'); "
        "engines.fp32.min_shape is an unknown key",
        "correct the key",
    ),
    (
        [("engines/fp32", {**COMMON_OF_ENGINE, "static_shapes": [[1, 32], [1, 32]]})],
        "engines.fp32.static_shapes (1, 32) stands twice",
        "correct the key",
    ),
    (
        [("engines/fp32/opt_shape", GONE)],
        "engines.fp32.opt_shape is missing",
        "correct the key",
    ),
    (
        [("backends/rtx/options/cuda_graph", True)],
        "backends.rtx.options cuda_graph with kernel_specialization lazy would keep the kernels that stand in",
        "correct the key",
    ),
    (
        [("engines/int8/version", "1.5.0.114")],
        "candidates.rtx-int8 runs engines.int8, built with tensorrt_rtx 1.5.0.114, on the backend rtx, which has version 1.6",
        "give the two rows one version",
    ),
    (
        [("workloads/b1-s32/sequence_length", 65)],
        "workloads.b1-s32.sequence_length is 65, longer than data.max_tokens (64)",
        "shorten the workload",
    ),
    (
        [("workloads/b1-s32", {"batch_size": "arrival", "real_lengths": "arrival"})],
        "workloads.b1-s32 gives {'batch_size': 'arrival', 'real_lengths': 'arrival'}; real lengths are for text",
        "give batch_size and real_lengths (arrival or bucketed)",
    ),
    (
        [("workloads/b1-s32/height", 8)],
        "workloads.b1-s32 gives ['batch_size', 'height', 'sequence_length'], but a workload of text-classification has",
        "exactly these sizes",
    ),
    (
        [("candidates/torch-fp32/loads", "onnx/fp32")],
        "candidates.torch-fp32 loads onnx/fp32, but the backend pytorch loads checkpoint",
        "that the backend can load",
    ),
    (
        [("candidates/ort-fp32/loads", "engines/fp32")],
        "candidates.ort-fp32 loads engines/fp32, but the backend onnxruntime loads onnx",
        "that the backend can load",
    ),
    ([("train/method", 5)], "train.method is 5, not a name", "set train.method"),
]


@pytest.mark.parametrize(("changes", "message", "fix"), TOGETHER, ids=[message[:50] for _, message, _ in TOGETHER])
def test_rows_that_contradict_each_other_are_refused(changes, message, fix):
    error = refusal(*changes)
    assert error.happened.startswith(message)
    assert fix in error.fix


def test_as_many_samples_and_rows_as_there_are_is_enough():
    study = read_study(altered(("calibrations/main/samples", 256), ("data/train_rows", 656)))
    assert study.calibrations["main"].samples == 256


def test_a_workload_at_the_edge_of_an_engine_fits():
    study = read_study(
        altered(*((f"engines/{row}/{key}", [8, 32]) for row in ("fp32", "fp16", "int8") for key in ("max_shape",)))
    )
    assert study.engines["fp32"].max_shape == (8, 32)


def test_a_workload_that_is_padded_to_a_static_shape_fits():
    study = read_study(altered(("engines/fp32", {**COMMON_OF_ENGINE, "static_shapes": [[1, 64], [32, 64]]})))
    assert study.engines["fp32"].static_shapes == ((1, 64), (32, 64))
    assert study.engines["fp16"].opt_shape == (8, 32)


def test_the_links_of_a_precisions_row_are_not_its_steps_options():
    assert precision_options(PARAMS["calibrated_precisions"]["int8"]) == {
        "per_channel": True,
        "symmetric_activations": True,
        "quantize_bias": False,
        "quantize_outputs": True,
        "keep_in_float": [],
    }


TRAINED = {
    "onnx": "fp32", "calibration": "main", "device": "cpu", "threads": 1, "steps": 8, "batch_size": 8,
    "learning_rate": 1.0e-4, "steps_per_log": 4, "keep_in_float": [], "max_logit_difference": 0.05,
}  # fmt: skip


def test_a_row_of_quantization_aware_is_an_onnx_row_like_any_other():
    loads = {**PARAMS["candidates"]["ort-int8"], "loads": "onnx/trained"}
    engine = {**PARAMS["engines"]["int8"], "onnx": "trained"}
    study = read_study(
        altered(("quantization_aware/trained", TRAINED), ("candidates/trained", loads), ("engines/trained", engine))
    )
    assert study.onnx_rows[-1] == "trained"
    assert study.jobs["train_quantized"] == ("trained",)
    assert "trained" not in study.jobs["convert_precision"]


@pytest.mark.parametrize(
    ("changes", "happened", "fix"),
    [
        (
            {"onnx": "fp16"},
            "quantization_aware.trained.onnx names 'fp16', but there is no such row in exports",
            "exports",
        ),
        (
            {"calibration": "nowhere"},
            "quantization_aware.trained.calibration names 'nowhere', but there is no such row in calibrations",
            "calibrations",
        ),
        ({"steps": GONE}, "quantization_aware.trained.steps is missing", "docs/params.md"),
        ({"colour": "blue"}, "quantization_aware.trained.colour is an unknown key", "docs/params.md"),
        ({"learning_rate": "1e-4"}, "quantization_aware.trained.learning_rate", "without quotes: 2e-5"),
    ],
    ids=["onnx", "calibration", "missing", "unknown", "text"],
)
def test_a_wrong_row_of_quantization_aware_is_refused(changes, happened, fix):
    row = {key: value for key, value in {**TRAINED, **changes}.items() if value is not GONE}
    error = refusal(("quantization_aware/trained", row))
    assert error.happened.startswith(happened)
    assert fix in error.fix


def test_ranges_of_another_export_and_a_name_that_stands_twice_are_refused():
    exports = ("exports/newer", {**PARAMS["exports"]["fp32"], "opset": 21})
    error = refusal(exports, ("quantization_aware/trained", {**TRAINED, "onnx": "newer"}))
    assert "its calibration 'main' holds the ranges of onnx/fp32" in error.happened
    error = refusal(("quantization_aware/int8", TRAINED))
    assert error.happened.startswith(f"'int8' is a row of two of {ONNX_SECTIONS}")


def test_a_key_that_stands_twice_in_a_file_is_refused(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text((ROOT / "params.yaml").read_text() + "study: other\n")
    with pytest.raises(ConfigError, match="'study' stands twice"):
        read_study(PARAMS, [file])


@pytest.mark.parametrize("section", ["candidates", "precisions", "engines", "calibrations"])
def test_two_names_that_differ_in_capitals_alone_are_refused(section):
    name, row = next(iter(PARAMS[section].items()))
    error = refusal((f"{section}/{name.upper()}", copy.deepcopy(row)))
    assert f"{name!r} and {name.upper()!r} are one name on a disk" in error.happened


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("data/labels", "multi_label")], "data.labels is multi_label, and the source synthetic has one label"),
        (
            [("analysis/metric", "micro_f1")],
            "analysis.metric is micro_f1, which is none of single_label: accuracy, macro_f1",
        ),
    ],
)
def test_a_task_and_a_metric_go_with_the_data(changes, words):
    assert words in refusal(*changes).happened


def of_files(labels, *label_names, **more):
    """The `data:` section of a task whose rows come from files."""
    file = {"path": "data/raw/rows.tsv", "columns": None}
    return {
        "source": "files", "format": "tsv", "quoting": False, "train": file, "validation": None, "test": file, "text": ["a", "b"],
        "label": "label", "label_names": list(label_names), "labels": labels, "validation_rows": 4, "calibration_rows": 16,
        "max_tokens": 32, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ([("data", of_files("score", "low", "high"))], "a score is one output, and there are 2 names"),
        ([("data", of_files("score", "grade")), ("analysis/metric", "ndcg_at_10")], "and data.group is not given"),
        ([("data", of_files("score", "grade")), ("analysis/metric", "auroc")], "none of score: spearman, ndcg_at_10"),
        ([("data", of_files("token_classification", "O"))], "one label alone is no choice"),
        ([("data", of_files("embedding", "near"))], "data.labels is embedding, for which nothing trains here"),
        ([("data", of_files("embedding", "near", "far")), ("train", {"method": "none"})], "there are 2 names"),
    ],
)
def test_what_a_task_asks_of_a_study_is_said_before_anything_runs(changes, words):
    assert words in refusal(*changes).happened


def test_a_study_of_scores_with_queries_is_one():
    changes = [
        ("data", of_files("score", "grade", group="query", calibration_rows=128)),
        ("analysis/metric", "ndcg_at_10"),
    ]
    assert read_study(altered(*changes)).data["group"] == "query"


def test_a_metric_that_is_not_given_is_not_among_the_settings_of_a_job():
    assert set(read_study(PARAMS).analysis.model_dump(mode="json")) == {"latency_margin", "accuracy_budget_points"}
    judged = read_study(altered(("analysis/metric", "macro_f1"))).analysis
    assert judged.model_dump(mode="json")["metric"] == "macro_f1"
