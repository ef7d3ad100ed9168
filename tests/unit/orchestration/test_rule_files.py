"""Which files a rule's rows read and write, and rows by the wildcards of a job."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from temper.orchestration.rule_files import RuleFiles, any_of, beside_splits, plain
from temper.study.study import read_study

PARAMS = Path(__file__).parents[2] / "workflow/params.tiny.yaml"


@pytest.fixture(scope="module")
def study():
    return read_study(yaml.safe_load(PARAMS.read_text()), [str(PARAMS)])


@pytest.fixture(scope="module")
def files(study):
    return RuleFiles(study, {"calibrate": {"main": {"nncf": "1.2"}}})


def test_a_wildcard_is_one_of_its_rows_and_nothing_else():
    pattern = any_of(["a.b", "a"])
    assert re.fullmatch(pattern, "a.b")
    assert not re.fullmatch(pattern, "axb")
    assert not re.fullmatch(any_of([]), "")


def test_what_a_job_reads_with_its_split_is_of_no_other_split():
    assert beside_splits("train", "test") == [
        "data/prepared/train.json",
        "data/prepared/signature.json",
        "data/prepared/test.json",
    ]


def test_a_row_is_plain_among_a_jobs_params(study):
    assert plain(study.measurement) == study.measurement.model_dump(mode="json")
    assert plain({"a": 1}) == {"a": 1}


def test_what_a_candidate_loads_says_its_files_and_the_preprocessor_travels_with_each(files):
    assert "artifacts/checkpoint/model.safetensors" in files.artifact_files("checkpoint")
    assert "artifacts/onnx/fp32/model.onnx" in files.artifact_files("onnx/fp32")
    assert "artifacts/engines/rtx/model.engine" in files.artifact_files("engines/rtx")
    for loads, folder in (("checkpoint", "checkpoint"), ("onnx/fp32", "onnx/fp32"), ("engines/rtx", "engines/rtx")):
        assert {f"artifacts/{folder}/{file}" for file in files.preprocessor} <= set(files.artifact_files(loads))
    assert set(files.prepared_preprocessor) < {name.removeprefix("data/prepared/") for name in files.prepared}


@pytest.mark.parametrize(
    ("row", "calibration", "search"),
    [
        ({"onnx": "fp32"}, None, None),
        ({"onnx": "fp32", "calibration": "main"}, "artifacts/calibration/main", None),
        ({"onnx": "fp32", "search": "main"}, None, "artifacts/searches/main"),
    ],
)
def test_a_conversion_reads_the_calibration_or_search_that_it_names(row, calibration, search):
    files, wildcards = RuleFiles(SimpleNamespace(conversions={"a": row}), {}), SimpleNamespace(precision="a")
    for kind, folder in (("calibration", calibration), ("search", search)):
        assert files.precision_folder(wildcards, kind) == folder
        found = files.precision_files(wildcards, kind)
        assert bool(found) == bool(folder)
        assert all(file.startswith(f"{folder}/") for file in found)


def test_an_engines_row_reads_the_buckets_that_it_names():
    rows = {"fixed": SimpleNamespace(onnx="fp32"), "bucketed": SimpleNamespace(onnx="fp32", buckets="main")}
    files = RuleFiles(SimpleNamespace(engine_rows=rows), {})
    assert files.buckets_file(SimpleNamespace(engine="fixed")) is None
    assert files.buckets_file(SimpleNamespace(engine="bucketed")) == "artifacts/buckets/main.json"


def test_rows_are_found_by_the_wildcards_of_a_job(study, files):
    for name, row in study.candidates.items():
        assert files.backend_of(SimpleNamespace(candidate=name)) is study.backends[row.backend]
    for name, row in study.load_tests.items():
        assert files.load_test_backend(SimpleNamespace(load_test=name)) is study.backends[row["backend"]]


def test_versions_that_were_kept_for_a_job_are_those_it_has(files):
    assert files.versions_for("calibrate", "main", "nncf")["nncf"] == "1.2"
    assert files.versions_for("calibrate", "other", "nncf").get("nncf") != "1.2"


def test_every_job_has_its_record(study, files):
    assert len(files.job_records) == sum(map(len, study.jobs.values())) == len(set(files.job_records))


@pytest.fixture(scope="module")
def placed_files():
    """Of a study whose candidates are measured on two machines."""
    from tests.unit.study.sections.test_machines import SHORT

    return RuleFiles(read_study(SHORT), {})


def test_a_job_that_is_timed_goes_to_its_machine_and_the_others_anywhere(placed_files):
    assert placed_files.machine_for("measure", "int8") == placed_files.machine_for("remeasure", "small") == "small"
    assert placed_files.machine_files("measure", "int8-large") == ["machines/large.json"]
    assert placed_files.machine_files("fine_tune", "") == []
    assert placed_files.placed("measure", "int8")["slurm_partition"] == "cpu"
    assert placed_files.placed("measure", "int8")["slurm_extra"] == "--exclusive"
    assert placed_files.cores_for("measure", "int8", 7) == 2
    assert placed_files.cores_for("measure", "int8-large", 7) == 7
    assert placed_files.resources("measure") == ["slurm_extra", "slurm_partition"]
    asked = placed_files.asked_for("measure")
    assert {key: ask(["int8"]) for key, ask in asked.items()} == {
        "slurm_extra": "--exclusive",
        "slurm_partition": "cpu",
    }


def test_a_study_on_the_machine_that_plans_asks_a_scheduler_for_nothing(study, files):
    asked = {rule: files.resources(rule) for rule in study.jobs if files.resources(rule)}
    assert asked == {
        "build_engine": ["gpu"],
        "measure": ["gpu"],
        "remeasure": ["gpu"],
    }  # its engines' candidate uses one
