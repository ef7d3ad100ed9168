"""LoadGen on a package that is served, in the processes that the rule starts."""

import pytest

from temper.load_test.loadgen import run_load_test
from tests.tiny_study import SEED, TEST_ROWS
from tests.unit.load_test.rows import REAL, ROW, SERVER
from tests.unit.package.conftest import ORT

pytest.importorskip("mlperf_loadgen", reason="MLPerf LoadGen is not installed (mlcommons-loadgen)")
SERVING = {"texts_per_row": 1, "sizes": [[1, None], [8, 16]]}


def load_test(tiny_study, **changes):
    return run_load_test(
        row={**ROW, "through": "http", **changes},
        backend={"runner": "onnxruntime", "version": "installed", "gpus": 0, "options": ORT},
        library_version=__import__("onnxruntime").__version__,
        workload=REAL,
        distinct_batches=3,
        seed=SEED,
        artifact=str(tiny_study.fp32),
        data_folder=str(tiny_study.data),
        quiet={"busy_share": 1.0, "quiet_wait_s": 0.0},
        serving=SERVING,
    )


def test_offline_traffic_goes_over_the_socket_and_the_answers_are_the_runners(tiny_study):
    found = load_test(tiny_study, scenario="offline")
    assert found["run"]["scenario"] == "Offline"
    assert found["run"]["samples_per_s"] > 0
    served = found["served"]
    assert (served["samples"], served["labels_differing"], served["connections"]) == (TEST_ROWS, 0, 64)
    assert (served["rows_of_a_call"], served["tokens_of_a_call"]) == (8, 128)
    assert served["server_processor_ms_per_sample"] > 0
    assert served["client_processor_ms_per_sample"] > 0
    assert found["ran"]["library"] == "onnxruntime"


@pytest.mark.long
def test_servers_traffic_goes_over_the_socket(tiny_study):
    found = load_test(tiny_study, **{**SERVER, "latency_bound_ms": 1000.0})
    assert found["rate_per_s"] > 0
    assert found["run"]["scenario"] == "Server"
