import contextlib
import json
import os
from types import SimpleNamespace

import pytest

from temper.errors import ArtifactError, LibraryError
from temper.logs import script_log
from temper.orchestration import job_record, run_lock
from temper.orchestration.job_record import (
    JobRecord,
    is_remembered,
    read_job_record,
    record_path,
    recorded,
    write_job_record,
)

RECORD = JobRecord("calibrate", "main", {"samples": 8}, {"in.onnx": "a"}, {"out.json": "b"})


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(script_log, "_terminal_fd", 2)  # `recorded` redirects this process; the tests after it go on
    return tmp_path


class Named(list):
    """Params and outputs as a script gets them: a list with names."""

    def __init__(self, **named):
        super().__init__(named.values())
        self.items = named.items


def script(rule="calibrate", row="main", **params):
    output = ["artifacts/out.json", record_path(rule, row)]
    wildcards = [row] if row else []
    return SimpleNamespace(
        rule=rule, wildcards=wildcards, params=Named(**params), input=["in.txt"], output=output, log=["logs/job.log"]
    )


def test_a_rule_with_one_job_has_no_folder_of_its_own():
    assert record_path("report", "") == "artifacts/jobs/report.json"
    assert record_path("measure", "ort-fp32") == "artifacts/jobs/measure/ort-fp32.json"


def test_a_record_is_read_as_it_was_written_and_remembered():
    write_job_record(RECORD)
    path = record_path("calibrate", "main")
    assert read_job_record(path) == RECORD
    assert is_remembered("calibrate", "main")


def test_a_record_that_came_from_elsewhere_is_not_remembered(folder):
    write_job_record(RECORD)
    path = folder / record_path("calibrate", "main")
    path.write_text(path.read_text().replace("8", "9"))
    assert not is_remembered("calibrate", "main")
    job_record.ledger_path("calibrate", "main").unlink()
    assert not is_remembered("calibrate", "main")


@pytest.mark.parametrize("text", ["", "{}", '{"format_version": 2}', '{"format_version": 1, "rule": "a"}', "[]"])
def test_what_is_no_record_is_an_error(folder, text):
    (folder / "x.json").write_text(text)
    with pytest.raises(ArtifactError, match="temper sync"):
        read_job_record("x.json")


def test_a_job_that_ends_well_leaves_its_settings_and_digests(folder):
    (folder / "in.txt").write_text("in")
    with recorded(script(row="main", sizes=(1, 2), versions={})):
        (folder / "artifacts").mkdir()
        (folder / "artifacts/out.json").write_text("out")
    found = read_job_record(record_path("calibrate", "main"))
    assert found.settings == {"sizes": [1, 2], "versions": {}}
    assert found.inputs.keys() == {"in.txt"}
    assert found.outputs.keys() == {"artifacts/out.json"}
    assert is_remembered("calibrate", "main")


def test_a_job_that_fails_leaves_no_record(folder):
    (folder / "in.txt").write_text("in")
    with pytest.raises(SystemExit), recorded(script()):
        raise RuntimeError("no")
    assert not (folder / "artifacts/jobs").exists()


def test_a_job_planned_with_other_versions_than_are_here_does_not_run(folder):
    with pytest.raises(LibraryError) as caught:
        job_record.check_versions("fine_tune", "", {"pytest": "0.1"})
    assert "pytest 0.1 (here: " in caught.value.happened
    assert caught.value.fix.startswith("temper forget")
    job_record.check_versions("fine_tune", "", {"not-a-distribution": "not installed"})


@pytest.fixture
def made(folder):
    """A job that ran once, in a run that may adopt; its outputs are gone, as Snakemake leaves them to its script."""
    (folder / "in.txt").write_text("in")
    (folder / "artifacts").mkdir()

    def run(content, **params):
        for path in ("artifacts/out.json", record_path("calibrate", "main")):
            (folder / path).unlink(missing_ok=True)
        code = "ran"
        try:
            with recorded(script(**{"size": 1, **params})):
                (folder / "artifacts/out.json").write_text(content)
        except SystemExit as done:
            code = done.code
        assert is_remembered("calibrate", "main")
        assert (folder / "artifacts/out.json").read_text() == (content if code == "ran" else "first")
        return "adopted" if code == 0 else code

    run("first")
    run_lock.hold(["calibrate/main"])
    return run


