import pytest
from pydantic import ValidationError

from temper.study.sections.load_tests import LoadTestRow, queries_needed
from tests.unit.load_test.rows import ROW, SERVER


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
    ],
)
def test_a_row_that_cannot_be_valid_is_refused(changes, message):
    with pytest.raises(ValidationError, match=message):
        LoadTestRow.model_validate({**ROW, **changes})


def test_no_key_of_a_row_has_a_default():
    assert all(field.is_required() for field in LoadTestRow.model_fields.values())


def test_queries_needed_are_those_of_loadgens_early_stopping():
    assert [queries_needed(percentile) for percentile in (90, 99)] == [44, 459]
