"""A study as an object, on filed records of this repository; tests/workflow/test_predict.py asks a finished study for labels."""

import subprocess
import sys
from pathlib import Path

import pytest

import temper
from temper.errors import ArtifactError, ConfigError, DataError

FILED = Path(__file__).resolve().parents[3] / "results/cpu-2c-epyc/embedded"


@pytest.fixture(scope="module")
def filed():
    return temper.open_study(FILED)


def test_records_are_a_frame_with_a_row_for_each_candidate_and_workload(filed):
    frame = filed.records()
    assert set(frame["workload"]) == {"b1-s32", "b8-s32"}
    row = frame.set_index(["candidate", "workload"]).loc[("ort-int8-dynamic", "b1-s32")]
    assert round(row["speed_up"], 2) == 2.35
    assert row["speed_up_low"] < row["speed_up"] < row["speed_up_high"]
    absent = frame[frame["candidate"] == "rtx-int8"]
    assert absent["latency_p50_ms"].isna().all()
    assert absent["reason"].str.contains("no NVIDIA GPU").all()


def test_the_choice_is_that_of_the_report(filed):
    found = filed.choice()["b1-s32"]
    assert (found.candidate, found.provisional) == ("ort-int8-dynamic", True)
    assert found.sentence.startswith("b1-s32: provisionally ort-int8-dynamic, 2.35 ×")
    assert round(found.speed_up, 2) == 2.35


def test_filed_records_have_no_artifacts(filed):
    for ask in (lambda: filed.predict(["a film"]), lambda: filed.artifact("ort-int8")):
        with pytest.raises(ArtifactError, match="the artifacts are not with them"):
            ask()


def test_a_study_that_was_not_run_says_so_and_the_working_directory_stays(tmp_path):
    (tmp_path / "params.yaml").write_text((FILED.parents[2] / "params.yaml").read_text())
    study, before = temper.open_study(str(tmp_path)), Path.cwd()
    for ask in (study.records, study.choice, lambda: study.predict(["a film"])):
        with pytest.raises(DataError, match="has not been run to its end"):
            ask()
    assert Path.cwd() == before
    with pytest.raises(ConfigError, match="no candidate has this name"):
        study.artifact("none")
    with pytest.raises(ArtifactError):
        study.artifact("ort-int8")


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        temper.open_study(tmp_path)


def test_importing_temper_imports_nothing_else_of_it():
    code = (
        "import sys, temper; print([name for name in sys.modules if name.startswith(('temper.', 'pandas', 'numpy'))])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
