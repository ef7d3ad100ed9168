"""One form of dvc.yaml for every study: the same jobs as the Snakefile, and the same decisions."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from dvc.repo import Repo

from temper.orchestration.pipeline import pipeline_text
from temper.orchestration.plan import SETTINGS_CHANGED, parse_dry_run
from temper.orchestration.settings_file import settings_json
from tests.workflow.conftest import HERE, ROOT, other_version
from tests.workflow.repository import Repository, dvc_jobs, make_repository
from tests.workflow.test_exactness import (
    AFTER_CALIBRATION,
    AFTER_TRAINING,
    ALL,
    BUCKETED,
    CALIBRATE,
    ENGINES,
    JUDGED,
    MEASURED,
    REPORT,
)

CALIBRATED_ANEW = sorted([*CALIBRATE, *AFTER_CALIBRATION])
STUDIES = [ROOT / "params.yaml", *sorted(ROOT.glob("studies/*/params.yaml")), *sorted(HERE.glob("params.*.yaml"))]


@pytest.fixture(scope="module")
def planning(tmp_path_factory):
    """A checkout in which any study is planned; a test brings its params.yaml."""
    made = make_repository(tmp_path_factory.mktemp("planning") / "study")
    yield made
    shutil.rmtree(made.folder)


@pytest.mark.parametrize("params", STUDIES, ids=lambda path: path.parent.name + path.name)
def test_dvc_has_the_jobs_inputs_outputs_and_params_of_the_snakefile(params, planning):
    hold_dvc_against_the_snakefile(params.read_text(), planning)


def test_dvc_knows_that_an_engine_follows_the_buckets_of_its_row(planning):
    content = yaml.safe_load((HERE / "params.tiny.yaml").read_text())
    hold_dvc_against_the_snakefile(yaml.safe_dump({**content, "bucketed_engines": BUCKETED}), planning)


def hold_dvc_against_the_snakefile(params, made):
    (made / "params.yaml").write_text(params)
    (made / "dvc.yaml").write_text(pipeline_text(made.folder))
    jobs = {job.name: job for job in made.jobs()}
    outputs = {path for job in jobs.values() for path in job.outputs}
    listed = settings_json(list(jobs.values()))["jobs"]
    stages = {}
    for stage in Repo(made.folder).index.stages:
        *_, command = stage.cmd.partition("temper ")
        if command != "settings":
            stages[command.removeprefix("job ")] = stage
    assert sorted(stages) == sorted(jobs)
    for name, job in jobs.items():
        stage = stages[name]
        files = {dep.def_path for dep in stage.deps} - {"settings.json"}
        keys = [key for dep in stage.deps if dep.def_path == "settings.json" for key in dep.params]
        assert keys == [f"jobs.{job.rule}.{job.row}" if job.row else f"jobs.{job.rule}"], name
        assert {dep.def_path for dep in stage.params} == {"settings.json"}, name

        def beside(path, places):
            return [place for place in places if path == place or path.startswith(f"{place}/")]

        read = [path for path in job.inputs if path in outputs]
        assert [path for path in read if len(beside(path, files)) != 1] == [], name
        assert [place for place in files if not any(beside(path, [place]) for path in read)] == [], name
        outs = {out.def_path for out in stage.outs}
        assert [path for path in job.outputs if len(beside(path, outs)) != 1] == [], name
        assert [place for place in outs if not any(beside(path, [place]) for path in job.outputs)] == [], name
        assert listed[job.rule][job.row] if job.row else listed[job.rule]


def test_a_study_that_was_never_run_costs_dvc_nothing():
    assert not list(ROOT.glob("studies/*/dvc.yaml"))


@pytest.fixture(scope="module")
def made_by_dvc(tmp_path_factory):
    """A checkout whose tiny study was made by `dvc repro`, and what that printed. Read it only."""
    made = make_repository(tmp_path_factory.mktemp("by_dvc") / "study")
    printed = made.dvc("repro")
    made.commit("the first run")
    yield made, printed
    shutil.rmtree(made.folder)


@pytest.mark.long
def test_dvc_makes_everything_and_snakemake_agrees(made_by_dvc):
    made, printed = made_by_dvc
    assert dvc_jobs(printed) == ALL
    assert made.repro() == []
    assert made.planned() == []


@pytest.mark.long
def test_dvc_and_snakemake_make_the_same_bytes(finished, made_by_dvc):
    made, alone = made_by_dvc[0].digests(), finished.digests()
    ours = {path: digest for path, digest in made.items() if not path.endswith(".gitignore")}
    assert ours == alone


# Run | jobs: DVC's and Snakemake's decisions (test_run_table.py has the same on the embedded study)


def test_snakemake_first_then_commit_costs_no_job_and_the_status_is_clean(finished_repository):
    made = finished_repository
    assert "17 jobs handed to DVC" in (made / "commit.txt").read_text()
    assert json.loads(made.dvc("status", "--json").splitlines()[-1]) == {"settings": ["always changed"]}
    assert made.repro() == []
    assert made.planned() == []
    listed = yaml.safe_load((made / "dvc.yaml").read_text())["stages"]["report"]
    assert all((made / path).is_file() for path in listed["metrics"])
    assert "choice.b" in made.dvc("metrics", "show")
    columns = made.dvc("exp", "show", "--csv", "--only-changed", "--drop", r"^jobs\.").splitlines()[0].split(",")
    assert len(columns) <= 20
    assert "settings.json" in made.run("git", "ls-files")


def test_an_experiment_runs_what_depends_on_its_setting_and_going_back_costs_nothing(repository):
    threads = "backends.openvino-cpu.options.threads"

    def measured_with():
        record = json.loads((repository / "artifacts/measurements/openvino-int8.json").read_text())
        return record["backend"]["options"]["threads"]

    done = repository.dvc("exp", "run", "--name", "two", "-S", f"{threads}=2")
    assert dvc_jobs(done) == ["measure openvino-int8", *JUDGED]
    assert measured_with() == 2
    assert repository.planned() == []  # its jobs ran through this folder's Snakemake
    done = repository.dvc("exp", "run", "--name", "back", "-S", f"{threads}=1")
    assert dvc_jobs(done) == []
    assert measured_with() == 1
    refused = repository.attempt("snakemake", "--cores", "1")
    assert refused.returncode != 0
    assert "ForeignArtifacts" in refused.stderr
    assert "made known to Snakemake" in repository.temper_says("sync")
    assert repository.planned() == []


@pytest.mark.long  # test_lose_nothing.py pulls one of several studies that are
def test_a_study_of_its_own_is_a_dvc_repository_of_its_own(repository, tmp_path):
    mine = Repository(repository / "studies/mine", repository.folder)
    mine.folder.mkdir(parents=True)
    shutil.copy2(repository / "params.yaml", mine / "params.yaml")
    for name in ("data", "artifacts", "logs", ".snakemake"):
        shutil.copytree(repository / name, mine / name, symlinks=True)
    written = "git add dvc.yaml .dvc .dvcignore dvc.lock settings.json"
    assert f"17 jobs handed to DVC: {written}" in mine.temper_says("commit")
    setting = "analysis.accuracy_budget_points"
    aside = mine.dvc("exp", "run", "--temp", "--name", "aside", "-S", f"{setting}=0.8")  # before git has the study
    assert dvc_jobs(aside) == REPORT
    mine.commit()
    for made in (repository, mine):  # neither sees the other
        assert json.loads(made.dvc("status", "--json").splitlines()[-1]) == {"settings": ["always changed"]}
    assert dvc_jobs(mine.dvc("exp", "run", "--name", "here", "-S", f"{setting}=0.9")) == REPORT
    shown = mine.temper_says("experiments")
    assert "| here | analysis.accuracy_budget_points: 0.9 | b" in shown
    assert repository.repro() == []
    mine.dvc("remote", "add", "--default", "store", str(tmp_path / "remote"))
    mine.dvc("push")
    mine.commit()
    subprocess.run(["git", "clone", "--quiet", str(repository.folder), str(tmp_path / "clone")], check=True)
    cloned = Repository(tmp_path / "clone/studies/mine", tmp_path / "clone")
    cloned.temper_says("pull")
    assert cloned.planned() == []
    assert cloned.repro() == []
    assert cloned.run("git", "status", "--porcelain") == ""


def cache_method(made) -> str:
    return json.loads((made / "artifacts/calibration/main/cache.json").read_text())["method"]


@pytest.mark.long  # test_silent_cases.py has the same experiment up to what it looks at
def test_an_experiment_in_a_temporary_folder_runs_the_same_jobs_and_leaves_the_workspace(repository):
    before = repository.digests()
    done = repository.dvc("exp", "run", "--temp", "--name", "minmax", "-S", "calibrations.main.method=minmax")
    assert dvc_jobs(done) == CALIBRATED_ANEW
    assert repository.digests() == before
    assert repository.planned() == []
    assert repository.dvc("exp", "apply", "minmax")
    assert cache_method(repository) == "minmax"
    assert repository.repro() == []


@pytest.mark.long  # test_silent_cases.py has an edited module
def test_an_experiment_in_a_temporary_folder_runs_the_code_that_was_committed_with_it(repository):
    tables = repository / "src/temper/report/summary_markdown.py"
    tables.write_text(tables.read_text().replace("Measured on", "As edited, measured on"))
    repository.commit("other code")
    done = repository.dvc("exp", "run", "--temp", "--name", "edited", "-S", "analysis.accuracy_budget_points=0.4")
    assert dvc_jobs(done) == REPORT
    repository.dvc("exp", "apply", "edited")
    assert "As edited, measured on" in (repository / "artifacts/report/summary.md").read_text()


@pytest.mark.long  # test_defaults.py has one more candidate, test_exactness.py one more and one less
def test_a_new_and_a_removed_candidate(repository):
    row = {"backend": "ort-cpu", "loads": "onnx/fp16", "workloads": ["b2-s16"]}
    record = repository / "artifacts/measurements/ort-fp16.json"
    repository.set(**{"candidates__ort-fp16": row})
    assert repository.repro() == ["measure ort-fp16", *JUDGED]
    assert record.is_file()
    repository.set(**{"candidates__ort-fp16": ...})
    assert repository.repro() in ([], JUDGED)  # [] where DVC's run cache still knows them
    assert not record.exists()
    assert repository.run("temper", "sync")
    assert repository.planned() == []


def test_a_single_stage_on_stale_settings_records_nothing(repository):
    repository.set(calibrations__main__samples=8)
    (repository / "artifacts/calibration/main/cache.json").unlink()
    done = repository.attempt("temper", "job", "calibrate", "main")
    assert done.returncode != 0
    assert "was not written for these settings" in done.stderr
    assert not (repository / "artifacts/jobs/calibrate/main.json").exists()


def test_a_job_that_cannot_run_says_why(repository):
    absent = repository.attempt("temper", "job", "measure", "nope")
    assert absent.returncode == 1
    assert "this study has no such job" in absent.stderr
    assert "calibrate main" in absent.stderr
    without_cores = repository.attempt("temper", "job", "calibrate", "main", "--cores", "0")
    assert without_cores.returncode == 1
    assert "run a study with --cores 0" in without_cores.stderr


# What makes a job stale: the same in both tools


def fake_gpu(folder: Path, driver: str) -> str:
    """A folder for PATH with an nvidia-smi that names a GPU; planning asks it, nothing is run on it."""
    tool = folder / f"driver-{driver}" / "nvidia-smi"
    tool.parent.mkdir(parents=True)
    tool.write_text(f"#!/bin/sh\necho 'A GPU, {driver}'\n")
    tool.chmod(0o755)
    return str(tool.parent)


def edit(made, path: str, old: str = "", new: str = "EDITED = 1\n") -> dict[str, str]:
    text = (made / path).read_text()
    assert old in text
    (made / path).write_text(text.replace(old, new, 1) if old else text + new)
    return {}


TRIGGERS = {
    "another GPU": (lambda made: {"PATH": fake_gpu(made.folder.parent, "580")}, ["measure rtx-int8"]),
    "another onnxruntime": (
        lambda made: {"PYTHONPATH": other_version(made.folder.parent / "o", "onnxruntime")},
        [
            *MEASURED,
            "remeasure",
        ],  # the baseline runs on it, beside every candidate; test_run_table.py has a study where it does not
    ),
    "another openvino": (
        lambda made: {"PYTHONPATH": other_version(made.folder.parent / "o", "openvino")},
        ["measure openvino-int8"],
    ),
    "another torch": (
        lambda made: {"PYTHONPATH": other_version(made.folder.parent / "o", "torch")},
        ["export_onnx fp32", "fine_tune", "measure torch-fp32"],
    ),
    "another nncf": (lambda made: {"PYTHONPATH": other_version(made.folder.parent / "o", "nncf")}, CALIBRATE),
    "a runtime's version in its row": (
        lambda made: made.set(**{"backends__openvino-cpu__version": "2026.3.0"}) or {},
        ["measure openvino-int8"],
    ),
    "another TensorRT-RTX": (
        lambda made: (
            made.set(
                engines__fp32__version="1.5.0.114",
                engines__int8__version="1.5.0.114",
                backends__rtx__version="1.5.0.114",
            )
            or {}
        ),
        [*ENGINES, "measure rtx-int8"],
    ),
    "an edited module": (lambda made: edit(made, "src/temper/quantization/calibration/nncf.py"), CALIBRATE),
    "an edited script": (lambda made: edit(made, "workflow/scripts/measure.py"), MEASURED),
    "an edited rule": (
        lambda made: edit(
            made,
            "workflow/rules/report.smk",
            "analysis=plain(STUDY.analysis)",
            "analysis=plain(STUDY.analysis), more=1",
        ),
        REPORT,
    ),
    "a calibration setting": (lambda made: made.set(calibrations__main__samples=8) or {}, CALIBRATE),
    "other buckets": (lambda made: made.set(buckets__main__multiple_of=4) or {}, ["choose_buckets main"]),
    "a new data row": (lambda made: made.set(data__test_rows=61) or {}, ["prepare_data"]),
    "nothing": (lambda made: {}, []),
}


@pytest.fixture(scope="module")
def with_what_follows(finished_repository):
    """Gives, for some jobs, these and every job that needs one of them, directly or not."""
    jobs = finished_repository.jobs()  # no trigger below changes which job needs which

    def followed(stale: list[str]) -> list[str]:
        found = set(stale)
        for job in jobs:  # each after those it needs
            if found & {" ".join(key).strip() for key in job.needs}:
                found.add(job.name)
        return sorted(found)

    return followed


@pytest.mark.parametrize("name", TRIGGERS)
def test_each_trigger_makes_the_same_jobs_stale_in_both_tools(repository, with_what_follows, name):
    change, stale = TRIGGERS[name]
    environment = change(repository)
    assert repository.stale_stages(**environment) == sorted(stale)
    output = repository.run("snakemake", "--dry-run", "--cores", "1", "--quiet", "host", **environment)
    planned = {f"{job.rule} {job.row}".strip(): job.reasons for job in parse_dry_run(output)}
    assert sorted(planned) == with_what_follows(stale)
    assert [job for job, reasons in planned.items() if SETTINGS_CHANGED in reasons and job not in stale] == []


def test_another_driver_is_another_trigger(repository):
    gpu, driver = (fake_gpu(repository.folder.parent, version) for version in ("580", "590"))
    repository.run("temper", "settings", PATH=gpu)
    first = json.loads((repository / "settings.json").read_text())["jobs"]
    repository.run("temper", "settings", PATH=driver)
    second = json.loads((repository / "settings.json").read_text())["jobs"]
    changed = [row for row in first["measure"] if first["measure"][row] != second["measure"][row]]
    assert changed == ["rtx-int8"]
    assert {rule: rows for rule, rows in first.items() if rule != "measure"} == {
        rule: rows for rule, rows in second.items() if rule != "measure"
    }


def test_another_machine_makes_every_measurement_stale_and_nothing_else(repository):
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("a machine with one usable core has no smaller one inside it")
    settings = []
    for cores in (all_cores(), one_core()):
        repository.run("taskset", "--cpu-list", cores, "temper", "settings")
        settings.append(json.loads((repository / "settings.json").read_text())["jobs"])
    first, second = settings
    assert [f"measure {row}" for row in first["measure"] if first["measure"][row] != second["measure"][row]] == MEASURED
    assert {**first, "measure": {}} == {**second, "measure": {}}


@pytest.mark.long
def test_another_machine_measures_anew_and_the_first_one_finds_its_records_again(repository):
    record = repository / "artifacts/measurements/ort-int8.json"
    first = record.read_bytes()
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("a machine with one usable core has no smaller one inside it")
    done = repository.run("taskset", "--cpu-list", one_core(), "dvc", "repro")
    assert [job for job in dvc_jobs(done) if job.startswith("measure ")] == MEASURED
    assert [job for job in dvc_jobs(done) if not job.startswith(("measure ", *JUDGED))] == []
    assert json.loads(record.read_text())["machine"]["cores_usable"] == 1
    assert [job for job in repository.repro() if job not in JUDGED] == []
    assert record.read_bytes() == first


def all_cores() -> str:
    return ",".join(map(str, sorted(os.sched_getaffinity(0))))


def one_core() -> str:
    return str(min(os.sched_getaffinity(0)))


# Made elsewhere


@pytest.mark.long  # the triggers have each library; a clone runs nothing
def test_artifacts_made_elsewhere_are_measured_here_with_their_makers_versions(repository):
    other = {"PYTHONPATH": other_version(repository.folder.parent / "o", "torch")}
    shutil.rmtree(repository / ".snakemake")  # as in a fresh clone: nothing here was made by this folder's Snakemake
    refused = repository.attempt("temper", "sync", **other)
    assert refused.returncode != 0
    assert "were made with other versions than this environment has (fine_tune: torch: 2" in refused.stderr
    assert "→ 99" in refused.stderr
    said = repository.temper_says("sync", "--keep", **other)
    assert "kept fine_tune: torch: " in said
    planned = repository.run("temper", "plan", **other)
    assert planned.startswith(
        "3 jobs would run:\n  measure torch-fp32: "
    )  # what runs on torch itself, and what follows
    assert [job for job in repository.stale_stages(**other) if job not in ("measure torch-fp32", *JUDGED)] == []
    made = json.loads((repository / "artifacts/measurements/ort-fp32.json").read_text())
    assert made["artifact"]["producer"]["torch"] != "99"
    repository.set(train__epochs=2)
    failed = repository.attempt("snakemake", "--cores", "1", **other)
    assert "its artifact is kept as made with torch" in failed.stderr
    assert "temper forget" in failed.stderr
    assert "installed versions count again" in repository.temper_says("forget", **other)
    assert len(repository.run("temper", "plan", **other).splitlines()) == 1 + len(["fine_tune", *AFTER_TRAINING])
