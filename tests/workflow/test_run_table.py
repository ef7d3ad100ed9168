"""Run | jobs: what each run of either tool costs, on the embedded study, few calls timed. `--junitxml` keeps the seconds."""

import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.workflow.conftest import ROOT, jobs_in, other_version
from tests.workflow.repository import Repository, copy_repository, dvc_jobs, make_repository

pytestmark = pytest.mark.long

CALIBRATED_ANEW = sorted(
    [
        "build_engine int8",
        "calibrate main",
        "convert_precision int8",
        "measure openvino-int8",
        "measure ort-int8",
        "measure rtx-int8",
        "remeasure",
        "report",
    ]
)
# which jobs run, and what they cost besides, hangs on no figure: nothing waits for a quiet machine, nothing is taken once more
FEW = {"max_calls": 100, "min_duration_s": 0.0, "max_duration_s": 1.0, "busy_share": 1.0, "quiet_wait_s": 0.0}
NEW = {"backend": "openvino-cpu", "loads": "onnx/fp16", "workloads": ["b1-s32"]}


@pytest.fixture
def timed(record_property) -> Callable[..., object]:
    """Calls something, keeps its seconds under a name, returns what it returned."""

    def call(name: str, run: Callable[..., object], *arguments: str, **environment: str) -> object:
        started = time.monotonic()
        found = run(*arguments, **environment)
        record_property(f"{name}, s", round(time.monotonic() - started, 2))
        return found

    return call


@pytest.fixture(scope="module")
def params(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The embedded study's params.yaml, few calls timed."""
    given = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    given["measurement"] |= FEW
    given["analysis"] = {"latency_margin": 0.99}
    path = tmp_path_factory.mktemp("params") / "params.yaml"
    path.write_text(yaml.safe_dump(given, sort_keys=False), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def embedded(params: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The embedded study, made by plain `snakemake`, handed to DVC, committed. Read it only."""
    made = make_repository(tmp_path_factory.mktemp("table") / "study", params)
    every = sorted(job.name for job in made.jobs())
    assert len(every) == 23
    assert jobs_in(made.run("snakemake", "--cores", "2")) == every  # minutes: with more patience than for a tiny study
    assert made.planned() == []
    assert "23 jobs handed to DVC" in made.temper_says("commit")
    made.commit("the embedded study")
    return made


@pytest.fixture
def study(embedded, tmp_path):
    made = copy_repository(embedded, tmp_path / "study")
    yield made
    shutil.rmtree(made.folder)


def test_nothing_to_do_costs_no_job_in_either_tool(study, timed):
    assert dvc_jobs(timed("dvc repro, nothing to do", study.dvc, "repro")) == []
    assert timed("snakemake -n", study.planned) == []


def test_a_cold_dvc_repro_leaves_snakemake_nothing_to_do(embedded, timed, params, tmp_path):
    made = make_repository(tmp_path / "study", params)
    assert dvc_jobs(timed("dvc repro, cold", made.dvc, "repro")) == sorted(job.name for job in made.jobs())
    assert made.planned() == []
    ours = {path: digest for path, digest in made.digests().items() if not path.endswith(".gitignore")}
    assert ours == {path: digest for path, digest in embedded.digests().items() if not path.endswith(".gitignore")}
    shutil.rmtree(made.folder)


def test_one_calibration_number(study, timed, tmp_path):
    alone = copy_repository(study, tmp_path / "alone")
    alone.set(calibrations__main__samples=64)
    assert jobs_in(timed("those jobs by snakemake alone", alone.snakemake)) == CALIBRATED_ANEW
    shutil.rmtree(alone.folder)
    setting = ("exp", "run", "--name", "samples-64", "-S", "calibrations.main.samples=64")
    assert dvc_jobs(timed("dvc exp run", study.dvc, *setting)) == CALIBRATED_ANEW
    assert study.planned() == []
    back = ("exp", "run", "--name", "back", "-S", "calibrations.main.samples=128")
    assert dvc_jobs(timed("dvc exp run, back to the earlier setting", study.dvc, *back)) == []
    study.temper_says("sync")
    assert study.planned() == []


def test_a_temporary_folder_and_a_queue(study, timed):
    setting = ("exp", "run", "--temp", "--name", "minmax", "-S", "calibrations.main.method=minmax")
    assert dvc_jobs(timed("dvc exp run --temp", study.dvc, *setting)) == CALIBRATED_ANEW
    for method in ("entropy", "percentile", "nncf"):
        values = ("-S", f"calibrations.main.method={method}", "-S", "calibrations.main.samples=32")
        study.dvc("exp", "run", "--queue", "--name", f"{method}-32", *values)
    done = timed("a queue of three", study.dvc, "exp", "run", "--run-all", "--jobs", "1")
    logs = "".join(study.dvc("queue", "logs", f"{method}-32") for method in ("entropy", "percentile", "nncf"))
    assert dvc_jobs(logs) == sorted(3 * CALIBRATED_ANEW), done
    assert study.planned() == []  # the workspace stayed as it was


def test_a_candidate_more_and_one_less(study):
    study.set(**{"candidates__openvino-fp16": NEW})
    study.temper_says("track")
    assert study.repro() == ["measure openvino-fp16", "remeasure", "report"]
    study.set(**{"candidates__openvino-fp16": ..., "candidates__ort-fp32": ...})
    study.temper_says("track")
    assert study.repro() == ["remeasure", "report"]
    assert not (study / "artifacts/measurements/openvino-fp16.json").exists()
    assert not (study / "artifacts/measurements/ort-fp32.json").exists()
    study.temper_says("sync")
    assert study.planned() == []


def test_another_onnxruntime_measures_its_candidates_anew_and_no_others(study):
    other = {"PYTHONPATH": other_version(study.folder.parent / "o", "onnxruntime")}
    ours = ["measure ort-fp32", "measure ort-int8", "measure ort-int8-dynamic"]
    assert study.stale_stages(**other) == ours
    plan = study.temper_says("plan", **other)
    assert plan.startswith("5 jobs would run:")  # and what follows


def test_a_fresh_clone_pulls_everything_and_runs_nothing(study, timed, tmp_path):
    remote = tmp_path / "remote"
    study.dvc("remote", "add", "--default", "store", str(remote))
    study.commit("a remote")
    timed("dvc push", study.dvc, "push")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(study.folder), str(clone)], check=True)
    cloned = Repository(clone, clone)
    timed("dvc pull", cloned.dvc, "pull")
    timed("temper sync --keep", cloned.temper_says, "sync", "--keep")
    assert cloned.planned() == []
    assert cloned.repro() == []
    assert cloned.digests() == study.digests()
    for folder in (remote, clone):
        shutil.rmtree(Path(folder))
