"""The INT8 file of MiniLM-L6 on SST-2, handed over: a package, a real Triton, all 872 rows. Long: it is trained first."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from temper.measurement.record import Accuracy
from temper.measurement.record_file import read_record
from temper.report.finished import record_file
from tests.real_triton import serving
from tests.workflow.conftest import ROOT, StudyFolder

pytestmark = pytest.mark.long

SHARED = ROOT.parent / "shared"
CANDIDATE, ROWS = "openvino-int8", 872
# of studies/sst2-minilm what this one candidate needs
LEFT_OUT = ("calibrations", "conversions", "searches", "engines", "load_tests")
WORKLOADS = ("b1-s128", "b12-arrival")
# nothing is timed for its figures here
FEW: dict[str, Any] = {
    "min_calls": 12,
    "min_duration_s": 0.0,
    "max_duration_s": 2.0,
    "busy_share": 1.0,
    "quiet_wait_s": 0.0,
}


@pytest.fixture(scope="module")
def study(code: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyFolder]:
    if not (SHARED / "models/minilm-l6").is_dir():
        pytest.skip("../shared/models/minilm-l6 is not there: it is copied from outside of the project")
    folder = tmp_path_factory.mktemp("deployed") / "study"
    shutil.copytree(ROOT / "studies/sst2-minilm", folder, ignore=shutil.ignore_patterns("data", "artifacts", "logs"))
    given = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
    given = {key: value for key, value in given.items() if key not in LEFT_OUT}
    given["workloads"] = {name: given["workloads"][name] for name in WORKLOADS}
    given["measurement"] |= FEW
    given["candidates"] = {CANDIDATE: {"backend": "openvino-cpu", "loads": "onnx/int8"}}
    (folder / "params.yaml").write_text(yaml.safe_dump(given, sort_keys=False), encoding="utf-8")
    made = StudyFolder(folder, code)
    done = made.temper("raw", "-C", str(folder), "--from", str(SHARED))
    assert done.returncode == 0, done.stderr
    made.snakemake(patience_s=1800)
    yield made
    shutil.rmtree(folder)


def test_every_row_is_answered_by_a_real_triton_as_the_record_has_it(study: StudyFolder, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    packed = study.temper(
        "package",
        "-C",
        str(study.folder),
        "--candidate",
        CANDIDATE,
        "--anyway",
        "--for",
        "triton",
        "--to",
        str(repository),
    )
    assert packed.returncode == 0, packed.stderr
    texts = pq.read_table(study / "data/prepared/test.parquet").column("text").to_pylist()
    assert len(texts) == ROWS
    with serving(repository, "sst2-minilm", tmp_path) as triton:
        found = triton.ask("sst2-minilm", texts)
    accuracy = read_record(study / record_file(CANDIDATE)).accuracy
    assert isinstance(accuracy, Accuracy)
    wanted = [accuracy.label_names[label] for label in accuracy.answers.predictions]
    assert (found["http"], found["grpc"], found["at once"]) == (wanted, wanted, wanted)
    print(f"batches that Triton formed, by their rows: {found['batches']}")
    # warm-up rows and the refused one are counted, too
    assert sum(int(rows) * count for rows, count in found["batches"].items()) >= 3 * ROWS
