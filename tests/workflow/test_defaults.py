"""A study that leaves out what defaults.yaml says: the same jobs for both tools, and experiments with what it leaves out."""

import pytest

from tests.workflow.conftest import HERE
from tests.workflow.repository import dvc_jobs
from tests.workflow.test_dvc import edit
from tests.workflow.test_exactness import JUDGED, REPORT

BUDGET = "analysis.accuracy_budget_points"


@pytest.fixture
def short(repository):
    """The same study by the words that differ from the defaults, tracked."""
    (repository / "params.yaml").write_text((HERE / "params.short.yaml").read_text())
    assert repository.planned() == []
    refused = repository.attempt("temper", "settings")
    assert "dvc.yaml was written for other rows" in refused.stderr
    assert "written for DVC, for git to keep: dvc.yaml" in repository.temper_says("track")
    assert repository.repro() == []
    return repository


def test_a_study_that_leaves_out_the_defaults_is_the_same_study_and_a_row_more_is_a_stage_more(short):
    edit(short, "params.yaml", "candidates:\n", "candidates:\n  ort-fp16: {backend: ort-cpu, loads: onnx/fp16}\n")
    refused = short.attempt("dvc", "repro")
    assert refused.returncode != 0
    assert "temper track, which writes it anew" in refused.stderr + refused.stdout
    short.temper_says("track")
    assert short.repro() == ["measure ort-fp16", *JUDGED]


@pytest.mark.long
def test_experiments_go_on_to_work_with_what_a_study_leaves_out(short):
    repository = short
    repository.commit("the short form")
    # a key that only defaults.yaml gives: DVC says how, Temper does it
    refused = repository.attempt("dvc", "exp", "run", "-S", f"{BUDGET}=0.4")
    assert refused.returncode != 0
    assert f"To append to your config use +{BUDGET}=0.4" in refused.stderr + refused.stdout
    done = repository.dvc("exp", "run", "--temp", "--name", "aside", "-S", f"+{BUDGET}=0.4")
    assert dvc_jobs(done) == REPORT
    assert dvc_jobs(repository.run("temper", "experiment", "--name", "here", "-S", f"{BUDGET}=0.3")) == REPORT
    assert "accuracy_budget_points: 0.3" in (repository / "params.yaml").read_text()
    assert f"| here | {BUDGET}: 0.3 |" in repository.temper_says("experiments")


def test_a_changed_default_reruns_what_reads_it_and_the_plan_names_it(repository):
    (repository / "params.yaml").write_text((HERE / "params.short.yaml").read_text())
    edit(repository, "src/temper/study/defaults.yaml", "latency_margin: 0.05", "latency_margin: 0.06")
    lines = repository.run("temper", "plan").splitlines()
    assert lines[0] == "2 jobs would run:"
    assert lines[1].startswith("  remeasure: latency_margin: 0.05 → 0.06")
    assert lines[2].startswith("  report: analysis.latency_margin: 0.05 → 0.06; follows ")
