from types import SimpleNamespace

import pytest

from temper.errors import ConfigError
from temper.load_test.serving import check_served, serving_of
from temper.study.sections.load_tests import LoadTestRow
from tests.unit.load_test.rows import REAL, ROW

SERVED = {**ROW, "through": "http"}
CPU = {"execution_provider": "CPUExecutionProvider"}


def candidate(backend, loads, *workloads):
    return SimpleNamespace(backend=backend, loads=loads, workloads=workloads)


def test_a_call_may_be_as_large_as_those_that_a_candidate_of_the_same_artifact_is_timed_with():
    study = SimpleNamespace(
        candidates={
            "same": candidate(ROW["backend"], ROW["loads"], "b12"),
            "other": candidate("other", ROW["loads"], "b256"),
        },
        workloads={
            ROW["workload"]: REAL,
            "b12": {"batch_size": 12, "sequence_length": 64},
            "b256": {"batch_size": 256},
        },
        data={"text": ["premise", "hypothesis"]},
    )
    assert serving_of(study, SERVED) == {"texts_per_row": 2, "sizes": [[1, None], [12, 64]]}
    assert serving_of(study, ROW) is None


@pytest.mark.parametrize(
    ("runner", "options", "loads", "task", "why"),
    [
        ("pytorch", {"mode": "eager"}, "checkpoint", "text-classification", "it loads the checkpoint"),
        ("tensorrt", {}, "engines/fp32", "text-classification", "its runner is tensorrt"),
        ("onnxruntime", {"execution_provider": "CUDAExecutionProvider"}, "onnx/fp32", "text-classification", "CUDA"),
        ("onnxruntime", CPU, "onnx/fp32", "image-classification", "the model takes images"),
    ],
)
def test_what_no_package_serves_is_refused_while_planning(runner, options, loads, task, why):
    row = LoadTestRow.model_validate({**SERVED, "loads": loads})
    with pytest.raises(ConfigError, match=why):
        check_served(row, SimpleNamespace(runner=runner, options=options), task)


def test_what_a_package_serves_is_taken():
    check_served(
        LoadTestRow.model_validate(SERVED), SimpleNamespace(runner="onnxruntime", options=CPU), "text-classification"
    )