def test_a_job_of_the_same_settings_and_inputs_adopts_what_it_made(made, folder, capsys):
    record = (folder / record_path("calibrate", "main")).read_bytes()
    assert made("second") == "adopted"
    assert (folder / record_path("calibrate", "main")).read_bytes() == record
    assert "calibrate main: adopted: " in capsys.readouterr().out


@pytest.mark.parametrize("change", ["settings", "input", "no run", "forced", "other record"])
def test_any_other_job_runs(made, folder, change):
    if change == "input":
        (folder / "in.txt").write_text("other")
    elif change == "no run":
        run_lock.release()
    elif change == "forced":
        run_lock.hold([])
    elif change == "other record":  # as after a restore: the kept files are not of the record that was here
        job_record.ledger_path("calibrate", "main").write_text("abc\n")
    assert made("second", size=2 if change == "settings" else 1) == "ran"


def test_an_adopted_job_needs_no_library_of_its_makers_version(made, folder, monkeypatch):
    monkeypatch.setattr(job_record, "check_versions", None)
    assert made("second") == "adopted"


def test_equal_work_gives_equal_bytes(folder):
    write_job_record(RECORD)
    first = (folder / record_path("calibrate", "main")).read_bytes()
    write_job_record(JobRecord(**dict(reversed(list(RECORD.__dict__.items())))))
    assert (folder / record_path("calibrate", "main")).read_bytes() == first
    assert json.loads(first)["settings"] == {"samples": 8}


# What a job reads is what the job before it wrote


@pytest.fixture
def before(folder):
    """A job that has made two files of the same size."""
    (folder / "artifacts/onnx").mkdir(parents=True)
    for name in ("fp32", "fp16"):
        (folder / f"artifacts/onnx/{name}.onnx").write_text(name)
    files = [f"artifacts/onnx/{name}.onnx" for name in ("fp32", "fp16")]
    write_job_record(JobRecord("export_onnx", "fp32", {}, {}, job_record.digests(files)))
    return files


def reading(*files):
    snakemake = script(rule="measure", row="a")
    snakemake.input = list(files)
    return snakemake


def exchange(folder):
    os.rename("artifacts/onnx/fp32.onnx", "artifacts/onnx/x")
    os.rename("artifacts/onnx/fp16.onnx", "artifacts/onnx/fp32.onnx")
    os.rename("artifacts/onnx/x", "artifacts/onnx/fp16.onnx")


def swap_bytes(folder):
    """Size and time stay."""
    times = os.stat("artifacts/onnx/fp32.onnx")
    (folder / "artifacts/onnx/fp32.onnx").write_text("FP32")
    os.utime("artifacts/onnx/fp32.onnx", ns=(times.st_atime_ns, times.st_mtime_ns))


def copy_another_studys(folder):
    (folder / "artifacts/onnx/fp32.onnx").write_text("of another study")


@pytest.mark.parametrize("spoil", [exchange, swap_bytes, copy_another_studys])
def test_a_job_does_not_begin_with_a_file_that_its_job_did_not_write(folder, before, spoil, capfd):
    spoil(folder)
    with pytest.raises(SystemExit), recorded(reading(*before)):
        raise AssertionError("it ran")
    said = capfd.readouterr().err
    assert "ArtifactError in rule measure" in said
    assert "artifacts/onnx/fp32.onnx is not the file that its job wrote" in said
    assert "fix:      temper sync" in said
    assert not (folder / record_path("measure", "a")).exists()


