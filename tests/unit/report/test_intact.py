import pytest

from temper.artifacts.manifest import sha256
from temper.errors import ArtifactError
from temper.orchestration.job_record import JobRecord, record_path, write_job_record
from temper.report.intact import check_jobs


def test_a_record_that_was_edited_has_no_place_in_a_table(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record, job = tmp_path / "a.json", record_path("measure", "a")
    record.write_text("{}")
    write_job_record(JobRecord("measure", "a", {}, {}, {"a.json": sha256(record)}))
    check_jobs([job])
    record.write_text("{ }")
    with pytest.raises(ArtifactError, match="is not the record that was measured") as caught:
        check_jobs([job])
    assert "temper sync" in caught.value.fix
