"""The studies that a search writes, and what is taken over into them."""

import json
import shutil
from dataclasses import replace

import pytest
import yaml

from temper.artifacts.manifest import sha256
from temper.optimize import studies
from temper.optimize.points import Point
from temper.optimize.shortest import leaf_values
from temper.optimize.space import Machine, space
from temper.optimize.steps import GRAPH_STEPS
from temper.optimize.studies import (
    take_over,
    targets,
    trials_params,
    winner_params,
    write_study,
)
from temper.orchestration.job_record import record_path
from temper.orchestration.jobs import Job
from temper.study.study import read_study

SECTION = {
    "defaults": 1,
    "study": "mine",
    "data": {
        **{"train": "data/raw/train.tsv", "test": "data/raw/test.tsv", "text": "text", "label": "label"},
        **{"label_names": ["no", "yes"], "max_tokens": 128},
    },
    "model": {"checkpoint": "data/raw/model"},
    "recipe": "cpu",
    "analysis": {"latency_margin": 0.1},
    "workloads": {"b1": {"batch_size": 1}, "b8": {"batch_size": 8}},
}
WHOLE = space(
    export="fp32",
    applied=tuple(GRAPH_STEPS),
    machine=Machine(2, ("bf16",), 0),
    longest=128,
    workload={"batch_size": 1, "sequence_length": 128},
)


def named(ending):
    return next(point for point in WHOLE.points if point.name.endswith(ending))


def winner(**more):
    points = {"fastest": named("static-trimmed--int8-fast"), "exact": named("openvino-f32-static-trimmed--simplified")}
    asked = {"points": points, "space": WHOLE, "workload": "b1", "budget_points": 0.3, "measurement": {}, **more}
    return winner_params(SECTION, study="mine-latency-b1", **asked)


def test_the_winners_study_has_its_rows_and_no_others_and_says_all_else_as_the_study_does():
    params = winner()
    # all of them are rows of defaults.yaml
    assert not {"conversions", "calibrations", "backends"} & set(params)
    assert params["candidates"]["exact"] == {"backend": "openvino-static-trimmed", "loads": "onnx/simplified"}
    assert params["data"] == SECTION["data"]
    assert params["workloads"] == {"b1": {"batch_size": 1}}
    assert params["analysis"] == {"latency_margin": 0.1, "accuracy_budget_points": 0.3}
    study = read_study(params)
    assert set(study.candidates) == {"harness", "torch-fp32", "fastest", "exact"}


def test_a_calibration_of_the_studys_own_is_that_of_every_candidate():
    section = {**SECTION, "calibrations": {"main": {"method": "percentile", "samples": 32}}}
    study = read_study(trials_params(section, WHOLE, "b1"))
    assert {row.method for row in study.calibrations.values()} == {"percentile"}
    assert {row.samples for row in study.calibrations.values()} == {32}
    assert study.calibrations["one-token"].onnx == "one-token"


def test_a_bound_of_the_latency_makes_it_be_measured():
    params = winner(measurement={"percentiles": [50, 99], "min_calls": 662})
    assert read_study(params).measurement.percentiles == (50, 99)


def test_values_are_counted_one_by_one():
    assert leaf_values({"a": 1, "b": {"c": [1, 2], "d": None}, "e": {}}) == 3


def test_a_study_that_is_written_reads_the_outside_files_of_the_one_above_it(tmp_path):
    source = tmp_path / "mine"
    (source / "data/raw/model").mkdir(parents=True)
    for name in ("train.tsv", "test.tsv", "model/config.json"):
        (source / "data/raw" / name).write_text("x", encoding="utf-8")
    folder = source / "optimize/latency-b1"
    write_study(folder, source, winner(), "a comment")
    text = (folder / "params.yaml").read_text(encoding="utf-8")
    assert text.startswith("# a comment\ndefaults: 1\n")
    assert yaml.safe_load(text)["study"] == "mine-latency-b1"
    assert (folder / "data/raw/train.tsv").read_text(encoding="utf-8") == "x"
    assert (folder / "data/raw").is_symlink()
    assert not (folder / "data").is_symlink()
    before = (folder / "params.yaml").stat().st_mtime_ns
    write_study(folder, source, winner(), "a comment")
    assert (folder / "params.yaml").stat().st_mtime_ns == before


