import pytest
from pydantic import ValidationError

from temper.errors import ConfigError
from temper.study.sections.load_tests import LoadTestRow, check_workload, queries_needed
from tests.unit.load_test.rows import ONE, REAL, ROW, SERVER


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scenario": "server"}, "needs both latency_bound_ms and latency_percentile"),
        ({**SERVER, "latency_percentile": None}, "needs both"),
        ({"latency_bound_ms": 5.0}, "single_stream has no latency bound"),
        ({**SERVER, "latency_percentile": 99.0}, "min_queries is 64: with fewer than 459"),
        ({"min_queries": 63}, "fewer than 64"),
        ({"timeout_s": 0.3}, "not above min_duration_s"),
        ({"surplus": 1}, "Extra inputs"),
        ({"through": "pigeon"}, "Input should be 'http'"),
    ],
)
def test_a_row_that_cannot_be_valid_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        LoadTestRow.model_validate({**ROW, **changes})


def test_no_key_of_a_row_has_a_default():
    """But those that say by their absence that nothing stands between, and that the machine is the one that plans."""
    assert [name for name, field in LoadTestRow.model_fields.items() if not field.is_required()] == [
        "through",
        "machine",
    ]


def test_queries_needed_are_those_of_loadgens_early_stopping():
    assert [queries_needed(percentile) for percentile in (90, 99)] == [44, 459]


def test_through_a_server_texts_go_one_by_one_and_have_their_own_lengths():
    row = LoadTestRow.model_validate({**ROW, "through": "http"})
    check_workload(row, REAL)
    for workload in (ONE, {**REAL, "batch_size": 8}):
        with pytest.raises(ConfigError, match="name one of batch_size 1 with real_lengths"):
            check_workload(row, workload)
