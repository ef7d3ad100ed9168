"""What stands in an experiment's way; tests/workflow/test_lose_nothing.py has DVC run one."""

import subprocess
from pathlib import Path

import pytest

from temper.errors import ConfigError, ExperimentError
from temper.orchestration import experiment
from temper.orchestration.experiment import run_experiment, unsaved
from temper.orchestration.handed_over import check_committed, commit_command, unrecorded

pytestmark = pytest.mark.usefixtures("warm")
SHORT = Path(__file__).parents[2] / "workflow/params.short.yaml"


@pytest.fixture
def study(dvc_study):
    """The text of a study with 16 calibration rows, in Windows' lines."""
    text = (
        SHORT.read_text().replace("calibration_rows: 16", "calibration_rows:  16  # as it stands").replace("\n", "\r\n")
    )
    (dvc_study / "params.yaml").write_bytes(text.encode())
    return text


@pytest.fixture
def asked(study, dvc_study, monkeypatch):
    """What DVC was asked to run, and params.yaml then. It fails."""
    found = []

    def run(*words):
        found.append((" ".join(words), (dvc_study / "params.yaml").read_bytes().decode()))
        return subprocess.CompletedProcess([], 3)

    monkeypatch.setattr(experiment, "dvc", run)
    return found


def test_what_dvc_holds_is_in_nobodys_way_and_the_study_is_the_only_target(asked, study):
    assert unsaved() == []
    assert run_experiment(None, []) == 3
    assert asked == [("exp run dvc.yaml", study)]


def test_a_value_that_is_there_is_replaced_in_its_place_and_dvc_is_given_the_others(asked, study, dvc_study):
    assert run_experiment("a", ["data.calibration_rows=12", "+analysis.latency_margin=0.07"]) == 3
    there = study.replace("calibration_rows:  16", "calibration_rows:  12")
    assert asked == [("exp run --name a --set-param +analysis.latency_margin=0.07 dvc.yaml", there)]
    assert (dvc_study / "params.yaml").read_bytes().decode() == study  # it failed


def test_what_ends_well_keeps_its_values_and_an_edit_made_meanwhile_is_kept(study, dvc_study, monkeypatch, capsys):
    params = dvc_study / "params.yaml"

    def edit(*_):
        params.write_text("mine: true\n")
        return subprocess.CompletedProcess([], 1)

    monkeypatch.setattr(experiment, "dvc", edit)
    assert run_experiment(None, ["seed=3"]) == 1
    assert params.read_text() == "mine: true\n"
    assert "edited in the meantime" in capsys.readouterr().out
    params.write_bytes(study.encode())
    monkeypatch.setattr(experiment, "dvc", lambda *_: subprocess.CompletedProcess([], 0))
    assert run_experiment(None, ["analysis.latency_margin=0.07"]) == 0  # a value that only the defaults give
    assert "latency_margin: 0.07" in params.read_text()


@pytest.mark.parametrize(
    ("change", "happened", "fix"),
    [
        ("calibrations.main.samples=512", "calibrations.main.samples is 512, more than the 16 rows", "fewer samples"),
        (
            "calibrations.main.sampels=4",
            "no key calibrations.main.sampels",
            "-S calibrations.main.samples=4, the nearest",
        ),
        ("+calibrations.main.sampels=4", "sampels", ""),
        ("measurement.nothing.like=that", "no key measurement.nothing.like", "-S +measurement.nothing.like=that"),
        ("~seeed", "DVC cannot make that change: ", "~key to remove one"),
        ("seed", "it is not KEY=VALUE", "-S calibrations.main.method=minmax"),
    ],
)
def test_a_change_that_makes_no_study_is_refused_before_dvc_begins(asked, study, dvc_study, change, happened, fix):
    with pytest.raises(ConfigError) as caught:
        run_experiment(None, [change])
    assert happened in caught.value.happened
    assert fix in caught.value.fix
    assert change in caught.value.asked
    assert "asked:" not in caught.value.happened
    assert asked == []
    assert (dvc_study / "params.yaml").read_bytes().decode() == study


def test_results_that_dvc_has_no_record_of_stop_it(asked, dvc_study):
    for path in (
        "artifacts/onnx/fp32/model.onnx",
        "artifacts/measurements/ort-fp32.json",
        "artifacts/onnx/old/model.onnx",
    ):
        (dvc_study / path).parent.mkdir(parents=True, exist_ok=True)
        (dvc_study / path).write_text(path)
    assert unrecorded("look") == ["artifacts/onnx/fp32/model.onnx", "artifacts/measurements/ort-fp32.json"]
    with pytest.raises(ExperimentError) as caught:
        run_experiment(None, [])
    assert "never handed to DVC" in caught.value.happened
    assert "temper commit" in caught.value.fix
    assert asked == []


def test_a_study_that_git_has_not_is_named_with_the_command(dvc_study):
    check_committed("look")  # no git at all: DVC says so
    subprocess.run(["git", "init", "--quiet"], check=True)
    with pytest.raises(ExperimentError) as caught:
        check_committed("look")
    assert "not committed yet" in caught.value.happened
    assert commit_command() in caught.value.fix
    subprocess.run(["git", "add", ".dvc"], check=True)
    someone = ("-c", "user.name=Someone", "-c", "user.email=someone@example.org")
    subprocess.run(["git", *someone, "commit", "--quiet", "--message", "it"], check=True)
    check_committed("look")


def test_an_edit_and_a_note_are_named_before_dvc_is_asked_and_an_older_version_is_not(asked, dvc_study):
    (dvc_study / "data/raw/one.tsv").write_text("two")
    (dvc_study / "data/raw/two.tsv").unlink()
    assert unsaved() == []
    (dvc_study / "data/raw/one.tsv").write_text("mine")
    (dvc_study / "data/raw/notes.txt").write_text("mine")
    with pytest.raises(ExperimentError) as caught:
        run_experiment(None, [])
    assert caught.value.happened.endswith("only this folder has: data/raw/one.tsv, data/raw/notes.txt")
    assert "dvc add data/raw" in caught.value.fix
    assert asked == []


def test_where_the_cache_is_lost_everything_is_nowhere_else(asked, dvc_study):
    (dvc_study / ".dvc/cache").rename(dvc_study / "lost")
    assert sorted(unsaved()) == ["data/raw/one.tsv", "data/raw/two.tsv"]