@pytest.fixture
def two_folders(tmp_path, monkeypatch):
    """A study with one job's file, another one that plans the same job, and the job."""
    source, folder = tmp_path / "source", tmp_path / "folder"
    (source / "artifacts").mkdir(parents=True)
    (source / "artifacts/file").write_text("made", encoding="utf-8")
    for place in (source, folder):
        (place / "data").mkdir(parents=True)
        (place / "data/in").write_text("read", encoding="utf-8")
    record = {
        **{"format_version": 1, "rule": "export_onnx", "row": "fp32", "settings": {"opset": 20}},
        "inputs": {"data/in": sha256(source / "data/in")},
        "outputs": {"artifacts/file": sha256(source / "artifacts/file")},
    }
    path = source / record_path("export_onnx", "fp32")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(record), encoding="utf-8")
    job = Job("export_onnx", "fp32", {"opset": 20}, ("data/in",), ("artifacts/file", str(path)), ())
    settled = []
    monkeypatch.setattr(studies, "_settle", settled.append)
    monkeypatch.setattr(studies, "planned_jobs", lambda place: [job])
    return source, folder, job, settled


def test_what_was_made_of_the_same_comes_with_its_record(two_folders, tmp_path):
    source, folder, _, settled = two_folders
    assert take_over(folder, [tmp_path / "none", source]) == 1
    assert (folder / "artifacts/file").read_text(encoding="utf-8") == "made"
    assert settled == [folder]
    assert take_over(folder, [source]) == 0  # it is there
    assert settled == [folder]


def test_a_take_over_that_was_killed_before_snakemake_knew_of_it_is_ended(two_folders, monkeypatch):
    source, folder, _, settled = two_folders

    def killed(place):
        raise KeyboardInterrupt

    monkeypatch.setattr(studies, "_settle", killed)
    with pytest.raises(KeyboardInterrupt):
        take_over(folder, [source])
    monkeypatch.setattr(studies, "_settle", settled.append)
    assert take_over(folder, [source]) == 0
    assert take_over(folder, [source]) == 0
    assert settled == [folder]


def test_what_a_killed_take_over_had_copied_in_part_is_copied_anew(two_folders, monkeypatch):
    source, folder, _, settled = two_folders
    copy, copied = shutil.copy2, []

    def once(origin, target):
        copied.append(copy(origin, target))
        if len(copied) == 2:  # the output is there, its job's record not yet under its name
            raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "copy2", once)
    with pytest.raises(KeyboardInterrupt):
        take_over(folder, [source])
    assert not (folder / record_path("export_onnx", "fp32")).exists()
    monkeypatch.setattr(shutil, "copy2", copy)
    assert take_over(folder, [source]) == 1
    assert settled == [folder]
    assert not list(folder.rglob("*.taken"))


@pytest.mark.parametrize("other", ["settings", "input", "output"])
def test_what_was_made_of_something_else_or_altered_since_stays_where_it_is(two_folders, monkeypatch, other):
    source, folder, job, settled = two_folders
    if other == "settings":
        monkeypatch.setattr(studies, "planned_jobs", lambda place: [replace(job, settings={"opset": 21})])
    elif other == "input":
        (folder / "data/in").write_text("another", encoding="utf-8")
    else:
        (source / "artifacts/file").write_text("altered", encoding="utf-8")
    assert take_over(folder, [source]) == 0
    assert not (folder / "artifacts").exists()
    assert settled == []


def test_files_of_rows_are_what_snakemake_is_asked_for():
    found = targets(["onnx/a", "engines/b"])
    assert found[0] == "artifacts/onnx/a/model.onnx"
    assert found[3] == "artifacts/engines/b/model.engine"


def test_a_point_of_the_checkpoint_needs_no_rows():
    point = Point("torch", "checkpoint", {"runner": "pytorch", "options": {"mode": "torchscript"}})
    params = winner(points={"fastest": point})
    assert "conversions" not in params
    assert read_study(params).candidates["fastest"].loads == "checkpoint"