def test_a_job_does_not_begin_with_an_artifact_of_no_job(folder, before, capfd):
    (folder / "artifacts/engines").mkdir()
    (folder / "artifacts/engines/theirs.engine").write_text("built elsewhere")
    with pytest.raises(SystemExit), recorded(reading("artifacts/engines/theirs.engine")):
        raise AssertionError("it ran")
    assert "artifacts/engines/theirs.engine is of no job" in capfd.readouterr().err


def test_a_job_reads_files_of_jobs_and_files_from_outside(folder, before):
    (folder / "in.txt").write_text("in")
    with recorded(reading(*before, "in.txt", record_path("export_onnx", "fp32"))):
        (folder / "artifacts/out.json").write_text("out")
    assert set(read_job_record(record_path("measure", "a")).inputs) >= {*before, "in.txt"}


def test_a_file_that_changes_while_a_job_works_leaves_no_record(folder, before, capfd):
    def work():
        with recorded(reading(*before)):
            (folder / before[0]).write_text("another")
            (folder / "artifacts/out.json").write_text("out")

    with pytest.raises(SystemExit):
        work()
    assert f"{before[0]} was changed while the job worked" in capfd.readouterr().err
    assert not (folder / record_path("measure", "a")).exists()


@pytest.fixture
def two_studies(tmp_path, monkeypatch):
    """A study with what one job of it has made, and another one that is run together with it; the second is worked in."""

    def work(name, content, **params):
        place = tmp_path / name
        (place / "artifacts").mkdir(parents=True, exist_ok=True)
        (place / ".snakemake/temper").mkdir(parents=True, exist_ok=True)
        monkeypatch.chdir(place)
        (place / "in.txt").write_text(content)
        others = [str(tmp_path / "one")] if name == "two" else []
        monkeypatch.setenv(run_lock.BESIDE, os.pathsep.join(others))
        run_lock.hold(share=True)
        ran = False
        with contextlib.suppress(SystemExit), recorded(script(row="main", **params)):
            ran = True
            (place / "artifacts/out.json").write_text(f"made in {name} of {content}")
        return ran, (place / "artifacts/out.json").read_text()

    return work


def test_a_job_takes_what_a_study_beside_it_has_made_of_the_same(two_studies, tmp_path, capfd):
    assert two_studies("one", "in", samples=8) == (True, "made in one of in")
    assert two_studies("two", "in", samples=8) == (False, "made in one of in")
    assert "calibrate main: taken from one" in capfd.readouterr().out
    assert is_remembered("calibrate", "main")
    (tmp_path / "two/artifacts/out.json").write_text("edited")
    assert (tmp_path / "one/artifacts/out.json").read_text() == "made in one of in"  # a copy


@pytest.mark.parametrize(
    ("content", "params"),
    [("other", {"samples": 8}), ("in", {"samples": 9})],
    ids=["other bytes", "other settings"],
)
def test_a_job_that_is_not_the_same_runs_itself(two_studies, content, params):
    two_studies("one", "in", samples=8)
    assert two_studies("two", content, **params) == (True, f"made in two of {content}")


def test_what_is_timed_is_taken_from_nobody(two_studies):
    two_studies("one", "in", machine=None)
    assert two_studies("two", "in", machine=None) == (True, "made in two of in")


@pytest.mark.parametrize("spoilt", ["artifacts/out.json", record_path("calibrate", "main")])
def test_what_was_altered_beside_is_not_taken(two_studies, tmp_path, spoilt):
    two_studies("one", "in", samples=8)
    file = tmp_path / "one" / spoilt
    file.write_text(file.read_text() + " ")
    assert two_studies("two", "in", samples=8) == (True, "made in two of in")


def test_a_record_says_where_its_job_ran(folder):
    (folder / "in.txt").write_text("in")
    with recorded(script(row="main")):
        (folder / "artifacts").mkdir()
        (folder / "artifacts/out.json").write_text("out")
    found = read_job_record(record_path("calibrate", "main")).made_on
    assert found["cpu"]
    assert {"node", "instructions", "topology", "microcode", "environment", "gpus"} <= found.keys()
