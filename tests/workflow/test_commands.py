"""The `temper` command on the real repository and on the finished study."""

import json
import re
import shutil

import pytest

from temper.environment.devices import nvidia_gpus
from tests.workflow.conftest import HERE, ROOT, from_files, happened, tsv


def test_check_accepts_the_params_files_of_this_repository_and_refuses_a_typing_error(fresh):
    files = [ROOT / "params.yaml", *sorted(ROOT.glob("studies/*/params.yaml")), *sorted(HERE.glob("params.*.yaml"))]
    assert len(files) >= 5
    done = fresh.temper("check", *map(str, files))
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(files)
    fresh.set(seeed=3)
    done = fresh.temper("check", str(fresh / "params.yaml"))
    assert done.returncode == 1
    assert happened(done.stderr).startswith("seeed is an unknown key (params.yaml, line ")


def test_check_says_that_a_file_is_not_there(fresh):
    done = fresh.temper("check", str(fresh / "absent.yaml"))
    assert done.returncode == 1
    assert "absent.yaml" in happened(done.stderr)


def test_table_prints_every_candidate_and_says_what_was_not_measured(finished):
    done = finished.temper("table", "--directory", str(finished.folder))
    assert done.returncode == 0, done.stderr
    shown = [line.split()[0] for line in done.stdout.splitlines() if line]
    assert {"torch-fp32", "ort-int8", "openvino-int8"} <= set(shown)
    assert "times as fast as ort-fp32" in done.stdout  # the baseline of this study
    assert "not measured: rtx-int8: no NVIDIA GPU" in done.stdout or nvidia_gpus()
    choice_and_table = done.stdout.partition("sequence lengths")[0]
    assert max(map(len, choice_and_table.splitlines())) <= 80


def test_report_is_a_page_of_the_rule_and_one_with_what_lies_beside(study):
    page = (study / "artifacts/report/report.html").read_text()
    done = study.temper("report", "--directory", str(study.folder), "--no-browser")
    assert done.returncode == 0, done.stderr
    assert "artifacts/pages/report.html (" in done.stdout
    whole = (study / "artifacts/pages/report.html").read_text()
    for each in (page, whole):
        assert "What to serve" in each
        assert "://" not in each
    assert study.planned() == []  # the page of its own is no artifact
    data = json.loads(re.search(r'id="flip-data">(.*?)</script>', page, re.DOTALL)[1])
    assert all(row["text"] for row in data["rows"].values())
    assert ("Buckets" in page, "Buckets" in whole) == (False, True)


def test_run_prints_a_screen_at_most_and_none_of_snakemakes_banners(study):
    (study / "artifacts/report/summary.json").unlink()
    done = study.temper("run", "--directory", str(study.folder))
    assert done.returncode == 0, done.stderr
    lines = (done.stderr + done.stdout).splitlines()
    assert re.fullmatch(r"1 job will run, about \d+ s:", lines[0])
    assert lines[1] == "  report: not there: artifacts/report/summary.json"
    assert re.fullmatch(r"1 job done in \d+ s( \(report \d+ s\))?", lines[2])
    assert lines[3] == ""
    assert lines[4].startswith("b2-s16: ")  # the choice
    assert len(lines) <= 40
    again = study.temper("run", "--directory", str(study.folder))
    assert again.stderr == "nothing to do: every artifact is there and belongs to these settings\n"
    assert again.stdout == done.stdout


def test_run_shows_the_error_of_a_job_whole_and_which_job_it_was(fresh):
    from_files(fresh, train=tsv([("a dull plot", 7)]))
    done = fresh.temper("run", "--directory", str(fresh.folder))
    assert done.returncode == 1
    assert done.stdout == ""
    assert "label" in happened(done.stderr)
    *_, failed, stopped = done.stderr.splitlines()
    assert failed == "failed: prepare_data (its log: logs/prepare_data.log)"
    assert re.fullmatch(r"stopped after 0 of \d+ jobs, \d+ s; the same command goes on from there", stopped)


def test_run_shows_what_a_study_is_refused_for_before_any_job(fresh):
    fresh.set(seeed=3)
    done = fresh.temper("run", "--directory", str(fresh.folder))
    assert done.returncode == 1
    assert happened(done.stderr).startswith("seeed is an unknown key (params.yaml, line ")
    assert "jobs" not in done.stderr
    assert fresh.files() == []


def test_run_of_a_folder_without_a_study_is_an_error(fresh):
    done = fresh.temper("run", "--directory", str(fresh.folder / "studies/typo"))
    assert done.returncode == 1
    assert "params.yaml does not exist" in happened(done.stderr)
    assert not (fresh.folder / "studies").exists()


def test_table_of_a_study_that_was_not_run_is_an_error(fresh):
    done = fresh.temper("table", "--directory", str(fresh.folder))
    assert done.returncode == 1
    assert "summary.json does not exist" in happened(done.stderr)


@pytest.fixture
def outside(fresh):
    """A made-up study that needs two outside files, and the folder that holds them."""
    lines = ["data/raw/train.tsv: sets/one.tsv", "data/raw/model/config.json: models/config.json"]
    (fresh / "raw.yaml").write_text("\n".join(lines) + "\n")
    folder = fresh.folder.parent / "outside"
    for name in ("sets/one.tsv", "models/config.json"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(name)
    yield folder
    shutil.rmtree(folder)


def test_raw_copies_what_a_study_lists(fresh, outside):
    done = fresh.temper("raw", "--directory", str(fresh.folder), "--from", str(outside))
    assert done.returncode == 0, done.stderr
    assert fresh.files() == ["data/raw/model/config.json", "data/raw/train.tsv"]
    assert (fresh / "data/raw/train.tsv").read_text() == "sets/one.tsv"


def test_raw_copies_nothing_where_a_source_is_missing(fresh, outside):
    (outside / "models/config.json").unlink()
    done = fresh.temper("raw", "--directory", str(fresh.folder), "--from", str(outside))
    assert done.returncode == 1
    assert happened(done.stderr).endswith("models/config.json is not there")
    assert fresh.files() == []


def test_raw_of_a_study_that_needs_nothing_says_so(fresh):
    done = fresh.temper("raw", "--directory", str(fresh.folder), "--from", str(fresh.folder))
    assert done.returncode == 1
    assert "raw.yaml does not exist" in happened(done.stderr)


def test_lint_finds_nothing_in_the_real_snakefile(finished):
    done = finished.temper("lint")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 findings" in done.stdout


def test_lint_reports_what_snakemake_finds(own_code):
    rules = own_code.code / "workflow/rules/data.smk"
    rules.write_text(rules.read_text().replace('    log:\n        "logs/prepare_data.log",\n', ""))
    done = own_code.temper("lint")
    assert done.returncode == 1, done.stdout
    assert "rule prepare_data" in done.stdout
    assert "No log directive defined" in done.stdout


def test_lint_fails_where_the_workflow_cannot_be_read(own_code):
    (own_code.code / "workflow/rules/report.smk").write_text("rule report:\n    nonsense\n")
    done = own_code.temper("lint")
    assert done.returncode == 1
    assert "report.smk" in done.stderr
