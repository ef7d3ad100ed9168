"""Methods × sample counts over a DVC that is none; tests/workflow/test_experiments.py runs a real one."""

import json
import sys
from pathlib import Path

import pytest

from temper.comparison import calibration_study as module
from temper.comparison.calibration_study import calibration_study
from temper.comparison.experiments import Experiment
from temper.comparison.revisions import Revision
from temper.errors import ExperimentError
from tests.unit.comparison.experiments import FEW

DIGESTS = ["a" * 64, "b" * 64]
RAN = [
    "> temper job calibrate main",
    f"calibrating took 2.50 s: {DIGESTS[0]}",
    "noise",
    "> temper job report ",
    "Ran experiment(s): a",
]


@pytest.fixture
def python(tmp_path, monkeypatch):
    """Puts a program in Python's place, which prints lines and ends with a code."""

    def put(printed, code=0):
        program = tmp_path / "bin/python"
        program.parent.mkdir(exist_ok=True)
        lines = "".join(f"echo '{line}'\n" for line in printed)
        program.write_text(f'#!/bin/sh\necho "$@" > asked\n{lines}exit {code}\n')
        program.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(program))

    monkeypatch.chdir(tmp_path)
    return put


def test_a_queue_is_run_one_experiment_at_a_time_and_its_jobs_are_counted_and_told(python, tmp_path, capsys):
    python(RAN)
    queue = module._run_queue(tmp_path / "a/log")
    assert (queue.jobs, queue.took_s) == (2, {DIGESTS[0]: 2.5})
    assert Path("asked").read_text() == "-P -m dvc exp run --run-all --jobs 1\n"
    assert capsys.readouterr().out.splitlines() == ["  calibrate main", "  report", "Ran experiment(s): a"]
    assert (tmp_path / "a/log").read_text().splitlines() == RAN


def test_a_queue_that_fails_names_its_log(python, tmp_path):
    python(RAN, code=3)
    with pytest.raises(ExperimentError) as caught:
        module._run_queue(tmp_path / "log")
    assert "ended with 3" in caught.value.happened
    assert str(tmp_path / "log") in caught.value.happened


class Kept:
    """What is asked of DVC's cache: the job record of each experiment's calibration."""

    def outputs(self, revision):
        return {"artifacts/jobs/calibrate/main.json": revision.name}

    def file(self, revision, path, md5):
        assert path == "artifacts/jobs/calibrate/main.json"
        digest = DIGESTS["8" in revision.name]
        return json.dumps({"outputs": {"artifacts/calibration/main/cache.json": digest}}).encode()


def test_seconds_belong_to_the_experiments_whose_cache_has_the_digest(monkeypatch):
    monkeypatch.setattr(module, "Store", Kept)
    monkeypatch.setattr(module, "revisions", lambda names: [Revision(name, "c") for name in names])
    took = {DIGESTS[1]: 3.5}
    assert module._calibration_seconds(["main-nncf-4", "main-nncf-8"], "main", took) == {"main-nncf-8": 3.5}


class Study:
    """What `calibration_study` asks of DVC and of the study, and what it did."""

    def __init__(self, found):
        self.asked, self.compared, self.costs, self.found = [], None, None, found
        self.names = []

    def put(self, monkeypatch):
        monkeypatch.setattr(module, "commit", lambda: self.asked.append("commit") or 0)
        monkeypatch.setattr(module, "ask_dvc", lambda *words, affected, fix: self.asked.append(" ".join(words)))
        monkeypatch.setattr(module, "_run_queue", self.run)
        monkeypatch.setattr(module, "planned_jobs", lambda: [None] * 16)
        monkeypatch.setattr(module, "read_experiments", lambda names: [self.found[name] for name in names])
        monkeypatch.setattr(module, "experiments_of_this_commit", lambda: self.names)
        monkeypatch.setattr(module, "compare", self.compare)
        monkeypatch.setattr(module, "Store", Kept)
        monkeypatch.setattr(module, "revisions", lambda names: [Revision(name, "c") for name in names])
        return self

    def run(self, log):
        self.asked.append("run")
        self.names = list(self.found)
        return module.Queue(10, {DIGESTS[0]: 2.5})

    def compare(self, names, costs):
        self.compared, self.costs = names, costs


