"""Methods × sample counts over a DVC that is none; tests/workflow/test_experiments.py runs a real one."""

import json
import sys
from pathlib import Path

import pytest

from temper.comparison import calibration_study as module
from temper.comparison.calibration_study import calibration_study
from temper.comparison.experiments import Experiment
from temper.errors import ExperimentError

RAN = ["> temper job calibrate main", "noise", "> temper job report ", "Ran experiment(s): a"]


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
    assert module._run_queue(tmp_path / "a/log") == 2
    assert Path("asked").read_text() == "-m dvc exp run --run-all --jobs 1\n"
    assert capsys.readouterr().out.splitlines() == ["  calibrate main", "  report", "Ran experiment(s): a"]
    assert (tmp_path / "a/log").read_text().splitlines() == RAN


def test_a_queue_that_fails_names_its_log(python, tmp_path):
    python(RAN, code=3)
    with pytest.raises(ExperimentError) as caught:
        module._run_queue(tmp_path / "log")
    assert "ended with 3" in caught.value.happened
    assert str(tmp_path / "log") in caught.value.happened


class Study:
    """What `calibration_study` asks of DVC and of the study, and what it did."""

    def __init__(self, found):
        self.asked, self.compared, self.earlier, self.found = [], None, [], found

    def put(self, monkeypatch):
        monkeypatch.setattr(module, "commit", lambda: self.asked.append("commit") or 0)
        monkeypatch.setattr(module, "ask_dvc", lambda *words, spoiled, fix: self.asked.append(" ".join(words)))
        monkeypatch.setattr(module, "_run_queue", lambda log: self.asked.append("run") or 10)
        monkeypatch.setattr(module, "planned_jobs", lambda: [None] * 16)
        monkeypatch.setattr(module, "read_experiments", lambda names: self.found if names else self.earlier)
        monkeypatch.setattr(module, "compare", self.compare)
        return self

    def compare(self, names):
        self.compared = names
        Path(module.FOLDER).mkdir(parents=True, exist_ok=True)
        Path(module.FOLDER, "comparison.json").write_text('{"rows": [1]}')


def ended(name, error=None):
    return Experiment(name, {}, {} if error else {"int8": {"accuracy": 0.5}}, error)


def test_every_method_with_every_number_is_queued_under_its_name_before_anything_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    study = Study([ended("any")]).put(monkeypatch)
    calibration_study(calibration="main", methods=["minmax", "nncf"], samples=[4, 8])
    names = ["main-minmax-4", "main-minmax-8", "main-nncf-4", "main-nncf-8"]
    queued = [
        f"exp run --queue --name main-{method}-{count} --set-param calibrations.main.method={method} "
        f"--set-param calibrations.main.samples={count}"
        for method in ("minmax", "nncf")
        for count in (4, 8)
    ]
    assert study.asked == ["commit", *queued, "run"]
    assert study.compared == names
    content = json.loads(Path(module.FOLDER, "comparison.json").read_text())
    assert content["rows"] == [1]
    cost = {key: content["cost"][key] for key in ("experiments", "jobs_run", "jobs_of_full_reruns")}
    assert cost == {"experiments": 4, "jobs_run": 10, "jobs_of_full_reruns": 64}
    assert "4 experiments, 10 jobs in " in capsys.readouterr().out


def test_experiments_of_the_same_names_stay_unless_it_is_told_to_remove_them_and_others_always_do(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    study = Study([ended("any")]).put(monkeypatch)
    study.earlier = [ended("main-nncf-8"), ended("workspace"), ended("main-nncf-64")]
    with pytest.raises(ExperimentError) as caught:
        calibration_study(calibration="main", methods=["nncf"], samples=[4, 8])
    assert caught.value.happened == "1 experiments of this commit have these names already: main-nncf-8"
    assert "temper calibration-study --force" in caught.value.fix
    assert study.asked == ["commit"]
    calibration_study(calibration="main", methods=["nncf"], samples=[4, 8], force=True)
    assert study.asked[2] == "exp remove main-nncf-8"


@pytest.mark.parametrize(("error", "said"), [("a stage failed", "a stage failed"), (None, "no results")])
def test_an_experiment_that_failed_is_named_and_nothing_is_compared(tmp_path, monkeypatch, error, said):
    monkeypatch.chdir(tmp_path)
    failed = Experiment("main-nncf-8", {}, {}, error)
    study = Study([ended("main-nncf-4"), failed]).put(monkeypatch)
    with pytest.raises(ExperimentError) as caught:
        calibration_study(calibration="main", methods=["nncf"], samples=[4, 8])
    assert caught.value.happened.startswith(f"1 of 2 experiments failed (main-nncf-8: {said})")
    assert study.compared is None
