"""Experiments made by hand, with answers that can be counted."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from temper.comparison.experiments import Experiment
from temper.measurement.record import Record
from temper.report.decide.comparison import compare_records
from tests.records import ANALYSIS, record, workload

ROWS = 200
LABELS = [0, 1] * (ROWS // 2)
SAMPLES, METHOD = "calibrations.main.samples", "calibrations.main.method"
PARAMS: dict[str, Any] = {
    "study": "tiny",
    "seed": 3,
    "calibrations": {"main": {"samples": 8, "method": "nncf"}},
    "analysis": ANALYSIS,
    "baseline": {"backend": "base-backend", "loads": "onnx/fp32"},
    "candidates": {
        "base": {"backend": "base-backend", "loads": "onnx/fp32"},
        "int8": {"backend": "int8-backend", "loads": "onnx/int8"},
    },
}


def wrong(*rows: int) -> list[int]:
    """Answers that are right but for these rows."""
    found = np.asarray(LABELS)
    found[list(rows)] = 1 - found[list(rows)]
    return [int(label) for label in found]


def measured(name: str, predictions: Sequence[int], ratio: tuple[float, float, float] = (0.5, 0.49, 0.51)) -> Record:
    """A record of one workload."""
    return record(
        name, predictions=predictions, labels=LABELS, workloads={"b1": workload([1.0, 2.0, 3.0], ratio=ratio)}
    )


def experiment(
    name: str,
    predictions: Sequence[int] | None,
    *,
    samples: int = 8,
    method: str = "nncf",
    ratio: tuple[float, float, float] = (0.5, 0.49, 0.51),
    holds: bool | None = True,
    more: Mapping[str, Record] | None = None,
) -> Experiment:
    """An experiment with a baseline that is always right, and an INT8 file; without predictions that was not measured."""
    own = record("int8", reason="no NVIDIA GPU") if predictions is None else measured("int8", predictions, ratio)
    records = {"base": measured("base", LABELS, (1.0, 0.99, 1.01)), "int8": own, **(more or {})}
    compared = compare_records("tiny", list(records.values()), "base", ANALYSIS, {}).as_json()
    for candidate in compared["candidates"].values():
        for cell in candidate["workloads"].values():
            cell.pop("holds", None)
            if holds is not None:
                cell["holds"] = holds
    params = {**PARAMS, "calibrations": {"main": {"samples": samples, "method": method}}}
    return Experiment(name, params, records, compared, None)


FEW = experiment("few", wrong(*range(30)), samples=8)
MANY = experiment("many", wrong(0, 1, 2), samples=64, ratio=(0.8, 0.79, 0.81))
ALMOST = experiment("almost", wrong(0, 1, 2, 3), samples=32, ratio=(0.51, 0.48, 0.54))
