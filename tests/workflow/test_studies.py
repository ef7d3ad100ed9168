"""The studies of this repository cut down to tiny sizes: all of them are right, and these run without a hub."""

import json
import shutil

import pytest

from temper.report.reported import read_reported
from temper.study.study import read_study
from tests.workflow.conftest import ROOT
from tests.workflow.cut_down import check_records, cut_down, params_of, run_cut_down

STUDIES = sorted(path.parent.name for path in ROOT.glob("studies/*/params.yaml"))


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_cut_down_is_right_and_has_the_same_rows(name):
    whole = params_of(name)
    small = cut_down(whole)
    assert whole == params_of(name)  # nothing of what was given is changed
    read, of_whole = read_study(small), read_study(whole)
    assert read.jobs == of_whole.jobs
    assert {row: candidate.workloads for row, candidate in read.candidates.items()} == {
        row: candidate.workloads for row, candidate in of_whole.candidates.items()
    }
    assert read.baseline == of_whole.baseline


@pytest.mark.parametrize("file", sorted(ROOT.glob("studies/*/reported.yaml")), ids=lambda file: file.parent.name)
def test_what_a_write_up_reports_is_held_against_candidates_of_its_study(file):
    claims = read_reported(file).speed_ups
    named = {name for claim in claims for name in (claim.candidate, claim.over)}
    assert named <= set(params_of(file.parent.name)["candidates"])
    assert len({claim.title for claim in claims}) == len(claims)  # they head the columns of a table


@pytest.fixture(scope="module", params=["distilbert-sst2-int8-offline", "gpt2-classification-offline"])
def on_the_cpu(request, code, tmp_path_factory):
    study = run_cut_down(request.param, code, tmp_path_factory.mktemp(request.param))
    yield study
    shutil.rmtree(study.folder)


@pytest.fixture(scope="module", params=["distilbert-sst2-int8-offline-gpu", "gpt2-classification-offline-gpu"])
def on_a_gpu(request, code, tmp_path_factory):
    study = run_cut_down(request.param, code, tmp_path_factory.mktemp(request.param))
    yield study
    shutil.rmtree(study.folder)


@pytest.mark.long
def test_an_offline_study_measures_what_this_machine_has(on_the_cpu):
    check_records(on_the_cpu)
    record = json.loads((on_the_cpu / "artifacts/measurements/openvino-int8.json").read_text())
    assert record["artifact"]["census"]["quantized"] > 0
    executed = next(iter(record["workloads"].values()))["executed"]
    assert executed["products_by_precision"].get("INT8", 0) > 0
    for path in on_the_cpu.folder.glob("artifacts/load_tests/*.json"):
        assert json.loads(path.read_text())["status"] == "measured"


@pytest.mark.long
def test_a_study_of_gpu_rows_builds_its_engines_anywhere(on_a_gpu):
    check_records(on_a_gpu)
    engines = sorted(path.name for path in on_a_gpu.folder.glob("artifacts/engines/*"))
    assert engines
    for name in engines:
        assert (on_a_gpu / f"artifacts/engines/{name}/model.engine").stat().st_size > 0
