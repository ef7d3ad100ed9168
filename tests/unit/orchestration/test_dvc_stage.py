"""What a DVC stage prints beside its job; tests/workflow/test_dvc.py runs real ones."""

import subprocess

import pytest

from temper.errors import EndedError
from temper.orchestration import dvc_stage


def test_a_calibration_says_what_it_took_where_the_log_may_be_gone_later(tmp_path, capsys):
    log = tmp_path / "main.log"
    log.write_text(f"10 tensors calibrated\ncalibrating took 7.78 s: {'a' * 64}\nown work: 8.4 s\n")
    dvc_stage._say_cost(log)
    dvc_stage._say_cost(tmp_path / "report.log")  # a job that calibrates nothing
    assert capsys.readouterr().out == f"calibrating took 7.78 s: {'a' * 64}\n"


def test_a_snakemake_that_was_killed_is_said_in_four_parts(monkeypatch):
    for name in ("check_slots", "check_unedited", "snakemake_command"):
        monkeypatch.setattr(dvc_stage, name, lambda *arguments: [])
    monkeypatch.setattr(subprocess, "run", lambda *a, **k: subprocess.CompletedProcess([], -9))
    with pytest.raises(EndedError, match="ended by signal SIGKILL"):
        dvc_stage.run_job("report", "", 1)