def test_every_method_with_every_number_is_queued_under_its_name_before_anything_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ["main-minmax-4", "main-minmax-8", "main-nncf-4", "main-nncf-8"]
    study = Study(dict.fromkeys(names, FEW)).put(monkeypatch)
    calibration_study(calibration="main", methods=["minmax", "nncf"], samples=[4, 8])
    queued = [
        f"exp run --queue --name main-{method}-{count} --set-param ++calibrations.main.method={method} "
        f"--set-param ++calibrations.main.samples={count}"
        for method in ("minmax", "nncf")
        for count in (4, 8)
    ]
    assert study.asked == ["commit", *queued, "run"]
    assert study.compared == names


def test_what_it_cost_is_handed_to_the_comparison_and_no_time_is_made_up_for_what_the_cache_had(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = Study(dict.fromkeys(["main-nncf-4", "main-nncf-8"], FEW)).put(monkeypatch)
    calibration_study(calibration="main", methods=["nncf"], samples=[4, 8])
    cost = study.costs["cost"]
    assert {key: cost[key] for key in ("experiments", "jobs_run", "jobs_of_full_reruns", "calibrate_s")} == {
        "experiments": 2,
        "jobs_run": 10,
        "jobs_of_full_reruns": 32,
        "calibrate_s": {"main-nncf-4": 2.5},
    }
    ran, took, cached = study.costs["notes"]
    assert ran.startswith("2 experiments, 10 jobs in ")
    assert "main-nncf-4 2.5 s" in took
    assert cached == "How long calibrating took is not recorded for 1 of them: DVC's cache had the result."
    json.dumps(study.costs)


def test_what_an_earlier_study_timed_is_known_by_its_digest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = Study(dict.fromkeys(["main-nncf-4", "main-nncf-8"], FEW)).put(monkeypatch)
    Path(module.FOLDER).mkdir(parents=True)
    earlier = {"cost": {"calibrate_s_by_cache": {DIGESTS[1]: 7.5}}}
    Path(module.FOLDER, "comparison.json").write_text(json.dumps(earlier))
    calibration_study(calibration="main", methods=["nncf"], samples=[4, 8])
    assert study.costs["cost"]["calibrate_s"] == {"main-nncf-4": 2.5, "main-nncf-8": 7.5}
    assert study.costs["cost"]["calibrate_s_by_cache"] == {DIGESTS[0]: 2.5, DIGESTS[1]: 7.5}
    assert len(study.costs["notes"]) == 2


def test_experiments_of_the_same_names_stay_unless_it_is_told_to_remove_them_and_others_always_do(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    study = Study(dict.fromkeys(["main-nncf-4", "main-nncf-8"], FEW)).put(monkeypatch)
    study.names = ["main-nncf-8", "main-nncf-64"]
    with pytest.raises(ExperimentError) as caught:
        calibration_study(calibration="main", methods=["nncf"], samples=[4, 8])
    assert caught.value.happened == "1 experiments of this commit have these names already: main-nncf-8"
    assert "temper calibration-study --force" in caught.value.fix
    assert study.asked == ["commit"]
    calibration_study(calibration="main", methods=["nncf"], samples=[4, 8], force=True)
    assert study.asked[2] == "exp remove main-nncf-8"


@pytest.mark.parametrize(
    ("failed", "said"),
    [
        ({"main-nncf-8": Experiment("main-nncf-8", {}, {}, {}, "it has no results")}, "main-nncf-8: it has no results"),
        ({}, "main-nncf-8: DVC has no such experiment"),
    ],
)
def test_an_experiment_that_failed_is_named_and_nothing_is_compared(tmp_path, monkeypatch, failed, said):
    monkeypatch.chdir(tmp_path)
    study = Study({"main-nncf-4": FEW, **failed}).put(monkeypatch)
    with pytest.raises(ExperimentError) as caught:
        calibration_study(calibration="main", methods=["nncf"], samples=[4, 8])
    assert caught.value.happened.startswith(f"1 of 2 experiments failed ({said})")
    assert study.compared is None
