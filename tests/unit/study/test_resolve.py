"""What a study leaves out: studies of this repository, and small ones that say one thing each."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from temper.errors import ConfigError
from temper.study import resolve as module
from temper.study.params_file import load_params, parse_params
from temper.study.params_text import as_yaml
from temper.study.resolve import is_complete, resolve, spelt_out
from temper.study.study import read_study

ROOT = Path(__file__).parents[3]
STUDIES = [ROOT / "params.yaml", *sorted(ROOT.glob("studies/*/params.yaml"))]
# of every study as it stood before there were defaults, when its params.yaml gave each value: `digest` below
BEFORE = json.loads(Path(__file__).with_name("complete_studies.json").read_text())
SHORT: dict[str, Any] = {
    "defaults": 1,
    "study": "short",
    "data": {"train": "data/raw/train.tsv", "test": "data/raw/test.tsv", "text": "review", "label": "mark",
             "label_names": ["bad", "good"], "max_tokens": 64},
    "model": {"checkpoint": "data/raw/checkpoint"},
    "candidates": {"ort-int8": {"backend": "ort-cpu", "loads": "onnx/int8"}},
}  # fmt: skip
IMAGES = {
    **SHORT,
    "data": {"source": "image_folder", "train": "data/raw/train", "label_names": ["cat", "dog"]},
    "model": {"task": "image-classification", "checkpoint": "data/raw/checkpoint"},
}


def digest(complete: Mapping[str, Any]) -> str:
    """Of everything that a job can be given: backends and calibration methods that nothing names are left out."""
    rows = (*complete["candidates"].values(), *complete["load_tests"].values(), complete["baseline"])
    named = {
        "calibration_methods": {row["method"] for row in complete["calibrations"].values()},
        "backends": {row["backend"] for row in rows},
    }
    kept = {key: {name: complete[key][name] for name in complete[key] if name in names} for key, names in named.items()}
    order = (list(complete["candidates"]), list(complete["workloads"]))
    return hashlib.sha256(json.dumps([{**complete, **kept}, *order], sort_keys=True).encode()).hexdigest()[:16]


def refused(section: Mapping[str, Any]) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        read_study(section)
    return caught.value


@pytest.mark.parametrize("params", STUDIES, ids=lambda path: path.parent.name)
def test_a_study_says_what_it_said_before_there_were_defaults(params):
    content = load_params(params)
    before = BEFORE.get(content["study"])
    assert before is None or digest(resolve(content)) == before


def test_every_study_that_was_there_before_is_held_to_it():
    assert set(BEFORE) <= {load_params(params)["study"] for params in STUDIES}


@pytest.mark.parametrize("params", STUDIES, ids=lambda path: path.parent.name)
def test_the_study_with_every_value_is_the_same_study(params):
    content = load_params(params)
    text = as_yaml(spelt_out(content))
    whole = parse_params(text)
    assert digest(resolve(whole)) == digest(resolve(content))
    assert spelt_out(whole) == whole
    assert read_study(whole).study == content["study"]


def test_a_study_without_defaults_is_taken_as_it_is():
    complete = resolve(SHORT)
    assert is_complete(complete)
    assert resolve(complete) == complete
    del complete["searches"]
    assert "searches is missing" in refused(complete).happened


def test_the_commonest_study_is_checked_and_has_the_rows_that_it_names():
    study = read_study(SHORT)
    assert list(study.candidates) == ["harness", "torch-fp32", "ort-int8"]
    assert study.data["train"] == {"path": "data/raw/train.tsv", "columns": None}
    assert (study.data["format"], study.data["quoting"], study.data["text"]) == ("tsv", False, ["review"])
    assert study.train == {"method": "none"}
    assert list(study.conversions) == ["int8"]
    assert list(study.calibration_methods) == ["nncf"]
    assert sorted(study.backends) == ["harness", "ort-cpu", "pytorch-cpu"]
    assert study.workloads["b8"] == {"batch_size": 8, "sequence_length": 64}
    assert study.candidates["ort-int8"].workloads == ("b1", "b8")
    assert study.calibrations["main"].samples == 300


def test_what_a_study_gives_stands_and_the_rest_of_the_row_comes_with_it():
    own = {
        **SHORT,
        "threads": 5,
        "measurement": {"resamples": 400},
        "backends": {"ort-cpu": {"options": {"spinning": True}}},
        "calibrations": {"main": {"method": "entropy", "samples": 7}},
        "calibration_methods": {"entropy": {"bins": 512}},
        "conversions": {"int8": {"per_channel": False}},
        "train": {"epochs": 2},
    }
    study = read_study(own)
    assert (study.measurement.resamples, study.measurement.warmup_runs) == (400, 10)
    options = study.backends["ort-cpu"].options
    assert (options["spinning"], options["intra_op_threads"], options["graph_optimization"]) == (True, 5, "all")
    assert study.calibration_methods == {"entropy": {"bins": 512, "quantized_bins": 128}}
    assert study.conversions["int8"]["per_channel"] is False
    assert (study.train["method"], study.train["epochs"], study.train["threads"]) == ("fine_tune", 2, 1)


def test_another_step_under_a_known_name_is_a_row_of_ones_own():
    study = read_study({**SHORT, "conversions": {"int8": {"step": "int8_dynamic"}}})
    assert study.precisions == {"int8": {"step": "int8_dynamic", "per_channel": True, "onnx": "fp32"}}
    assert study.calibrations == {}


def test_rows_start_from_the_first_export_of_the_study():
    study = read_study({**SHORT, "exports": {"op23": {"opset": 23}, "op20": {}}})
    assert study.conversions["int8"]["onnx"] == "op23"
    assert sorted(study.exports) == ["op20", "op23"]


def test_a_row_that_is_like_another_takes_what_it_does_not_say():
    rows = {
        "first": {"backend": "rtx", "loads": "engines/int8", "workloads": ["b1"]},
        "second": {"like": "first", "loads": "engines/two"},
    }
    engines = {"int8": {"min_shape": [1, 8], "opt_shape": [1, 64], "max_shape": [8, 64]},
               "two": {"like": "int8", "onnx": "fp32", "static_shapes": [[1, 64]]}}  # fmt: skip
    study = read_study({**SHORT, "candidates": rows, "engines": engines})
    assert study.candidates["second"].workloads == ("b1",)
    assert study.engines["two"].model_dump()["static_shapes"] == ((1, 64),)
    for other, words in (("third", "no row of candidates"), ("second", "the row itself")):
        assert words in refused({**SHORT, "candidates": {"second": {"like": other}}}).happened


def test_conversions_and_engines_are_sorted_by_what_they_depend_on():
    own = {
        **SHORT,
        "conversions": {"kept": {"step": "int8_static", "search": "main"}, "half": {"step": "fp16", "onnx": "kept"}},
        "searches": {"main": {"onnx": "int8", "reference": "fp32", "rows": 5, "threads": 1, "budget_points": 1.0,
                              "max_evaluations": 9}},
        "buckets": {"main": {"batch_size": 8, "profiles": 2, "multiple_of": 8, "split": "train", "cost": "tokens"}},
        "engines": {"even": {}, "uneven": {"onnx": "half", "buckets": "main"}},
    }  # fmt: skip
    study = read_study(own)
    assert (list(study.precisions), list(study.calibrated_precisions), list(study.searched_precisions)) == (
        ["half"], ["int8"], ["kept"],
    )  # fmt: skip
    assert (list(study.engines), list(study.bucketed_engines)) == (["even"], ["uneven"])
    assert study.engines["even"].model_dump()["static_shapes"] == ((1, 64), (8, 64))


@pytest.mark.parametrize(
    ("recipe", "base", "candidates"),
    [
        ("cpu", SHORT, ["ort-fp32", "ort-int8-dynamic", "ort-int8", "openvino-fp32", "openvino-int8",
                        "openvino-int8-static", "openvino-int8-fast"]),
        ("quick", SHORT, ["ort-fp32", "ort-int8-dynamic", "openvino-int8-fast"]),
        ("quick", IMAGES, ["ort-fp32", "openvino-int8-static"]),
        ("gpu", SHORT, ["torch-cuda-fp16", "torch-compile", "rtx-fp16", "rtx-bf16", "rtx-int8"]),
        ("cpu", IMAGES, ["ort-fp32", "ort-int8", "openvino-fp32", "openvino-int8", "openvino-int8-static"]),
        ("gpu", IMAGES, ["torch-cuda-fp16", "torch-compile", "rtx-fp16", "rtx-bf16"]),
    ],
)  # fmt: skip
def test_a_recipe_stands_for_candidates_and_all_they_need(recipe, base, candidates):
    study = read_study({key: value for key, value in base.items() if key != "candidates"} | {"recipe": recipe})
    assert list(study.candidates) == ["harness", "torch-fp32", *candidates]


def test_a_gpu_s_engines_are_held_against_the_same_gpu_unless_the_study_says_otherwise():
    short = {key: value for key, value in SHORT.items() if key != "candidates"} | {"recipe": "gpu"}
    study = read_study(short)
    assert study.baseline.model_dump() == {"backend": "pytorch-cuda", "loads": "checkpoint"}
    assert study.backends["pytorch-cuda"].options["device"] == "cuda"
    assert study.backends["pytorch-cuda"].gpus == 1
    assert "pytorch-cpu" not in study.backends
    other = read_study({**short, "baseline": {"backend": "pytorch-cpu"}})
    assert other.baseline.backend == "pytorch-cpu"
    assert {read_study({**SHORT, "recipe": name}).baseline.backend for name in ("cpu", "everything")} == {"pytorch-cpu"}


@pytest.mark.parametrize("recipe", ["gpu", "everything"])
def test_no_recipe_has_an_engine_that_the_pinned_version_answers_wrongly(recipe):
    study = read_study({**SHORT, "recipe": recipe})  # INT8 with FP16 around it: docs/quantising.md
    steps = {name: row["step"] for name, row in study.conversions.items()}
    for engine in study.engines.values():
        chain = [engine.onnx]
        while chain[-1] in steps:
            chain.append(study.conversions[chain[-1]]["onnx"])
        assert not {"int8_static", "fp16"} <= {steps[name] for name in chain if name in steps}


def test_everything_is_both_and_own_rows_add_replace_and_leave_out():
    own = {"ort-int8": {"workloads": ["b1"]}, "mine": {"backend": "ort-cpu", "loads": "onnx/fp32"}, "rtx-bf16": None}
    study = read_study({**SHORT, "recipe": "everything", "candidates": own})
    assert study.candidates["ort-int8"].workloads == ("b1",)
    assert study.candidates["ort-int8"].loads == "onnx/int8"
    assert "mine" in study.candidates
    assert "rtx-fp16" in study.candidates
    assert "rtx-bf16" not in study.candidates
    assert "bf16" not in study.engines
    assert study.conversions["int8-fast"]["keep_in_float"] == ["node_*"]
    assert study.conversions["one-token"]["onnx"] == "unguarded"


def test_the_noise_and_the_harness_are_measured_once_and_of_themselves():
    own = {"noise": {"backend": "ort-cpu", "loads": "onnx/fp32"}, "ort-int8": SHORT["candidates"]["ort-int8"]}
    study = read_study({**SHORT, "baseline": {"backend": "ort-cpu", "loads": "onnx/fp32"}, "candidates": own})
    assert list(study.candidates) == ["harness", "noise", "ort-int8"]
    assert study.baseline_candidate == "noise"
    other = read_study({**SHORT, "baseline": {"backend": "ort-cpu", "loads": "onnx/fp32"}})
    assert other.baseline_candidate == "baseline"


def test_a_changed_default_is_a_changed_setting_and_nothing_else(monkeypatch):
    before = resolve(SHORT)
    changed = yaml.safe_load(yaml.safe_dump(module._file()))
    changed["values"]["measurement"]["quiet_wait_s"] = 5.0
    monkeypatch.setattr(module, "_file", lambda: changed)
    after = resolve(SHORT)
    assert after["measurement"].pop("quiet_wait_s") == 5.0
    assert before["measurement"].pop("quiet_wait_s") == 600.0
    assert after == before


@pytest.mark.parametrize(
    ("change", "happened", "fix"),
    [
        ({"defaults": 2}, "defaults is 2; this Temper has the defaults 1", "set defaults: 1"),
        ({"recipe": "fast"}, "recipe is 'fast', which is not one of quick, cpu, gpu, everything", "name one of these"),
        ({"candidates": {}}, "neither recipe nor candidates is given", "list candidates"),
        ({"candidates": {}, "recipie": "quick"}, "recipie is an unknown key", "write recipe where recipie stands"),
        ({"candidates": {}, "candidate": {"a": 1}}, "candidate is an unknown key", "write candidates where"),
        ({"precisions": {}}, "precisions is a section of a study without `defaults`", "move its rows to conversions"),
        ({"measurment": {}}, "measurment is an unknown key", "docs/params.md"),
        ({"conversions": {"int8": {"per_chanel": True}}}, "conversions.int8.per_chanel is an unknown key", ""),
        ({"conversions": {"a": {"step": "fp16", "calibration": "main"}}}, "conversions.a has the step fp16, which", ""),
        ({"conversions": {"int8": None}}, "there is no such row in exports, conversions or quantization_aware", ""),
        ({"conversions": ["int8"]}, "conversions", ""),
        ({"engines": {"a": {"version": 1}}}, "engines.a.version", ""),
        ({"candidates": {"a": {"backend": "ort-cpu", "loads": "onnx/int9"}}}, "candidates.a.loads names 'int9'", ""),
        ({"candidates": {"a": None}}, "candidates.a", ""),
        ({"workloads": {"r": {"batch_size": 4, "real_lengths": "arrival"}}, "engines": {"fp32": {}}},
         "engines.fp32 gives no shapes, and workload r has rows of many lengths", "give static_shapes"),
        ({"measurement": 3}, "measurement", ""),
        ({"model": "x"}, "model", ""),
        ({"data": None}, "data", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_the_words_of_the_study(change, happened, fix):
    error = refused({**SHORT, **change})
    assert happened in error.happened
    assert fix in error.fix
    assert "calibrated_precisions" not in f"{error.happened} {error.fix}"


def test_rows_of_what_a_search_finds_are_there_when_they_are_named():
    found = resolve(
        {**SHORT, "candidates": {"one": {"backend": "openvino-static", "loads": "onnx/packed-int8-unguarded"}}}
    )
    assert found["precisions"] == {
        "packed-int8": {"onnx": "int8", "step": "pack_rows", "pad_to_multiple_of": 8, "row_tokens": 64},
        "packed-int8-unguarded": {"onnx": "packed-int8", "step": "unguarded_softmax"},
    }
    assert set(found["calibrated_precisions"]) == {"int8"}
    assert found["backends"]["openvino-static"]["options"]["shapes"] == "static"


def test_a_row_of_ones_own_takes_nothing_from_what_a_search_finds():
    """A study that had a row by such a name before there were any of them makes what it made."""
    own = {"simplified": {"step": "simplify"}, "packed": {"step": "pack_rows", "onnx": "simplified", "row_tokens": 128}}
    found = resolve(
        {**SHORT, "conversions": own, "candidates": {"one": {"backend": "ort-cpu", "loads": "onnx/packed"}}}
    )
    assert found["precisions"] == {
        "simplified": {"onnx": "fp32", "step": "simplify"},
        "packed": {"onnx": "simplified", "step": "pack_rows", "row_tokens": 128},
    }
    assert list(found["precisions"]["packed"]) == ["onnx", "step", "row_tokens"]
    liked = {"mine": {"like": "packed", "row_tokens": 256}}
    found = resolve(
        {**SHORT, "conversions": liked, "candidates": {"one": {"backend": "ort-cpu", "loads": "onnx/mine"}}}
    )
    row = {"onnx": "fp32", "step": "pack_rows", "pad_to_multiple_of": 8, "row_tokens": 256}
    assert found["precisions"]["mine"] == row
