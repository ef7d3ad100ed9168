"""The report of a made-up study in a temporary folder, written by the report's own code."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from temper.measurement.record import write_record
from temper.orchestration.job_record import JobRecord, digests, write_job_record
from temper.report.finished import Finished, read_finished, record_file
from temper.report.render import write_summary
from tests.records import ANALYSIS, record, workload

MANY = 2000
LABELS = [number % 2 for number in range(MANY)]
WORKLOADS = {"b1": {"batch_size": 1, "sequence_length": 8}, "b8": {"batch_size": 8, "sequence_length": 8}}


def with_baseline_of(record_, level_ms, *, ratio=None):
    """The same candidate, beside which the baseline took so long; in the others it takes 2 ms."""
    workloads = {}
    for name, own in record_.workloads.items():
        taken = (
            own.ratio if ratio is None else own.ratio.model_copy(update={"ratio": ratio, "low": ratio, "high": ratio})
        )
        workloads[name] = own.model_copy(update={"baseline_latencies_ms": [level_ms], "ratio": taken})
    return record_.model_copy(update={"workloads": workloads})


def candidate(
    name,
    ratio,
    *,
    wrong=0,
    gpus=0,
    runner="onnxruntime",
    reason=None,
    b8=None,
    predictions=True,
    rows=MANY,
    answers=None,
):
    answers = answers or [1 - label if number < wrong else label for number, label in enumerate(LABELS[:rows])]
    timed = {
        name: workload([2.0], ratio=(value, value - 0.01, value + 0.01), sizes=(size, 8))
        for name, value, size in (("b1", ratio, 1), ("b8", b8 or ratio, 8))
    }
    made = record(name, predictions=answers if predictions else None, labels=LABELS, workloads=timed, reason=reason)
    backend = {**made.backend, "runner": runner, "gpus": gpus, "options": {}}
    return made.model_copy(update={"backend": backend, "measurement": {"accuracy_batch_size": 4}})


@pytest.fixture
def finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_up_figures: None):
    """Writes the report of these records, and reads it."""
    monkeypatch.chdir(tmp_path)

    def write(*records, **analysis: Any) -> Finished:
        Path("artifacts/measurements").mkdir(parents=True, exist_ok=True)
        files = [record_file(made.candidate) for made in records]
        for file, made in zip(files, records, strict=True):
            write_record(file, made)
        write_summary(
            study="made-up",
            baseline="base",
            analysis={**ANALYSIS, **analysis},
            engines={},
            records=files,
            remeasurements=None,
            jobs=[],
            folder="artifacts/report",
        )
        written = sorted(str(path) for path in Path("artifacts/report").iterdir())
        write_job_record(JobRecord("report", "", {}, digests(files), digests(written)))
        model = {"task": "text-classification"}
        params = {"workloads": WORKLOADS, "data": {"text": ["sentence"]}, "model": model}
        Path("params.yaml").write_text(yaml.safe_dump(params))
        return read_finished()

    return write
