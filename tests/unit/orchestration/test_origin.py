import pytest

from temper.errors import ForeignArtifacts
from temper.orchestration.job_record import JobRecord, ledger_path, record_path, write_job_record
from temper.orchestration.origin import UNCHECKED, check_origin, foreign

JOBS = {"fine_tune": ("",), "calibrate": ("main", "other")}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(UNCHECKED, raising=False)
    for rule, row in (("fine_tune", ""), ("calibrate", "main")):
        write_job_record(JobRecord(rule, row, {}, {}, {}))
    return tmp_path


def test_what_snakemake_left_and_what_is_not_there_yet_are_no_strangers():
    assert foreign(JOBS) == []
    check_origin(JOBS)


def test_a_record_that_snakemake_did_not_leave_stops_the_planning():
    ledger_path("fine_tune", "").unlink()
    assert foreign(JOBS) == [record_path("fine_tune", "")]
    with pytest.raises(ForeignArtifacts, match="temper sync"):
        check_origin(JOBS)


def test_whoever_has_looked_already_is_let_through(monkeypatch):
    ledger_path("fine_tune", "").unlink()
    monkeypatch.setenv(UNCHECKED, "1")
    check_origin(JOBS)
